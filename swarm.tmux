#!/bin/sh
# The tmux plugin. Plugin managers run this file synchronously while tmux starts, so it only reads options,
# binds one key and sets hooks: nothing is built, downloaded or waited for. It may run any number of times.
# Paths travel in server options (@swarm-exe, @swarm-plugin) and never inside a command that tmux parses,
# so that any character in them is safe. It always exits 0: tmux throws a failure over the active pane.

protocol=1 # what the binary must speak: `swarm --version` ends in "(protocol 1)"
slot=8200  # our index in every hook array; the user's own entries stay as they are
here=$(CDPATH='' cd -- "$(dirname -- "$0")" && pwd -P) || exit 0

opt() { tmux show-options -gqv "@swarm-$1"; }

# One message, once. While the configuration loads nobody is attached and a message would be lost, so it waits
# for the first client. The text stays in an option: display-message would expand # and % in an argument.
say() {
  [ "$(tmux show-options -sqv @swarm-told)" = "$1" ] && return
  if [ -n "$(tmux list-clients 2>/dev/null)" ]; then
    tmux set-option -s @swarm-told "$1" \; display-message ${2:+-d "$2"} '#{@swarm-told}'
  else
    tmux set-option -s @swarm-told "$1" \; set-hook -g "client-session-changed[$slot]" \
      "set-hook -gu 'client-session-changed[$slot]' ; display-message ${2:+-d $2} '#{@swarm-told}'"
  fi
}

version=$(tmux display-message -p '#{version}' 2>/dev/null)
case ${version:=$(tmux -V | sed 's/^tmux //')} in
next-*) number=${version#next-} ;;
[0-9]*) number=$version ;;
*) number=99.0 ;; # master, openbsd-7.x: built from a recent tree
esac
major=${number%%.*}
minor=${number#*.} && minor=${minor%%[!0-9]*}
if [ "$major" -lt 3 ] || { [ "$major" -eq 3 ] && [ "${minor:-0}" -lt 2 ]; }; then
  say "swarm needs tmux 3.2 or newer, and this server is $version: nothing was set up" >/dev/null 2>&1
  exit 0
fi

tmux source-file - <"$here/plugin/defaults.conf"

# The binary: the user's choice, this checkout's, then one on PATH (often poor here) that speaks our protocol.
# A choice that does not work is said, not silently replaced.
exe='' notice=''
bin=$(opt bin)
case $bin in [~]/*) bin=$HOME/${bin#??} ;; esac
if [ -n "$bin" ]; then
  if [ "${bin#/}" != "$bin" ] && [ -f "$bin" ] && [ -x "$bin" ]; then
    exe=$bin
  else
    notice="swarm: @swarm-bin is not the full path of a program: $bin"
  fi
elif [ -x "$here/bin/swarm" ]; then
  exe=$here/bin/swarm
else
  PATH=$PATH:${CARGO_HOME:-$HOME/.cargo}/bin
  if found=$(command -v swarm) && [ -x "$found" ]; then
    case $("$found" --version 2>/dev/null </dev/null) in *"(protocol $protocol)") exe=$found ;; esac
  fi
  [ -n "$exe" ] || notice='swarm is installed but its program is not built yet'
fi
tmux set-option -s @swarm-plugin "$here/plugin" \; set-option -s @swarm-exe "$exe"

# The key. One that is bound to anything else is left alone; one of ours that is no longer wanted goes.
ours() { case $(tmux list-keys -T prefix "$1" 2>/dev/null) in *@swarm-plugin*) true ;; *) false ;; esac; }
free() { [ -z "$(tmux list-keys -T prefix "$1" 2>/dev/null)" ]; }
key=$(opt key)
old=$(tmux show-options -sqv @swarm-bound)
if [ -n "$old" ] && [ "$old" != "$key" ] && ours "$old"; then tmux unbind-key -T prefix "$old"; fi
width=$(opt popup-width) height=$(opt popup-height)
# shellcheck disable=SC2016 # expanded by the popup's shell
run='/bin/sh -c '\''exec /bin/sh "$(tmux show-options -sv @swarm-plugin)/popup.sh" ACTION'\'
# A menu entry is expanded once when the menu opens (hence ##) and parsed by tmux when it is chosen (hence \").
entry() {
  printf 'display-popup -E -w "%s" -h "%s" -d "##{pane_current_path}" "%s"' "$width" "$height" \
    "$(printf '%s' "${run%ACTION*}$1'" | sed 's/["$]/\\&/g')"
}
bound=''
if [ "$key" = none ]; then
  :
elif ! free "$key" && ! ours "$key"; then
  notice="${notice:+$notice. }swarm: prefix $key is already bound and was left alone: choose another @swarm-key"
elif [ -n "$exe" ]; then
  tmux bind-key -N 'swarm: menu' -T prefix "$key" display-menu -T ' swarm ' -x C -y C \
    'Dashboard' Space "$(entry dashboard)" 'Next agent that needs you' n "$(entry next)" 'Back' - "$(entry back)" '' \
    'Send a message' s "$(entry send)" 'Inbox' i "$(entry inbox)" 'Agents' a "$(entry agents)" \
    'Leases' l "$(entry leases)" 'Log' g "$(entry log)" '' \
    'Discover agents here' d "$(entry discover)" 'Build the program' b "$(entry build)" && bound=$key
else
  tmux bind-key -N 'swarm: how to build it' -T prefix "$key" \
    display-popup -E -w "$width" -h "$height" -d '#{pane_current_path}' "${run%ACTION*}missing'" && bound=$key
  notice="$notice: prefix $key tells how to go on"
fi
tmux set-option -s @swarm-bound "$bound"

# Hooks: no event says "a pane appeared or went" on every version, so each hint leads to one reconciliation.
# shellcheck disable=SC2016 # $0 is the inner shell's
hook='run-shell -b "/bin/sh -c '\''\"$0\" discover --quiet --from-tmux >/dev/null 2>&1 || :'\'' #{q:@swarm-exe}"'
set --
while read -r event; do
  if [ -n "$exe" ]; then
    set -- "$@" set-hook -g "${event}[$slot]" "$hook" \;
  else
    set -- "$@" set-hook -gu "${event}[$slot]" \;
  fi
done <"$here/plugin/hooks"
tmux "$@" set-option -s @swarm-slot "$slot"
# shellcheck disable=SC2016
[ -z "$exe" ] || tmux run-shell -b '/bin/sh -c '\''"$0" discover --quiet --from-tmux >/dev/null 2>&1 || :'\'' #{q:@swarm-exe}'

if [ -n "$notice" ]; then
  say "$notice" 10000
else
  tmux set-option -su @swarm-told \; set-hook -gu "client-session-changed[$slot]"
fi
exit 0
