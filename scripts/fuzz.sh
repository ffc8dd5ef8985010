#!/usr/bin/env bash
# Fuzzes every parser that reads what somebody else wrote, guided by coverage, for some seconds each:
# scripts/fuzz.sh [SECONDS] [TARGET...]. `cargo test --test fuzz` tries the same targets without any of this.
#
# It needs cargo-fuzz; with CI=true it installs it, otherwise it says so and ends well. The address sanitizer and the
# coverage are unstable flags of the compiler: a nightly toolchain is used where there is one (or the one that TOOLCHAIN
# names), else the stable one with RUSTC_BOOTSTRAP=1, which lets it take these flags all the same. Nothing that is built
# here is part of the program.
set -euo pipefail
cd "$(dirname "${BASH_SOURCE[0]}")/.."
seconds=${1:-30}
[ "$#" -eq 0 ] || shift

targets='records frame hook profile tmux coord settings journal'
if [ "$#" -eq 0 ]; then
  # shellcheck disable=SC2086 # one word a target
  set -- $targets
fi

skip() {
  echo "fuzz.sh: SKIPPED: $*" >&2
  if [ "${CI:-}" = true ]; then exit 1; fi
  exit 0
}
command -v cargo >/dev/null || skip 'cargo was not found'
toolchain=${TOOLCHAIN:-}
if [ -z "$toolchain" ] && command -v rustup >/dev/null; then
  toolchain=$(rustup toolchain list | awk '/^nightly/ { print $1; exit }')
fi
case $toolchain in nightly*) ;; *) export RUSTC_BOOTSTRAP=1 ;; esac
if ! command -v cargo-fuzz >/dev/null; then
  [ "${CI:-}" = true ] || skip 'no cargo-fuzz: cargo install cargo-fuzz --locked'
  RUSTC_BOOTSTRAP='' cargo install cargo-fuzz --locked --debug || skip 'cargo-fuzz could not be installed'
fi
cargo ${toolchain:+"+$toolchain"} --version

for target in "$@"; do
  printf '\n== %s, %s s\n' "$target" "$seconds"
  # A screen is bounded by its pane; what else is read may be long.
  case $target in tmux) length=16384 ;; *) length=65536 ;; esac
  # New finds go to a directory that is not kept; the corpus in the repository is made by hand.
  mkdir -p "fuzz/target/corpus/$target"
  if ! cargo ${toolchain:+"+$toolchain"} fuzz run "$target" "fuzz/target/corpus/$target" "fuzz/corpus/$target" -- \
    -max_total_time="$seconds" -max_len="$length" -dict=fuzz/tokens.dict -timeout=20 -print_final_stats=1 \
    >"fuzz/target/$target.log" 2>&1; then
    tail -n 40 "fuzz/target/$target.log" >&2
    echo "fuzz.sh: FAILED: $target; an input that does it may be in fuzz/artifacts/$target" >&2
    exit 1
  fi
  grep '^Done' "fuzz/target/$target.log"
done
printf '\nfuzz.sh: nothing was found\n'
