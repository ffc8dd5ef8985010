#!/usr/bin/env bash
# Everything that must hold, in one command, on a fresh machine with a Rust toolchain: installs tmux and shellcheck
# where they are missing, then checks format, lints, shell scripts, tests and documentation. All steps run even if
# one fails; the last line sums up. With CI=true a tool that cannot be had is a failure, not a notice.
set -euo pipefail
cd "$(dirname "${BASH_SOURCE[0]}")/.."

logs=$(mktemp -d)
trap 'rm -rf "$logs"' EXIT
step() {
  local name=$1
  shift
  printf '\n== %s\n' "$name"
  "$@" || printf '%s\n' "$name" >>"$logs/failed"
}

# shellcheck source=scripts/need.sh
. scripts/need.sh

need_cargo
if ! need tmux; then
  echo 'test.sh: the tests need tmux 3.2 or newer and it could not be installed: install it and run again' >&2
  exit 1
fi
tmux -V
cargo --version

step 'format' cargo fmt --check
if need shellcheck; then
  step 'shell scripts' shellcheck swarm.tmux plugin/*.sh scripts/*.sh .ci/run
elif [ "${CI:-}" = true ]; then
  printf '%s\n' 'shell scripts (no shellcheck)' >>"$logs/failed"
else
  printf '\n== shell scripts: SKIPPED, shellcheck is not installed\n'
fi
# The tests wait most of the time, for terminals and clocks: more of them run at once than there are processors. What was skipped is
# shown once more at the end. `only` holds parts of the names of what is run; everything if it is empty.
export RUST_TEST_THREADS=${RUST_TEST_THREADS:-$((2 * $(getconf _NPROCESSORS_ONLN)))}
only=()
tests() {
  local result=0
  cargo test --locked --no-fail-fast "$@" -- --show-output ${only[@]+"${only[@]}"} 2>&1 | tee "$logs/tests" || result=1
  grep SKIPPED "$logs/tests" | sort -u || :
  return "$result"
}

step 'build' cargo test --locked --no-run
# What only computes goes on beside the tests, and is shown behind them.
{
  step 'lints' nice cargo clippy --all-targets --locked -- -D warnings
  step 'documentation' env RUSTDOCFLAGS=-Dwarnings nice cargo doc --no-deps --locked
} >"$logs/beside" 2>&1 &
beside=$!
step 'tests' tests
# How processes are looked at where there is no /proc, as far as Linux can stand in for such a system.
step 'unit tests without /proc' tests --features portable-process --lib
only=(races:: leases:: messages::)
step 'tests without /proc' tests --features portable-process --test suite
wait "$beside"
cat "$logs/beside"

if [ -e "$logs/failed" ]; then
  printf '\ntest.sh: FAILED:'
  while IFS= read -r name; do printf ' [%s]' "$name"; done <"$logs/failed"
  printf '\n'
  exit 1
fi
printf '\ntest.sh: all checks passed\n'
