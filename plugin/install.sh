#!/bin/sh
# Puts the program into bin/: the prebuilt one of this release where there is one for this machine, else one that is built from
# this checkout. One installation at a time, whole files only (the old program serves until the rename), and a plain reason when
# it cannot be done. Run from the popup, by background.sh, or by hand:
#
#   install.sh [--once] [--team] [auto|download|build]
#
# With --team, or where a project of this user is in a team over several hosts, swarm-link is built, too: no prebuilt one is offered.
#
# auto downloads if it can and builds otherwise; download never builds; build never downloads. bin/.stamp holds a checksum of the
# sources that were installed; while they are the same nothing is done. bin/.failed holds that of sources that could not be
# installed: with --once they are not tried again. Exit codes: 0 installed or up to date, 1 not installed, 4 another
# installation is running.

root=$(CDPATH='' cd -- "$(dirname -- "$0")/.." && pwd -P) || exit 1
cd "$root" || exit 1
# tmux's PATH is often poorer than the shell's.
PATH=$PATH:${CARGO_HOME:-$HOME/.cargo}/bin:/opt/homebrew/bin:/usr/local/bin
export PATH
log=${XDG_STATE_HOME:-$HOME/.local/state}/swarm/build.log
# How long a download may take, in seconds.
patience=${SWARM_DOWNLOAD_TIMEOUT:-120}
lock=$root/bin/.building
once=no mode=auto team=no
for word in "$@"; do
  case $word in
  --once) once=yes ;;
  --team) team=yes ;;
  auto | download | build) mode=$word ;;
  *)
    echo "swarm: install.sh does not know '$word': use --once, --team, auto, download or build" >&2
    exit 2
    ;;
  esac
done

for joined in "${XDG_STATE_HOME:-$HOME/.local/state}"/swarm/*/team.json; do
  [ ! -e "$joined" ] || team=yes
done

fail() {
  printf 'swarm: %s\n' "$@" >&2
  exit "${code:-1}"
}

case $patience in *[!0-9]*) fail "SWARM_DOWNLOAD_TIMEOUT is a number of seconds, not '$patience'" ;; esac

# An attempt that began and failed: remembered with the reason.
failed() {
  printf '%s\n%s\n' "$now" "$1" >bin/.failed
  fail "$1"
}

stamp() { find src Cargo.toml Cargo.lock -type f -exec cksum {} + | LC_ALL=C sort -k 3 | cksum; }

# The lock is a symbolic link that names its owner's pid: made in one step on every system, without flock(1).
# Only the holder of a second, momentary one may clear away what a killed process left.
take() {
  ln -s "$$" "$lock" 2>/dev/null && return
  owner=$(readlink "$lock") || fail "cannot write in $root/bin" "build elsewhere and name it: set -g @swarm-bin PATH"
  if kill -0 "$owner" 2>/dev/null || ! mkdir "$lock.clear" 2>/dev/null; then
    code=4
    fail "another build is running (process $owner); if that is not so, remove $lock and $lock.clear"
  fi
  [ "$(readlink "$lock")" = "$owner" ] && rm -f "$lock"
  ln -s "$$" "$lock" 2>/dev/null
  taken=$?
  rmdir "$lock.clear"
  [ "$taken" -eq 0 ] || { code=4 && fail 'another build has just begun'; }
}

is_current() {
  [ "$team" = no ] || [ -x bin/swarm-link ] || return 1
  [ -x bin/swarm ] && [ -x bin/swarm-msg ] && [ "$(cat bin/.stamp 2>/dev/null)" = "$now" ]
}
current() {
  echo 'swarm: the program is up to date'
  exit 0
}

# Moves the programs of a directory into bin/, the stamp last.
publish() {
  for name in swarm swarm-msg $([ "$team" = no ] || echo swarm-link); do
    { cp "$1/$name" "bin/.new.$name" && chmod 755 "bin/.new.$name" && mv -f "bin/.new.$name" "bin/$name"; } || return 1
  done
  printf '%s\n' "$now" >bin/.new.stamp && mv -f bin/.new.stamp bin/.stamp
  rm -f bin/.failed
}

# What this machine is called in plugin/release.
platform() {
  case $(uname -s) in
  Linux) echo "linux-$(uname -m | sed 's/^arm64$/aarch64/;s/^amd64$/x86_64/')" ;;
  Darwin) echo macos-universal ;;
  *) echo unknown ;;
  esac
}

# Reads plugin/release into $version, $url, $file, $size and $sum. False if it is of other sources, as in a checkout between two
# releases, or has nothing for this machine.
find_prebuilt() {
  version='' url='' sources='' file='' size='' sum=''
  machine=$(platform)
  [ -r plugin/release ] || return 1
  while read -r key a b c d; do
    case $key in
    version) version=$a ;;
    url) url=$a ;;
    sources) sources="$a $b" ;;
    file) [ "$a" != "$machine" ] || { file=$b size=$c sum=$d; } ;;
    esac
  done <plugin/release
  [ "$sources" = "$now" ] && [ -n "$version" ] && [ -n "$url" ] && [ -n "$sum" ]
}

# fetch URL FILE: within the time, no more than was announced. A proxy is taken from the environment, as curl and wget do.
fetch() {
  # Whatever sends more is ended by the system, and not by what it says of itself.
  ulimit -f "$((size / 512 + 1))"
  case $1 in
  file://*) cp "${1#file://}" "$2" 2>&1 ;;
  *)
    if command -v curl >/dev/null; then
      curl --fail --location --silent --show-error --connect-timeout 10 --max-time "$patience" \
        --speed-limit 1000 --speed-time 20 --max-filesize "$size" -o "$2" "$1" 2>&1
    elif command -v wget >/dev/null; then
      # No option of wget bounds the whole.
      limit=''
      ! command -v timeout >/dev/null || limit="timeout $patience"
      $limit wget -q -t 1 -T 15 -O "$2" "$1" 2>&1 || { echo "wget could not get $1" && false; }
    else
      echo 'neither curl nor wget was found'
      false
    fi
    ;;
  esac
}

# progress FILE MARK: says each second how much of a file is there, until the mark is gone, or this script, however that ends. A shell that
# has just been forked can miss the signal to end.
progress() {
  while sleep 1 >/dev/null 2>&1 && [ -e "$2" ] && kill -0 "$$" 2>/dev/null; do
    echo "swarm: downloaded $(($(wc -c <"$1") * 100 / size)) %" | tee -a "$log"
  done
}

sha256() {
  if command -v sha256sum >/dev/null; then
    sha256sum "$1"
  elif command -v shasum >/dev/null; then
    shasum -a 256 "$1"
  elif command -v openssl >/dev/null; then
    openssl dgst -sha256 -r "$1"
  fi | cut -d ' ' -f 1
}

# Downloads the prebuilt program. What does not match the checksum in this checkout is never unpacked nor run. Says in $why what
# went wrong.
download() {
  why=''
  new=bin/.new.prebuilt
  rm -rf "$new"
  mkdir "$new" || { why="cannot write in $root/bin" && return 1; }
  : >"$new/archive"
  : >"$new/loading"
  progress "$new/archive" "$new/loading" &
  watch=$!
  said=$(fetch "$url/$file" "$new/archive")
  got=$?
  rm -f "$new/loading"
  { kill "$watch" && wait "$watch"; } 2>/dev/null
  if [ "$got" -ne 0 ]; then
    said=$(printf '%s' "$said" | tail -n 1)
    why="the download failed: ${said:-it was ended (code $got)}"
  elif ! got=$(wc -c <"$new/archive") || [ "$((got))" -ne "$size" ]; then
    why="the download has $((got)) bytes instead of $size"
  elif real=$(sha256 "$new/archive") && [ -z "$real" ]; then
    why='no program here computes a SHA-256 checksum (sha256sum, shasum or openssl)'
  elif [ "$real" != "$sum" ]; then
    why="the download of $file does not match the checksum in plugin/release: it was not used"
  elif ! tar -xzf "$new/archive" -C "$new" swarm swarm-msg 2>>"$log" || [ -L "$new/swarm" ] || [ -L "$new/swarm-msg" ]; then
    why="$file does not hold the two programs"
  elif ! said=$("$new/swarm" --version 2>&1 </dev/null); then
    why="the prebuilt program does not run here: $(printf '%s' "$said" | tail -n 1)"
  elif [ "${said% (*}" != "swarm $version" ]; then
    why="the prebuilt program says that it is '$said', not swarm $version"
  elif ! publish "$new"; then
    why="cannot write in $root/bin"
  fi
  rm -rf "$new"
  [ -z "$why" ]
}

# Taken before anything else: sources that change meanwhile count as not installed.
now=$(stamp)
! is_current || current
if ! mkdir -p bin 2>/dev/null || ! [ -w bin ]; then
  fail "$root cannot be written" 'build a copy elsewhere and name its program: set -g @swarm-bin /full/path/to/swarm'
fi
take
trap 'rm -f "$lock"; rm -rf bin/.new.*' EXIT
trap 'exit 130' HUP INT TERM
# Somebody else may have installed it between the look and the lock.
! is_current || current

if [ "$once" = yes ] && [ "$(sed -n 1p bin/.failed 2>/dev/null)" = "$now" ]; then
  fail "$(sed -n 2p bin/.failed)"
fi
{ mkdir -p "$(dirname "$log")" && : >"$log"; } || fail "cannot write the log $log"

# No prebuilt swarm-link is offered. Without cargo the other two are better than nothing.
if [ "$team" = yes ] && ! command -v cargo >/dev/null; then
  team=no
  echo 'swarm: swarm-link has to be built, and cargo was not found: a team over several hosts cannot be reached' | tee -a "$log"
fi
if [ "$mode" != build ] && [ "$team" = no ] && find_prebuilt; then
  echo "swarm: downloading swarm $version for $machine ($((size / 1000)) kB)" | tee -a "$log"
  if download; then
    echo 'swarm: installed in bin/'
    exit 0
  fi
  echo "swarm: $why" | tee -a "$log"
  [ "$mode" != download ] || failed "$why"
elif [ "$mode" = download ]; then
  failed "there is no prebuilt program of this checkout for $(platform); build it: set -g @swarm-install build"
fi

need=$(sed -n 's/^rust-version = "\(.*\)"/\1/p' Cargo.toml)
command -v cargo >/dev/null ||
  fail "cargo was not found: install Rust $need or newer (https://rustup.rs), then try again"
have=$(cargo --version 2>/dev/null | sed -n 's/^cargo \([0-9]*\.[0-9]*\).*/\1/p')
[ -n "$have" ] || fail 'cargo does not start:' "$(cargo --version 2>&1)"
if [ "${have%%.*}" -lt "${need%%.*}" ] ||
  { [ "${have%%.*}" -eq "${need%%.*}" ] && [ "${have#*.}" -lt "${need#*.}" ]; }; then
  fail "cargo $have is too old, $need is needed: rustup update, or https://rustup.rs beside your system's"
fi
if ! mkdir -p target 2>/dev/null || ! [ -w target ]; then
  fail "$root cannot be written" 'build a copy elsewhere and name its program: set -g @swarm-bin /full/path/to/swarm'
fi
echo "swarm: building (log: $log)"

# The target directory is named so that a setting of the user's cargo does not move it. tee hides the exit code.
build() {
  {
    [ "$team" = no ] || set -- --features team "$@"
    cargo build --release --locked --target-dir target "$@" 2>&1
    echo "$?" >bin/.new.code
  } | tee -a "$log"
  [ "$(cat bin/.new.code)" = 0 ]
}
if ! build; then
  grep -Eiq 'failed to (download|fetch|get)|could not resolve|network|timed out|spurious' "$log" ||
    failed "the build failed; the log is $log"
  echo 'swarm: no network: trying with what cargo has already'
  build --offline || fail "the build needs the network once; the log is $log"
fi
publish target/release || fail "cargo left no target/release/swarm (does your cargo configuration set build.target?)"
echo 'swarm: installed in bin/'
