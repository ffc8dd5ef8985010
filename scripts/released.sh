#!/usr/bin/env bash
# Builds the programs of the released versions into target/released/VERSION, for the test `versions`. A version is recorded in
# tests/fixtures/stores (scripts/golden.sh); its commit has the tag vVERSION. What is there already is not built again.
set -euo pipefail
cd "$(dirname "${BASH_SOURCE[0]}")/.."
# shellcheck source=scripts/need.sh
. scripts/need.sh
need_cargo
target=${CARGO_TARGET_DIR:-$PWD/target}
units=300

for record in tests/fixtures/stores/*/; do
  version=$(basename "$record")
  place=$target/released/$version
  [ ! -x "$place/swarm" ] || continue
  commit=$(git rev-parse -q --verify "v$version^{commit}") || case $version in
  0.1.0) commit=e8657dd ;; # it was never tagged
  *) commit='' ;;
  esac
  if [ -z "$commit" ] || ! git cat-file -e "$commit^{commit}" 2>/dev/null; then
    echo "released.sh: SKIPPED: the commit of $version is not in this clone (git fetch --unshallow --tags)" >&2
    continue
  fi
  source=$target/released/source-$version
  rm -rf "$source"
  mkdir -p "$source" "$place"
  # With the time of now, so that nothing that was built before passes for newer.
  git archive "$commit" | tar -x -m -C "$source"
  # What both versions need is compiled once: the directory for what lies between is the one of this checkout, and it is built as for
  # a test, with the same features. The package itself gets a profile of its own: cargo takes two checkouts of it for one otherwise.
  units=$((units + 1))
  (
    cd "$source"
    CARGO_TARGET_DIR=$source/target CARGO_BUILD_BUILD_DIR=$target \
      cargo test --locked --quiet --no-run --test layers --config "profile.dev.package.tmux-swarm.codegen-units=$units"
  )
  for name in swarm swarm-msg; do mv "$source/target/debug/$name" "$place/.$name" && mv "$place/.$name" "$place/$name"; done
  rm -rf "$source"
  echo "released.sh: $version is in $place"
done
