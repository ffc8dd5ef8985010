#!/usr/bin/env bash
# What a lease costs, as whole processes, beside flock(1) measured in the same run. Prints a table; judges nothing.
# Usage: scripts/bench-leases.sh [ROUNDS]   (default 200)
set -euo pipefail
cd "$(dirname "${BASH_SOURCE[0]}")/.."
rounds=${1:-200}
writers=16

cargo build --release --locked --quiet
bin=${CARGO_TARGET_DIR:-target}/release
case $bin in
  /*) ;;
  *) bin=$PWD/$bin ;;
esac
work=$(mktemp -d)
trap 'rm -rf "$work"' EXIT
mkdir "$work/home" "$work/project"
cd "$work/project"
export HOME=$work/home PATH=$bin:$PATH
unset TMUX TMUX_PANE XDG_STATE_HOME SWARM_ROOT
swarm init >/dev/null

TIMEFORMAT=%R

# row NAME UNITS COMMAND...: runs it, prints milliseconds per unit and units per second.
row() {
  local name=$1 units=$2 seconds
  shift 2
  seconds=$({ time "$@" >/dev/null 2>&1; } 2>&1)
  awk -v name="$name" -v n="$units" -v s="$seconds" \
    'BEGIN { printf "%-58s %8.2f ms %9.0f/s\n", name, 1000 * s / n, n / s }'
}

repeat() {
  local n=$1 i
  shift
  for ((i = 0; i < n; i++)); do "$@"; done
}

side_by_side() {
  local n=$1 i
  shift
  for ((i = 0; i < writers; i++)); do repeat "$n" "$@" & done
  wait
}

lock_and_unlock() {
  swarm lock file
  swarm unlock file
}

flock_twice() {
  flock "$work/plain" true
  flock "$work/plain" true
}

each=$((rounds / writers + 1))
row 'an empty process' "$rounds" repeat "$rounds" /bin/true
row 'swarm locks, nothing leased' "$rounds" repeat "$rounds" swarm locks
row 'swarm lock + swarm unlock (two processes)' "$rounds" repeat "$rounds" lock_and_unlock
row 'swarm lock FILE -- true' "$rounds" repeat "$rounds" swarm lock file -- true
row "$writers at once, one path: swarm lock FILE --wait 1h -- true" $((each * writers)) \
  side_by_side "$each" swarm lock file --wait 1h -- true
if command -v flock >/dev/null; then
  row 'flock FILE true, twice' "$rounds" repeat "$rounds" flock_twice
  row "$writers at once, one path: flock FILE true" $((each * writers)) side_by_side "$each" flock "$work/plain" true
else
  echo 'flock(1) is not installed: no baseline'
fi
