#!/usr/bin/env bash
# What the program may be made of (deny.toml: licences, advisories, duplicates, sources), with which Rust it is built at the least, and
# that it compiles for macOS.
# Installs cargo-deny and a toolchain of that version where they are missing. Advisories need their database, which is fetched: without
# a network the others are checked, and that is said, as for the least Rust where there is no rustup.
set -euo pipefail
cd "$(dirname "${BASH_SOURCE[0]}")/.."
# shellcheck source=scripts/need.sh
. scripts/need.sh
need_cargo

# Without optimisation: it runs for a second, and takes minutes to be optimised.
command -v cargo-deny >/dev/null || cargo install cargo-deny --locked --quiet --debug
cargo deny --locked check bans licenses sources
if cargo deny --locked fetch db >/dev/null 2>&1; then
  cargo deny --locked check advisories
else
  echo 'policy.sh: SKIPPED: advisories, whose database cannot be fetched from here' >&2
fi

least=$(sed -n 's/^rust-version = "\(.*\)"/\1/p' Cargo.toml)
has_least() { rustup toolchain list | grep -q "^$least-"; }
if command -v rustup >/dev/null && { has_least || rustup toolchain install "$least" --profile minimal --no-self-update; }; then
  cargo "+$least" check --locked --quiet --lib --bins --target-dir "${CARGO_TARGET_DIR:-target}/least"
  echo "policy.sh: it builds with Rust $least"
else
  echo "policy.sh: SKIPPED: a build with Rust $least, which cannot be installed from here; clippy (incompatible_msrv) and a test look at what can be seen without it" >&2
fi

# A check needs no linker and none of Apple's files.
other=x86_64-apple-darwin
if command -v rustup >/dev/null && rustup target add "$other" >/dev/null 2>&1; then
  cargo check --locked --quiet --bins --target "$other" --target-dir "${CARGO_TARGET_DIR:-target}/other"
  echo "policy.sh: it compiles for $other"
else
  echo "policy.sh: SKIPPED: a check for $other, whose standard library cannot be installed from here" >&2
fi
