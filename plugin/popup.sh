#!/bin/sh
# What runs inside the plugin's popups, in the directory of the pane below: popup.sh ACTION. Shows what the
# program prints and waits for a key. The tmux server holds the paths; what a human types is only ever data.

# The caller is the human, even when the tmux server was started from inside somebody's pane.
unset TMUX_PANE
exe=$(tmux show-options -sqv @swarm-exe)
plugin=$(CDPATH='' cd -- "$(dirname -- "$0")" && pwd -P) || exit 1

# Reads one key into $pressed; a terminal that is gone counts as one.
press() {
  saved=$(stty -g 2>/dev/null)
  stty -icanon -echo min 1 time 0 2>/dev/null
  pressed=$(dd bs=1 count=1 2>/dev/null)
  [ -z "$saved" ] || stty "$saved" 2>/dev/null
}

finish() {
  printf '\n(any key closes this)'
  press
  exit 0
}

# Output that does not fit goes through less: a popup has no scrollback.
show() {
  out=$("$exe" "$@" 2>&1 </dev/null)
  code=$?
  rows=$(stty size 2>/dev/null | cut -d ' ' -f 1)
  if [ "$(printf '%s\n' "$out" | wc -l)" -gt "$((${rows:-24} - 3))" ] && command -v less >/dev/null; then
    printf '%s\n' "$out" | less
    exit 0
  fi
  printf '%s\n' "${out:-nothing}"
  [ "$code" -eq 0 ] || printf '(exit code %s)\n' "$code"
}

build() {
  /bin/sh "$plugin/build.sh" && /bin/sh "$plugin/../swarm.tmux" && echo 'The key opens the menu now.'
  finish
}

missing() {
  root=$(printf '%s' "${plugin%/*}" | sed "s/'/'\\\\''/g")
  cat <<END
The swarm program is not there yet. It is built once, from the plugin's own source,
with Rust's cargo (https://rustup.rs if you have none):

  cd '$root'
  cargo build --release --locked
  mkdir -p bin && cp target/release/swarm target/release/swarm-msg bin/
  ./swarm.tmux

A program in another place is named with:  set -g @swarm-bin /full/path/to/swarm

b: build it now, here (some minutes)    any other key: close
END
  press
  [ "$pressed" = b ] || exit 0
  build
}

# Answers are read raw and handed over on stdin, so quotes, #, ; and \$ stay what they are.
send() {
  "$exe" agents 2>&1 </dev/null
  printf '\nTo (empty: cancel): '
  IFS= read -r to || exit 0
  [ -n "$to" ] || exit 0
  case $to in -*) echo "No agent is called $to." && finish ;; esac
  echo 'Message (Ctrl-D on an empty line sends it, Ctrl-C cancels):'
  text=$(cat)
  [ -n "$text" ] || exit 0
  printf '%s' "$text" | "$exe" send "$to" - 2>&1
  finish
}

case ${1-} in
build) build ;;
missing) missing ;;
esac
if [ -z "$exe" ] || ! [ -x "$exe" ]; then missing; fi
case ${1-} in
discover) show discover --init ;;
agents | inbox) show "$1" ;;
leases) show locks ;;
log) show log -n 200 ;;
dashboard) "$exe" dashboard --popup && exit 0 ;;
next | back) "$exe" jump "$1" && exit 0 ;;
send) send ;;
*) echo "popup.sh: no action called ${1-}" ;;
esac
finish
