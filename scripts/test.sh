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
# programs NAME ARG...: builds the tests that cargo builds for these arguments, and lists their programs in $logs/NAME.
programs() {
  local name=$1
  shift
  cargo test --locked --no-run "$@"
  cargo test --locked --no-run --quiet --message-format=json "$@" |
    sed -n 's/.*"profile":{[^}]*"test":true}.*"executable":"\([^"]*\)".*/\1/p' >"$logs/$name"
  [ -s "$logs/$name" ]
}

# run_one PROGRAM: its output into a file, and one line here as soon as it ends.
run_one() {
  local name=${1##*/} begun=$SECONDS result=ok
  "$1" --show-output >"$logs/$name.log" 2>&1 </dev/null || result=FAILED
  printf '%s %s, %s s\n' "$result" "${name%-*}" "$((SECONDS - begun))"
  [ "$result" = ok ]
}

# Runs what is listed in $logs/NAME. The programs wait most of the time, for terminals and clocks: more of them run at once than
# there are processors. What they have printed is shown behind them, and what was skipped once more at the end.
run_all() {
  local list=$logs/$1 jobs program result=0
  jobs=${SWARM_TEST_JOBS:-$(($(getconf _NPROCESSORS_ONLN) + 1))}
  export -f run_one
  export logs
  # shellcheck disable=SC2016 # the shell that is started expands it
  xargs -P "$jobs" -I '{}' bash -c 'run_one "$1"' _ '{}' <"$list" || result=1
  while IFS= read -r program; do
    printf '\n     Running %s\n' "${program##*/}"
    cat "$logs/${program##*/}.log"
  done <"$list"
  grep -h SKIPPED "$logs"/*.log | sort -u || :
  return "$result"
}

step 'build' programs all
# What only computes goes on beside the tests, and is shown behind them.
{
  step 'lints' nice cargo clippy --all-targets --locked -- -D warnings
  step 'documentation' env RUSTDOCFLAGS=-Dwarnings nice cargo doc --no-deps --locked
} >"$logs/beside" 2>&1 &
beside=$!
step 'tests' run_all all
# How processes are looked at where there is no /proc, as far as Linux can stand in for such a system. It is built when the others
# are through: both have their program in one place.
step 'build without /proc' programs portable --features portable-process --lib --test races --test leases --test messages
step 'tests without /proc' run_all portable
wait "$beside"
cat "$logs/beside"

if [ -e "$logs/failed" ]; then
  printf '\ntest.sh: FAILED:'
  while IFS= read -r name; do printf ' [%s]' "$name"; done <"$logs/failed"
  printf '\n'
  exit 1
fi
printf '\ntest.sh: all checks passed\n'
