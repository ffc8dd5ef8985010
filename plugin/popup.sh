#!/bin/sh
# What runs inside the plugin's popups, in the directory of the pane below: popup.sh ACTION PANE CLIENT. Shows what the
# program prints and waits for a key. The tmux server holds the paths; what a human types is only ever data.

# The caller is the human, even when the tmux server was started from inside somebody's pane.
unset TMUX_PANE
action=${1-} pane=${2-} client=${3-}
exe=$(tmux show-options -sqv @swarm-cli)
plugin=$(CDPATH='' cd -- "$(dirname -- "$0")" && pwd -P) || exit 1
log=${XDG_STATE_HOME:-$HOME/.local/state}/swarm/build.log

# Reads one key into $pressed; a terminal that is gone counts as one. `press 1` waits for a second only.
press() {
  saved=$(stty -g 2>/dev/null)
  stty -icanon -echo min "$((${1:-0} == 0))" time "$((${1:-0} * 10))" 2>/dev/null
  # The mark keeps a line break, which the shell would drop.
  pressed=$(dd bs=1 count=1 2>/dev/null && echo .) && pressed=${pressed%.}
  [ -z "$saved" ] || stty "$saved" 2>/dev/null
}

finish() {
  printf '\n(any key closes this)'
  press
  exit 0
}

# Output that does not fit goes through less: a popup has no scrollback.
page() {
  rows=$(stty size 2>/dev/null | cut -d ' ' -f 1)
  if [ "$(printf '%s\n' "$1" | wc -l)" -gt "$((${rows:-24} - 3))" ] && command -v less >/dev/null; then
    printf '%s\n' "$1" | less
    exit 0
  fi
  printf '%s\n' "${1:-nothing}"
}

show() {
  out=$("$exe" "$@" 2>&1 </dev/null)
  code=$?
  [ "$code" -eq 0 ] || out="$out
(exit code $code)"
  page "$out"
}

# How the user wants the program installed. Who installs by hand says with the key that it is wanted now.
mode() {
  case $(tmux show-options -gqv @swarm-install) in
  download) echo download ;;
  build) echo build ;;
  *) echo auto ;;
  esac
}

build() {
  /bin/sh "$plugin/install.sh" "$(mode)" && /bin/sh "$plugin/../swarm.tmux" && echo 'The key opens the menu now.'
  finish
}

build_log() {
  # Control characters of a compiler's output stay out of the terminal.
  text=$(tail -n 500 "$log" 2>/dev/null | tr -d '\000-\010\013-\037\177')
  page "${text:-There is no log yet: $log}"
}

missing() {
  pressed='' waited=''
  while [ -z "$pressed" ] && [ -L "$plugin/../bin/.building" ] && [ -t 0 ]; do
    printf '\033[H\033[2J%s\n\n' 'The program is being installed; it will say when it is ready. So far:'
    tail -n 12 "$log" 2>/dev/null | tr -d '\000-\010\013-\037\177'
    printf '\n(any key closes this)'
    press 1
    waited=yes
  done
  [ -z "$pressed" ] || exit 0
  if [ -n "$waited" ] && [ -x "$plugin/../bin/swarm" ]; then
    printf '\033[H\033[2J%s\n' 'It is installed.'
    finish
  fi
  root=$(printf '%s' "${plugin%/*}" | sed "s/'/'\\\\''/g")
  cat <<END
The swarm program is not there yet. A release is downloaded and checked;
any other checkout is built once, with Rust's cargo (https://rustup.rs).
By hand:

  cd '$root'
  plugin/install.sh && ./swarm.tmux

A program in another place:  set -g @swarm-bin /full/path/to/swarm

END
  [ ! -s "$plugin/../bin/.failed" ] || printf 'The last attempt failed: %s\n\n' "$(sed -n 2p "$plugin/../bin/.failed")"
  echo 'b: install it now, here    L: the log    any other key: close'
  press
  case $pressed in
  b) build ;;
  L) build_log && finish ;;
  esac
  exit 0
}

# The agent in the pane below; empty if there is none.
agent() { tmux display-message -p -t "$pane" '#{@swarm_agent}' 2>/dev/null; }

# Answers are read raw and handed over on stdin or as one argument, so quotes, #, ; and \$ stay what they are.
message() {
  echo 'Message (Ctrl-D on an empty line sends it, Ctrl-C cancels):'
  text=$(cat)
  [ -n "$text" ] || exit 0
  printf '%s' "$text" | "$exe" send "$1" - 2>&1
}

ask_whom() {
  to=$(agent)
  if [ -n "$to" ]; then
    printf 'To %s. ' "$to"
    return
  fi
  "$exe" agents 2>&1 </dev/null
  printf '\nTo (empty: cancel): '
  IFS= read -r to || exit 0
  [ -n "$to" ] || exit 0
  case $to in -*) echo "No agent is called $to." && finish ;; esac
}

rename() {
  old=$(agent)
  [ -n "$old" ] || { echo 'There is no agent in this pane.' && finish; }
  printf 'New name for %s (empty: cancel): ' "$old"
  IFS= read -r new || exit 0
  [ -n "$new" ] || exit 0
  "$exe" name "$old" -- "$new" 2>&1
}

help() {
  echo 'Keys of the menu, and of the key table swarm:'
  echo
  while read -r letter _ label; do
    case $letter in '' | '#') ;; --) echo ;; *) printf '  %-6s %s\n' "$letter" "$label" ;; esac
  done <"$plugin/actions"
}

case $action in
build) build ;;
build-log) build_log && finish ;;
help) page "$(help)" && finish ;;
esac
if [ "$action" = missing ] || [ -z "$exe" ] || ! [ -x "$exe" ]; then missing; fi
case $action in
dashboard) "$exe" dashboard --popup ${client:+--client "$client"} && exit 0 ;;
next | back) "$exe" jump "$action" ${client:+--client "$client"} && exit 0 ;;
message) ask_whom && message "$to" ;;
broadcast) printf 'To all agents. ' && message @all ;;
rename) rename ;;
discover) show discover --init ;;
agents | inbox | onboard | doctor) show "$action" ;;
explain) show explain "$pane" ;;
leases) show locks ;;
log) show log -n 200 ;;
*) echo "popup.sh: no action called $action" ;;
esac
finish
