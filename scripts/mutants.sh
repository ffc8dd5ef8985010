#!/usr/bin/env bash
# Changes one thing after the other in src/core and asks whether a unit test of the core notices.
#
#   scripts/mutants.sh [ARGUMENT...]    arguments are for `cargo mutants`: -f 'src/core/lease/**', -j 2, --shard 0/4, --list
#
# This is done in a crate of its own, of src/core and what that needs: the core knows no other layer, so trying a change costs
# a few seconds instead of a build of everything. Survivors are in target/mutants/mutants.out/missed.txt; docs/internal/mutants.md
# explains those that are known. Needs cargo-mutants; without it it says so and ends well, unless CI=true.
set -euo pipefail
cd "$(dirname "${BASH_SOURCE[0]}")/.."

if ! command -v cargo-mutants >/dev/null; then
  echo 'mutants.sh: SKIPPED: no cargo-mutants: cargo install cargo-mutants --locked' >&2
  if [ "${CI:-}" = true ]; then exit 1; fi
  exit 0
fi

crate=${CARGO_TARGET_DIR:-target}/mutants
unset CARGO_TARGET_DIR # each job of cargo mutants builds in a directory of its own
rm -rf "$crate/src"
mkdir -p "$crate/src"
cp -R src/core "$crate/src/core"
echo 'pub mod core;' >"$crate/src/lib.rs"

# The dependencies that src/core names, as they are in Cargo.toml, and in the versions of Cargo.lock.
dependencies() {
  local line name
  awk '/^\[/ { here = $0 == "[dependencies]"; next } here && NF' Cargo.toml | while IFS= read -r line; do
    name=${line%% *}
    if grep -rqE "(^|[^a-z0-9_])${name//-/_}::" src/core; then printf '%s\n' "$line"; fi
  done
}
cat >"$crate/Cargo.toml" <<END
[package]
$(grep -m 3 -E '^(name|version|edition) = ' Cargo.toml)

[lib]
name = "swarm"
doctest = false # and so no build of the library but that for its tests

[workspace]

[dependencies]
$(dependencies)

[profile.dev]
debug = false

[profile.dev.package."*"]
opt-level = 1
END
cp Cargo.lock "$crate/"
cd "$crate"
# Takes what is not needed here out of Cargo.lock and changes nothing else.
cargo metadata --format-version 1 --offline >/dev/null 2>&1 || cargo metadata --format-version 1 >/dev/null

export CARGO_INCREMENTAL=1
if command -v mold >/dev/null; then export RUSTFLAGS="${RUSTFLAGS:-} -Clink-arg=-fuse-ld=mold"; fi
ulimit -v 8000000 2>/dev/null || true # a change may make a loop that allocates for ever
exec cargo mutants --gitignore false --cap-lints true --minimum-test-timeout 20 --cargo-arg=--locked "$@"
