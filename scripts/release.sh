#!/usr/bin/env bash
# Makes a release: archives, checksums, signature, bill of materials, notes, and what the plugin may download.
#
#   scripts/release.sh --dry-run         everything that needs no network and no key of yours, in target/dist
#   scripts/release.sh build DIR         the archive of this machine, into DIR
#   scripts/release.sh assemble DIR URL  from the archives in DIR: SHA256SUMS, the notes, and plugin/release, which names URL
#   scripts/release.sh sign DIR KEY      signs SHA256SUMS with a minisign key
#   scripts/release.sh bill DIR          what the program is made of (CycloneDX)
#   scripts/release.sh packages DIR      writes the version and the checksums into packaging/ and flake.nix
#   scripts/release.sh deb DIR           a Debian package, with cargo-deb
#
# An archive is made from the commit, not from the work tree, and is the same bytes wherever the same compiler makes it.
# docs/internal/releasing.md describes the whole way, and .github/workflows/release.yml follows it.
set -euo pipefail
# Names are sorted in the same way everywhere.
export LC_ALL=C
root=$(cd "$(dirname "$0")/.." && pwd)
cd "$root"
# shellcheck source=scripts/need.sh
. "$root/scripts/need.sh"
need_cargo

fail() {
  printf 'release.sh: %s\n' "$*" >&2
  exit 1
}
say() { printf '\n== %s\n' "$*"; }

version=$(sed -n 's/^version = "\(.*\)"/\1/p' Cargo.toml | head -n 1)
epoch=$(git log -1 --format=%ct)
work=$(mktemp -d "${TMPDIR:-/tmp}/swarm-release.XXXXXX")
trap 'rm -rf "$work"' EXIT

# What plugin/install.sh calls this machine.
machine() {
  case $(uname -s) in
  Darwin) echo macos-universal ;;
  *) echo "linux-$(uname -m)" ;;
  esac
}

# Compiles the commit in a directory of its own: compile DIR TARGET, which leaves the two programs in DIR/out.
compile() {
  local dir=$1 target=$2 flags home
  mkdir -p "$dir/source" "$dir/out"
  git archive HEAD | tar -x -C "$dir/source"
  home=${CARGO_HOME:-$HOME/.cargo}
  # No path of this machine in the program.
  flags="--remap-path-prefix=$dir/source=/swarm --remap-path-prefix=$home=/cargo"
  # On Linux: no library of the system's, so one program for every distribution, at a fixed address, so that nothing has to be
  # relocated at each start.
  case $target in *-linux-gnu) flags="$flags -C target-feature=+crt-static -C relocation-model=static" ;; esac
  (
    cd "$dir/source"
    CARGO_INCREMENTAL=0 SOURCE_DATE_EPOCH=$epoch RUSTFLAGS=$flags \
      cargo build --release --locked --quiet --target "$target" --target-dir "$dir/target"
  )
  for name in swarm swarm-msg; do cp "$dir/target/$target/release/$name" "$dir/out/$name"; done
}

# The programs of this machine in DIR/out: of macOS for both processors in one file.
compile_here() {
  local dir=$1 host
  host=$(rustc -vV | sed -n 's/^host: //p')
  case $host in
  *-apple-darwin)
    local name
    for arch in aarch64 x86_64; do compile "$dir/$arch" "$arch-apple-darwin"; done
    mkdir -p "$dir/out"
    for name in swarm swarm-msg; do
      lipo -create -output "$dir/out/$name" "$dir/aarch64/out/$name" "$dir/x86_64/out/$name"
    done
    ;;
  *) compile "$dir" "$host" ;;
  esac
}

# documents PROGRAM DIR: completions and manual pages, as the program writes them.
documents() {
  local shell
  mkdir -p "$2/completions" "$2/man"
  for shell in bash zsh fish; do "$1" completions "$shell" >"$2/completions/swarm.$shell"; done
  "$1" man "$2/man" >/dev/null
}

# pack DIR FILE: the same bytes for the same programs.
pack() {
  local dir=$1 file=$2 tar=tar
  ! command -v gtar >/dev/null || tar=gtar
  cp LICENSE README.md "$dir/out/"
  documents "$dir/out/swarm" "$dir/out"
  # By their plain names: that is what plugin/install.sh takes out.
  (cd "$dir/out" && "$tar" --sort=name --owner=0 --group=0 --numeric-owner --mode=u=rwX,go=rX --mtime="@$epoch" --format=ustar -cf - -- *) |
    gzip -n9 >"$file"
}

build() {
  local dir=$1
  mkdir -p "$dir"
  compile_here "$work/build"
  [ "$("$work/build/out/swarm" --version | sed 's/ (.*//')" = "swarm $version" ] || fail 'the program says another version'
  pack "$work/build" "$dir/swarm-$version-$(machine).tar.gz"
}

sha256() { if command -v sha256sum >/dev/null; then sha256sum "$@"; else shasum -a 256 "$@"; fi; }

# A section of the changelog, without its heading.
notes() { awk -v heading="## $1" '/^## /{on = index($0, heading) == 1; next} on' CHANGELOG.md; }

assemble() {
  local dir=$1 url=$2 section=${3:-$version} file
  mkdir -p "$work/commit"
  git archive HEAD | tar -x -C "$work/commit"
  (cd "$dir" && sha256 swarm-"$version"-*.tar.gz >SHA256SUMS)
  notes "$section" >"$dir/NOTES.md"
  grep -q '[^[:space:]]' "$dir/NOTES.md" || fail "CHANGELOG.md has no section '## $section'"
  {
    sed -n '/^#/p' plugin/release | sed 's/ No release has been made yet\.$//'
    echo "version $version"
    echo "url $url"
    # shellcheck disable=SC2016 # the function is install.sh's
    echo "sources $(cd "$work/commit" && sh -c 'eval "$(grep "^stamp()" plugin/install.sh)"; stamp')"
    for file in "$dir"/swarm-"$version"-*.tar.gz; do
      local name machine
      name=$(basename "$file")
      machine=${name#swarm-"$version"-}
      echo "file ${machine%.tar.gz} $name $(($(wc -c <"$file"))) $(sha256 "$file" | cut -d ' ' -f 1)"
    done
  } >"$dir/release"
}

sign() {
  local dir=$1 key=$2
  command -v minisign >/dev/null || need minisign || fail 'minisign was not found'
  minisign -S -s "$key" -t "swarm $version" -m "$dir/SHA256SUMS" -x "$dir/SHA256SUMS.minisig"
}

# What the program is made of, for those who have to know: CycloneDX, from the lock file.
bill() {
  local dir=$1
  if ! command -v cargo-cyclonedx >/dev/null; then
    echo 'release.sh: SKIPPED: the bill of materials (cargo install cargo-cyclonedx)' >&2
    return
  fi
  # It writes beside the manifest: into a copy, then.
  mkdir -p "$work/bill"
  git archive HEAD | tar -x -C "$work/bill"
  (cd "$work/bill" && SOURCE_DATE_EPOCH=$epoch cargo cyclonedx --quiet --format json --no-build-deps --override-filename bill)
  mv "$work/bill/bill.json" "$dir/swarm-$version.cdx.json"
}

# Brings the files of package managers up to the version. What they download is the source archive of the forge, whose checksum is
# known once the tag is there: SHA256 in DIR/source.sha256, if it is there, else it stays.
packages() {
  local dir=$1 sum=''
  [ ! -r "$dir/source.sha256" ] || sum=$(cut -d ' ' -f 1 "$dir/source.sha256")
  sed -i.bak -e "s/^  version \".*\"/  version \"$version\"/" -e "s#tags/v[^\"]*\.tar\.gz#tags/v$version.tar.gz#" \
    ${sum:+-e "s/^  sha256 \".*\"/  sha256 \"$sum\"/"} packaging/homebrew/swarm.rb
  sed -i.bak -e "s/^pkgver=.*/pkgver=$version/" ${sum:+-e "s/^sha256sums=.*/sha256sums=('$sum')/"} packaging/aur/PKGBUILD
  sed -i.bak -e "s/version = \"[0-9][^\"]*\";/version = \"$version\";/" flake.nix
  rm -f packaging/homebrew/swarm.rb.bak packaging/aur/PKGBUILD.bak flake.nix.bak
}

# A Debian package of the same programs, with manual pages and completions.
deb() {
  local dir=$1 source=$work/deb
  command -v cargo-deb >/dev/null || cargo install cargo-deb --locked --quiet --debug || fail 'cargo-deb cannot be installed'
  [ -d "$work/build/out" ] || compile_here "$work/build"
  mkdir -p "$source"
  git archive HEAD | tar -x -C "$source"
  mkdir -p "$source/target/release" "$source/target/package"
  cp "$work/build/out/swarm" "$work/build/out/swarm-msg" "$source/target/release/"
  documents "$work/build/out/swarm" "$source/target/package"
  (cd "$source" && CARGO_TARGET_DIR=$source/target SOURCE_DATE_EPOCH=$epoch cargo deb --no-build --locked --quiet --compress-system --output "$dir/")
}

dry_run() {
  local dist=$root/target/dist
  rm -rf "$dist"
  mkdir -p "$dist"
  say "an archive of $(machine), from the commit, and the same from another directory: every byte is to be the same"
  local again
  # Side by side: the last step of a build, which takes longest, keeps one processor busy.
  {
    compile_here "$work/again"
    pack "$work/again" "$work/again.tar.gz"
  } &
  again=$!
  build "$dist"
  wait "$again" || fail 'the second build failed'
  ls -l "$dist"
  cmp "$dist/swarm-$version-$(machine).tar.gz" "$work/again.tar.gz" || fail 'two builds of one commit differ'

  say 'checksums, notes, what the plugin may download'
  # Until the version is raised, what has not been released yet stands in for its section.
  assemble "$dist" "file://$dist" "$(grep -q '^## Unreleased' CHANGELOG.md && echo Unreleased || echo "$version")"
  cat "$dist/release"

  say 'a signature, with a key that is made for this and thrown away'
  if command -v minisign >/dev/null || need minisign; then
    minisign -G -f -W -p "$work/key.pub" -s "$work/key" >/dev/null
    sign "$dist" "$work/key"
    minisign -V -q -p "$work/key.pub" -m "$dist/SHA256SUMS" -x "$dist/SHA256SUMS.minisig"
    echo altered >>"$dist/SHA256SUMS"
    ! minisign -V -q -p "$work/key.pub" -m "$dist/SHA256SUMS" -x "$dist/SHA256SUMS.minisig" 2>/dev/null ||
      fail 'an altered list passes for a signed one'
    sed -i.bak '$d' "$dist/SHA256SUMS" && rm "$dist/SHA256SUMS.bak"
  else
    echo 'release.sh: SKIPPED: the signature (minisign cannot be installed)' >&2
  fi

  say 'what it is made of'
  bill "$dist"

  say 'a package for Debian'
  if ! command -v cargo-deb >/dev/null; then
    echo 'release.sh: SKIPPED: the package for Debian (cargo install cargo-deb)' >&2
  elif command -v dpkg-deb >/dev/null; then
    deb "$dist"
    dpkg-deb --contents "$dist"/*.deb | tee "$work/contents"
    for file in usr/bin/swarm-msg usr/share/man/man1/swarm.1.gz bash-completion/completions/swarm plugins/swarm/swarm.tmux; do
      grep -q "$file\$" "$work/contents" || fail "the package does not hold $file"
    done
    dpkg-deb --field "$dist"/*.deb Version Depends
  else
    echo 'release.sh: SKIPPED: the package for Debian (there is no dpkg-deb)' >&2
  fi

  say 'installed as the plugin does, in a fresh checkout, without cargo'
  git clone -q "$root" "$work/checkout"
  cp "$dist/release" "$work/checkout/plugin/release"
  env -i HOME="$work" PATH=/usr/local/bin:/usr/bin:/bin "$work/checkout/plugin/install.sh" download
  "$work/checkout/bin/swarm" --version
  "$work/checkout/bin/swarm-msg" --version
  # An error looks at the stack if RUST_BACKTRACE is set, which must not end the program.
  local result=0
  (cd "$work" && HOME=$work RUST_BACKTRACE=1 "$work/checkout/bin/swarm" show nothing-there) || result=$?
  if [ "$result" = 0 ] || [ "$result" -gt 100 ]; then fail "an error ends with $result"; fi

  say 'as somebody with TPM and without cargo gets it'
  scripts/fresh.sh "$dist"
  ls -l "$dist"
  printf '\nrelease.sh: the dry run of %s is complete\n' "$version"
}

case ${1:-} in
--dry-run) dry_run ;;
build) build "$(mkdir -p "${2:?a directory}" && cd "$2" && pwd)" ;;
assemble) assemble "$(cd "${2:?a directory}" && pwd)" "${3:?the address of the archives}" ;;
sign) sign "$(cd "${2:?a directory}" && pwd)" "${3:?a key}" ;;
packages) packages "$(cd "${2:?a directory}" && pwd)" ;;
deb) deb "$(mkdir -p "${2:?a directory}" && cd "$2" && pwd)" ;;
bill) bill "$(cd "${2:?a directory}" && pwd)" ;;
*)
  sed -n '2,13p' "$0" | sed 's/^# \{0,1\}//'
  exit 2
  ;;
esac
