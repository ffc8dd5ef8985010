#!/bin/sh
# The tmux plugin. Plugin managers run this file synchronously while tmux starts, so it only reads options, binds keys and
# sets hooks, in as few tmux calls as it can: nothing is downloaded, built or waited for. It may run any number of times.
# Paths travel in server options (@swarm-cli, @swarm-plugin) and never inside a command that tmux parses,
# so that any character in them is safe. It always exits 0: tmux throws a failure over the active pane.

protocol=2 # what the binary must speak: `swarm --version` ends in "(protocol 2)"
slot=8200  # our index in every hook array; the user's own entries stay as they are
here=$(CDPATH='' cd -- "$(dirname -- "$0")" && pwd -P) || exit 0
# shellcheck source=plugin/say.sh
. "$here/plugin/say.sh"

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
{
  IFS= read -r key && IFS= read -r menu && IFS= read -r bin && IFS= read -r install && IFS= read -r former && IFS= read -r old
} <<END
$(tmux display-message -p '#{@swarm-key}
#{@swarm-menu}
#{@swarm-bin}
#{@swarm-install}
#{@swarm-build}
#{@swarm-bound}')
END
# The option's name in 0.1.0, whose `off` still holds.
[ "$former" != off ] || install=off

# The binary: the user's choice, this checkout's, then one on PATH (often poor here) that speaks our protocol.
# A choice that does not work is said, not silently replaced. Only the checkout's own is installed for the user.
exe='' notice='' mode=off
case $bin in [~]/*) bin=$HOME/${bin#??} ;; esac
if [ -n "$bin" ]; then
  if [ "${bin#/}" != "$bin" ] && [ -f "$bin" ] && [ -x "$bin" ]; then
    exe=$bin
  else
    notice="swarm: @swarm-bin is not the full path of a program: $bin"
  fi
elif [ -x "$here/bin/swarm" ]; then
  exe=$here/bin/swarm mode=$install
else
  PATH=$PATH:${CARGO_HOME:-$HOME/.cargo}/bin
  if found=$(command -v swarm) && [ -x "$found" ]; then
    case $("$found" --version 2>/dev/null </dev/null) in *"(protocol $protocol)") exe=$found ;; esac
  fi
  [ -n "$exe" ] || mode=$install
fi

# What an entry of the menu or a key of the table does. It is expanded once, when the menu opens or by run-shell -C (hence ##
# for what is to be expanded later), and then parsed by tmux (hence \").
# shellcheck disable=SC2016 # expanded by the popup's shell
popup='display-popup -E -w "#{?#{e|<:#{client_width},70},100%,#{@swarm-popup-width}}" -h "#{?#{e|<:#{client_height},20},100%,#{@swarm-popup-height}}" -d "##{pane_current_path}" "/bin/sh -c '\''exec /bin/sh \"\$(tmux show-options -sv @swarm-plugin)/popup.sh\" ACTION #{pane_id} #{client_name}'\''"'
tree='#{?session_format,,#{?@swarm_agent,#{@swarm_agent} #{@swarm_state} #{b:@swarm_root},#{window_name}}}'
choose='choose-tree -Z -f "##{!=:##{@swarm_agent},}" -F "##{?session_format,,##{?@swarm_agent,##{@swarm_agent} ##{@swarm_state} ##{b:@swarm_root},##{window_name}}}"'
entry() {
  case $1 in
  choose) printf '%s' "$choose" ;;
  *) printf '%s' "${popup%ACTION*}$1${popup#*ACTION}" ;;
  esac
}

# Keys: what is bound to anything else is left alone; what is ours and no longer wanted goes.
ours() { case $1 in *@swarm-plugin* | *choose-tree*@swarm_agent*) true ;; *) false ;; esac; }
# tmux takes a `;` at the end of a word for the end of a command.
word() { case $1 in *';') printf '%s\\;' "${1%;}" ;; *) printf '%s' "$1" ;; esac; }
bound() { tmux list-keys -T "$1" -- "$(word "$2")" 2>/dev/null; }
table=$(tmux list-keys -T swarm 2>/dev/null | tr -s ' ')
# What a key of the table is bound to; nothing if it is free.
in_table() { printf '%s\n' "$table" | grep -F -e "-T swarm $1 " -e "-T swarm \\$1 "; }

# The one call that does everything is collected in the shell's one list: first the menu's arguments, for the key.
set -- -T ' swarm ' -x C -y C
rows=2 columns=0
while read -r letter action label; do
  case $letter in
  '' | '#') continue ;;
  --) rows=$((rows + 1)) && set -- "$@" '' && continue ;;
  esac
  rows=$((rows + 1))
  [ "${#label}" -le "$columns" ] || columns=${#label}
  set -- "$@" "$label" "$letter" "$(entry "$action")"
done <"$here/plugin/actions"
# tmux drops a menu that does not fit, and says nothing; the next key would be the pane's. The menu's borders, and a label's key.
small="#{||:#{e|<:#{client_height},$rows},#{e|<:#{client_width},$((columns + 12))}}"
here_bound=''
if [ "$key" != none ]; then
  now=$(bound prefix "$key")
  if [ -n "$now" ] && ! ours "$now"; then
    notice="${notice:+$notice. }swarm: prefix $key is already bound and was left alone: choose another @swarm-key"
  else
    here_bound=$key
  fi
fi
# By itself: a key that tmux does not know would end the whole call, and with it hooks and table.
if [ -n "$here_bound" ]; then
  if [ -z "$exe" ]; then
    label='how to install it' && set -- run-shell -C "$(entry missing)"
  elif [ "$menu" = off ]; then
    # The condition is always true: it marks the binding as ours.
    label='its keys' && set -- if-shell -F '#{@swarm-plugin}' 'switch-client -T swarm'
  else
    # In a small terminal a popup has the same entries as a list. A command within a command is one string of quoted words.
    menu=$(printf '%s\n' display-menu "$@" | sed -e 's/[\\"$]/\\&/g' -e 's/.*/"&"/' -e 'H;$!d' -e 'x;s/\n/ /g')
    label=menu && set -- if-shell -F "$small" 'run-shell -C "#{E:@swarm-list}"' "$menu"
  fi
  if ! failed=$(tmux bind-key -N "swarm: $label" -T prefix -- "$(word "$key")" "$@" 2>&1); then
    here_bound=''
    case $failed in *' key'*) failed="$key is not a key that tmux knows" ;; *) failed="$key could not be bound: $failed" ;; esac
    notice="${notice:+$notice. }swarm: @swarm-key $failed"
  fi
fi
set --
if [ -n "$old" ] && [ "$old" != "$key" ] && ours "$(bound prefix "$old")"; then
  set -- unbind-key -T prefix -- "$(word "$old")" \;
fi
while read -r letter action label; do
  case $letter in '' | '#' | --) continue ;; esac
  now=$(in_table "$letter")
  if [ -n "$now" ] && ! ours "$now"; then
    notice="${notice:+$notice. }swarm: $letter in the key table swarm is yours and was left alone"
  elif [ -n "$exe" ]; then
    set -- "$@" bind-key -N "swarm: $label" -T swarm "$letter" run-shell -C "$(entry "$action")" \;
  elif [ -n "$now" ]; then
    set -- "$@" unbind-key -T swarm "$letter" \;
  fi
done <"$here/plugin/actions"

# Hooks: no event says "a pane appeared or went" on every version, so each hint leads to one reconciliation.
# shellcheck disable=SC2016 # $0 is the inner shell's
discover='/bin/sh -c '\''"$0" discover --quiet --from-tmux >/dev/null 2>&1 || :'\'' #{q:@swarm-cli}'
hook="run-shell -b \"$(printf '%s' "$discover" | sed 's/["$]/\\&/g')\""
while read -r event; do
  if [ -n "$exe" ]; then
    set -- "$@" set-hook -g "${event}[$slot]" "$hook" \;
  else
    set -- "$@" set-hook -gu "${event}[$slot]" \;
  fi
done <"$here/plugin/hooks"
[ -z "$exe" ] || set -- "$@" run-shell -b "$discover" \;
# A newer set of rules that came with this checkout. The program checks who has signed it, and whether it is newer.
if [ -n "$exe" ] && [ -f "$here/plugin/profiles.json" ]; then
  # shellcheck disable=SC2016 # $0 and $1 are the inner shell's
  set -- "$@" run-shell -b '/bin/sh -c '\''"$0" profile update --quiet "$1" >/dev/null 2>&1 || :'\'' #{q:@swarm-cli} #{q:@swarm-plugin}' \;
fi
case $mode in
auto | download | build) ;;
off)
  if [ -z "$exe$bin" ]; then
    notice="swarm is loaded but its program is not installed yet${here_bound:+: prefix $here_bound tells how to go on}${notice:+. $notice}"
  fi
  ;;
*)
  notice="swarm: @swarm-install is auto, download, build or off, not '$mode': nothing is installed${notice:+. $notice}"
  mode=off
  ;;
esac
# Removes an old notice that does not apply any more. This comes before the installation, which may set a new one.
[ -n "$notice" ] || set -- "$@" set-option -su @swarm-told \; set-hook -gu "client-session-changed[$slot]" \;
# The background process also checks whether there is anything to install, because it must read the sources for that.
# shellcheck disable=SC2016 # $0 is the inner shell's
[ "$mode" = off ] ||
  set -- "$@" run-shell -b '/bin/sh -c '\''exec /bin/sh "$0/background.sh" '"$slot $mode"' >/dev/null 2>&1'\'' #{q:@swarm-plugin}' \;

tmux set-option -s @swarm-plugin "$here/plugin" \; set-option -s @swarm-cli "$exe" \; set-option -s @swarm-tree "$tree" \; set-option -s @swarm-list "$(entry menu)" \; \
  set-option -s @swarm-slot "$slot" \; "$@" set-option -s @swarm-bound "$(word "$here_bound")"

[ -z "$notice" ] || say "$notice" 10000
exit 0
