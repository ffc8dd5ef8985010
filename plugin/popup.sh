#!/bin/sh
# What runs inside the plugin's popups, in the directory of the pane below: popup.sh ACTION PANE CLIENT. The program finds the
# project that is meant, shows pages and lists, and takes what a person writes. Here is what has to work without it. The tmux
# server holds the paths.

# The caller is the human, even when the tmux server was started from inside somebody's pane, or with a project in its environment.
unset TMUX_PANE SWARM_ROOT
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

# Text that does not fit goes through less: a popup has no scrollback. Its rows are counted as the popup breaks its lines.
page() {
  size=$(stty size 2>/dev/null)
  rows=${size% *} columns=${size#* }
  taken=$(printf '%s\n' "$1" | fold -w "${columns:-80}" | wc -l)
  if [ "$taken" -gt "$((${rows:-24} - 3))" ] && command -v less >/dev/null; then
    printf '%s\n' "$1" | LESS='' less -P 'q closes  Space\: on'
    exit 0
  fi
  printf '%s\n' "$1"
}

# Runs the program in the project of the pane below, or in the one that the person chooses.
here() { "$exe" here ${pane:+--pane "$pane"} "$@"; }

# What it prints, to be read until the person leaves. A program that has died left nothing to read.
show() { here --page "$@" && exit 0; }

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
  if [ -s "$log" ] && speaks; then "$exe" page "$log" && exit 0; fi
  # Control characters of a compiler's output stay out of the terminal.
  text=$(tail -n 500 "$log" 2>/dev/null | tr -d '\000-\010\013-\037\177')
  page "${text:-There is no log yet: $log}"
}

# The program's version line. Empty if the program is not swarm.
version=$("$exe" --version 2>/dev/null </dev/null | sed -n '/^swarm .* (protocol [0-9]*)$/p')

# Whether the program speaks this script's protocol. A program from before an update serves until the new one is built.
speaks() { case $version in *'(protocol 2)') ;; *) false ;; esac; }

# Says why the chosen program does not work. Fails if none was chosen, or if it works.
wrong_choice() {
  [ -n "$choice" ] || return 1
  case $choice in [~]/*) choice=$HOME/${choice#??} ;; esac
  if [ "${choice#/}" = "$choice" ]; then
    why='It is not a full path.'
  elif [ -d "$choice" ]; then
    why='It is a directory.'
  elif ! [ -e "$choice" ]; then
    why='There is no such file.'
  elif ! [ -f "$choice" ] || ! [ -x "$choice" ]; then
    why='It is not a program that you may run.'
  elif [ -z "$exe" ]; then
    why='The plugin was loaded before it was there.'
  elif [ -z "$version" ]; then
    why='It runs, but it is not swarm.'
  else
    return 1
  fi
}

wrong() {
  root=$(printf '%s' "${plugin%/*}" | sed "s/'/'\\\\''/g")
  cat <<END
The option @swarm-bin names a wrong program:

  $(printf '%s' "$choice" | tr -d '\000-\037\177')
  $why

In tmux.conf, set it right:
  set -g @swarm-bin /full/path/to/swarm
or take it away, for the program of the plugin:
  set -gu @swarm-bin
Then load the plugin again:
  '$root/swarm.tmux'
END
  finish
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

# What a program from before an update can do.
former() {
  case $action in
  dashboard | next | back | agents | inbox | doctor) ;;
  *)
    echo 'The program is older than the plugin, and does not know this key.'
    echo 'prefix S, then L: how far the new one is; b: install it.'
    finish
    ;;
  esac
  case $action in
  dashboard) "$exe" dashboard --popup ${client:+--client "$client"} && exit 0 ;;
  next | back) "$exe" jump "$action" ${client:+--client "$client"} && exit 0 ;;
  *) page "$("$exe" "$action" 2>&1 </dev/null)" ;;
  esac
  finish
}

case $action in
build) build ;;
build-log) build_log && finish ;;
esac
choice=$(tmux display-message -p '#{@swarm-bin}')
if wrong_choice; then wrong; fi
if [ "$action" = missing ] || [ -z "$exe" ] || ! [ -x "$exe" ]; then missing; fi
speaks || former
case $action in
# The same list: the menu of a small terminal, and its keys.
menu | help) "$exe" menu "$plugin" "$pane" "$client" && exit 0 ;;
choose) tmux choose-tree -Z ${pane:+-t "$pane"} -f '#{!=:#{@swarm_agent},}' -F "$(tmux show-options -sqv @swarm-tree)" && exit 0 ;;
dashboard) here dashboard --popup ${client:+--client "$client"} && exit 0 ;;
next | back) here jump "$action" ${client:+--client "$client"} && exit 0 ;;
inbox) "$exe" inbox --open --pane "$pane" && exit 0 ;;
message) "$exe" write ${pane:+--pane "$pane"} && exit 0 ;;
broadcast) "$exe" write ${pane:+--pane "$pane"} --all && exit 0 ;;
rename) "$exe" write ${pane:+--pane "$pane"} --rename && exit 0 ;;
crew) here crew ${pane:+--pane "$pane"} && exit 0 ;;
discover) show discover --init ;;
agents | digest | onboard | team | doctor) show "$action" ;;
explain) show explain "$pane" ;;
leases) show locks ;;
log) show log -n 200 ;;
*) echo "popup.sh: no action called $action" ;;
esac
finish
