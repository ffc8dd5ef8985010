#!/bin/sh
# Builds the program from this checkout and installs it in bin/: one build at a time, whole files only (the old
# program serves until the rename), and a plain reason when it cannot be done. Run from the popup or by hand.
# bin/.stamp holds a checksum of the sources that were built; while they are the same nothing is done. bin/.failed holds that
# of sources that could not be built: with --once they are not tried again. Exit codes: 0 built or up to date, 1 not built, 4
# another build is running.

root=$(CDPATH='' cd -- "$(dirname -- "$0")/.." && pwd -P) || exit 1
cd "$root" || exit 1
# tmux's PATH is often poorer than the shell's.
PATH=$PATH:${CARGO_HOME:-$HOME/.cargo}/bin:/opt/homebrew/bin:/usr/local/bin
export PATH
log=${XDG_STATE_HOME:-$HOME/.local/state}/swarm/build.log
lock=$root/bin/.building

fail() {
  printf 'swarm: %s\n' "$@" >&2
  exit "${code:-1}"
}

# A build that began and failed: remembered with the reason.
failed() {
  printf '%s\n%s\n' "$now" "$1" >bin/.failed
  fail "$1"
}

stamp() { find src Cargo.toml Cargo.lock -type f -exec cksum {} + | LC_ALL=C sort -k 3 | cksum; }

# The lock is a symbolic link that names its owner's pid: made in one step on every system, without flock(1).
# Only the holder of a second, momentary one may clear away what a killed build left.
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

is_current() { [ -x bin/swarm ] && [ -x bin/swarm-msg ] && [ "$(cat bin/.stamp 2>/dev/null)" = "$now" ]; }
current() {
  echo 'swarm: the program is up to date'
  exit 0
}

# Taken before the build: sources that change meanwhile count as not built.
now=$(stamp)
! is_current || current
need=$(sed -n 's/^rust-version = "\(.*\)"/\1/p' Cargo.toml)
command -v cargo >/dev/null ||
  fail "cargo was not found: install Rust $need or newer (https://rustup.rs), then try again"
have=$(cargo --version 2>/dev/null | sed -n 's/^cargo \([0-9]*\.[0-9]*\).*/\1/p')
[ -n "$have" ] || fail 'cargo does not start:' "$(cargo --version 2>&1)"
if [ "${have%%.*}" -lt "${need%%.*}" ] ||
  { [ "${have%%.*}" -eq "${need%%.*}" ] && [ "${have#*.}" -lt "${need#*.}" ]; }; then
  fail "cargo $have is too old, $need is needed: rustup update, or https://rustup.rs beside your system's"
fi
if ! mkdir -p bin target 2>/dev/null || ! [ -w bin ] || ! [ -w target ]; then
  fail "$root cannot be written" 'build a copy elsewhere and name its program: set -g @swarm-bin /full/path/to/swarm'
fi
take
trap 'rm -f "$lock" bin/.new.*' EXIT
trap 'exit 130' HUP INT TERM
# Somebody else may have built it between the look and the lock.
! is_current || current

if [ "${1-}" = --once ] && [ "$(sed -n 1p bin/.failed 2>/dev/null)" = "$now" ]; then
  fail "$(sed -n 2p bin/.failed)"
fi
{ mkdir -p "$(dirname "$log")" && : >"$log"; } || fail "cannot write the log $log"
echo "swarm: building (log: $log)"

# The target directory is named so that a setting of the user's cargo does not move it. tee hides the exit code.
build() {
  {
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
for name in swarm swarm-msg; do
  { cp "target/release/$name" "bin/.new.$name" && mv -f "bin/.new.$name" "bin/$name"; } ||
    fail "cargo left no target/release/$name (does your cargo configuration set build.target?)"
done
printf '%s\n' "$now" >bin/.new.stamp && mv -f bin/.new.stamp bin/.stamp
rm -f bin/.failed
echo 'swarm: installed in bin/'
