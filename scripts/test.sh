#!/usr/bin/env bash
# Everything that must hold, in one command, on a fresh machine with a Rust toolchain: installs tmux and shellcheck
# where they are missing, then checks format, lints, shell scripts, tests and documentation. All steps run even if
# one fails; the last line sums up. With CI=true a tool that cannot be had is a failure, not a notice.
#
#   scripts/test.sh [STEP...]   some of them: format lints shell tests portable docs
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

need_tmux() {
  need tmux || { echo 'test.sh: the tests need tmux 3.2 or newer and it could not be installed: install it and run again' >&2 && exit 1; }
  tmux -V
}

need_cargo
cargo --version

[ "$#" -gt 0 ] || set -- format lints shell tests portable docs
for name in "$@"; do
  case $name in
  format) step 'format' cargo fmt --check ;;
  lints) step 'lints' cargo clippy --all-targets --locked -- -D warnings ;;
  shell)
    if need shellcheck; then
      step 'shell scripts' shellcheck swarm.tmux plugin/*.sh scripts/*.sh .ci/run
    elif [ "${CI:-}" = true ]; then
      failed+=('shell scripts (no shellcheck)')
    else
      printf '\n== shell scripts: SKIPPED, shellcheck is not installed\n'
    fi
    ;;
  tests)
    need_tmux
    step 'tests' cargo test --locked --no-fail-fast
    ;;
  portable)
    need_tmux
    # How processes are looked at where there is no /proc, as far as Linux can stand in for such a system.
    step 'tests without /proc' cargo test --locked --no-fail-fast --features portable-process --lib --test races --test leases --test messages
    ;;
  docs) step 'documentation' env RUSTDOCFLAGS=-Dwarnings cargo doc --no-deps --locked ;;
  *)
    echo "test.sh: there is no step '$name': format lints shell tests portable docs" >&2
    exit 2
    ;;
  esac
done

if [ "${#failed[@]}" -gt 0 ]; then
  printf '\ntest.sh: FAILED:'
  printf ' [%s]' "${failed[@]}"
  printf '\n'
  exit 1
fi
printf '\ntest.sh: all checks passed\n'
