#!/usr/bin/env bash
# What a team over several hosts costs in time, memory and bytes, at round trips of 0, 20 and 80 ms. Prints Markdown; judges only that everything
# was granted and has arrived.
#
#   scripts/bench-team.sh [ROUNDS]     default 100 a row; about 5 minutes on two idle cores, after the build
#
# Three hosts on this machine, with a PostgreSQL of their own; two of them reach it through a switch that delays (tests/support/switch.rs).
# BENCH_PROGRAMS=DIR takes the programs there instead of building those of a release.
set -euo pipefail
cd "$(dirname "${BASH_SOURCE[0]}")/.."
rounds=${1:-100}
work=$(mktemp -d /tmp/swarm-bench-team.XXXXXX)
trap 'rm -rf "$work"' EXIT
mkdir -p "$work/bin" "$work/state"
target=${CARGO_TARGET_DIR:-$PWD/target}

programs=${BENCH_PROGRAMS:-}
if [ -z "$programs" ]; then
  cargo build --release --locked --quiet --features team --bin swarm --bin swarm-msg --bin swarm-link
  programs=$target/release
fi
# Copied before the tests are built: cargo may leave programs with the crash points of the tests in their place.
for name in swarm swarm-msg swarm-link; do
  cp "$programs/$name" "$work/bin/"
  printf '%s: %s bytes\n' "$name" "$(wc -c <"$work/bin/$name")"
done
echo
SWARM_NEED_TEAM=1 SWARM_TEST_PROGRAMS="$work/bin" XDG_STATE_HOME="$work/state" SWARM_TEST_TRIALS="$rounds" \
  cargo test --locked --quiet --test suite -- --ignored --exact --nocapture team::figures::figures_of_a_team
