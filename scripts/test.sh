#!/usr/bin/env bash
# Everything that must hold, in one command, on a fresh machine with a Rust toolchain: installs tmux and shellcheck
# where they are missing, then checks format, lints, shell scripts, tests and documentation. All steps run even if
# one fails; the last line sums up. With CI=true a tool that cannot be had is a failure, not a notice.
set -euo pipefail
cd "$(dirname "${BASH_SOURCE[0]}")/.."

failed=()

step() {
  local name=$1
  shift
  printf '\n== %s\n' "$name"
  "$@" || failed+=("$name")
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
step 'lints' cargo clippy --all-targets --locked -- -D warnings
if need shellcheck; then
  step 'shell scripts' shellcheck swarm.tmux plugin/*.sh scripts/*.sh .ci/run
elif [ "${CI:-}" = true ]; then
  failed+=('shell scripts (no shellcheck)')
else
  printf '\n== shell scripts: SKIPPED, shellcheck is not installed\n'
fi
step 'tests' cargo test --locked --no-fail-fast
# How processes are looked at where there is no /proc, as far as Linux can stand in for such a system.
step 'tests without /proc' cargo test --locked --no-fail-fast --features portable-process --lib --test races --test leases --test messages
step 'documentation' env RUSTDOCFLAGS=-Dwarnings cargo doc --no-deps --locked

if [ "${#failed[@]}" -gt 0 ]; then
  printf '\ntest.sh: FAILED:'
  printf ' [%s]' "${failed[@]}"
  printf '\n'
  exit 1
fi
printf '\ntest.sh: all checks passed\n'
