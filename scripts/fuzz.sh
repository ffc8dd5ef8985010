#!/usr/bin/env bash
# Fuzzes every parser that reads what somebody else wrote, for some seconds each: scripts/fuzz.sh [SECONDS] [TARGET...]
# It needs a nightly toolchain and cargo-fuzz; without them it says so and ends well, unless CI=true.
set -euo pipefail
cd "$(dirname "${BASH_SOURCE[0]}")/.."
seconds=${1:-30}
[ "$#" -eq 0 ] || shift

skip() {
  echo "fuzz.sh: SKIPPED: $*" >&2
  if [ "${CI:-}" = true ]; then exit 1; fi
  exit 0
}
command -v rustup >/dev/null || skip 'rustup was not found; a nightly toolchain is needed'
nightly=$(rustup toolchain list | awk '/^nightly/ { print $1; exit }')
[ -n "$nightly" ] || skip 'no nightly toolchain: rustup toolchain install nightly'
command -v cargo-fuzz >/dev/null || skip 'no cargo-fuzz: cargo install cargo-fuzz --locked'

[ "$#" -gt 0 ] || set -- records frame hook profile tmux coord settings
for target in "$@"; do
  printf '\n== %s, %s s\n' "$target" "$seconds"
  # New finds go to a directory that is not kept; the corpus in the repository is made by hand.
  mkdir -p "fuzz/target/corpus/$target"
  if ! cargo "+$nightly" fuzz run "$target" "fuzz/target/corpus/$target" "fuzz/corpus/$target" -- \
    -max_total_time="$seconds" -max_len=65536 -print_final_stats=1 >"fuzz/target/$target.log" 2>&1; then
    tail -n 40 "fuzz/target/$target.log" >&2
    echo "fuzz.sh: FAILED: $target; an input that does it may be in fuzz/artifacts/$target" >&2
    exit 1
  fi
  grep '^Done' "fuzz/target/$target.log"
done
printf '\nfuzz.sh: nothing was found\n'
