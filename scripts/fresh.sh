#!/usr/bin/env bash
# The way of somebody who has no Rust, timed: TPM clones the plugin from a repository on this machine, the plugin downloads the program
# from a server on this machine, and `swarm agents` lists an agent. Then the same with an altered archive, which must be refused.
#
#   scripts/fresh.sh DIST [SECONDS]   DIST is what scripts/release.sh --dry-run left; more than SECONDS (15) is a failure
#
# A home and an environment of its own, and no cargo. It needs tmux, git, TPM (Debian: tmux-plugin-manager) and python3.
set -euo pipefail
root=$(cd "$(dirname "$0")/.." && pwd)
dist=$(cd "${1:?a directory with a release}" && pwd)
limit=${2:-15}
tpm=/usr/share/tmux-plugin-manager

for tool in tmux git python3; do
  command -v "$tool" >/dev/null || { echo "fresh.sh: SKIPPED: $tool is not installed" >&2 && exit 0; }
done
[ -x "$tpm/tpm" ] || { echo 'fresh.sh: SKIPPED: TPM is not installed (Debian: tmux-plugin-manager)' >&2 && exit 0; }

# Short: a tmux socket's path must fit in about 100 bytes.
work=$(mktemp -d /tmp/swarm-fresh.XXXXXX)
server=''
clean() { env -i HOME="$home" PATH="$home/bin:/usr/local/bin:/usr/bin:/bin" SHELL=/bin/sh TERM=xterm-256color LANG=C.UTF-8 TMUX_TMPDIR="$home" "$@"; }
t() { clean tmux -L fresh -f "$home/.tmux.conf" "$@"; }
cleanup() {
  for home in "$work"/good "$work"/altered; do t kill-server 2>/dev/null || true; done
  [ -z "$server" ] || kill "$server" 2>/dev/null || true
  rm -rf "$work"
}
trap cleanup EXIT
fail() {
  printf 'fresh.sh: FAILED: %s\n' "$*" >&2
  tail -n 20 "$home/.local/state/swarm/build.log" >&2 || true
  exit 1
}
# Milliseconds.
now() { python3 -c 'import time; print(int(time.time() * 1000))'; }
# await SECONDS COMMAND...
await() {
  local end=$((SECONDS + $1))
  shift
  until "$@" >/dev/null 2>&1; do
    [ "$SECONDS" -lt "$end" ] || return 1
    sleep 0.1
  done
}

mkdir "$work/served"
cp "$dist"/*.tar.gz "$work/served/"
python3 -u -m http.server --bind 127.0.0.1 --directory "$work/served" 0 >"$work/server.log" 2>&1 &
server=$!
await 20 grep -q 'port [0-9]' "$work/server.log" || { home=$work && fail 'the server did not start'; }
port=$(sed -n 's/.* port \([0-9]*\) .*/\1/p' "$work/server.log" | head -n 1)

# The repository of the release: this commit, and what may be downloaded.
git clone -q "$root" "$work/release"
sed "s#^url .*#url http://127.0.0.1:$port#" "$dist/release" >"$work/release/plugin/release"
git -C "$work/release" -c user.name=x -c user.email=x@localhost commit -q -a -m 'Name the archives'
git clone -q --bare "$work/release" "$work/tmux-swarm.git"

# A person with TPM in the usual place, who has just written the plugin's line and started tmux.
person() {
  home=$1
  mkdir -p "$home/.tmux/plugins" "$home/bin" "$home/project"
  cp -r "$tpm" "$home/.tmux/plugins/tpm"
  printf "set -g @plugin 'file://%s'\nset -g @swarm-install %s\nrun '~/.tmux/plugins/tpm/tpm'\n" \
    "$work/tmux-swarm.git" "$2" >"$home/.tmux.conf"
  # A program of an agent's name is an agent.
  cp "$(command -v sleep)" "$home/bin/claude"
  t new-session -d -x 160 -y 48 -c "$home/project" 'claude 600'
  await 20 t list-keys -T prefix I || fail 'TPM did not start'
  plugin=$home/.tmux/plugins/tmux-swarm
}

# What prefix I does.
install_plugins() {
  local own=$home/.tmux/plugins/tpm
  t run-shell "$own/bin/install_plugins >/dev/null 2>&1; $own/tpm >/dev/null 2>&1"
}
has_menu() { t list-keys -T prefix S | grep -q display-menu; }

person "$work/good" auto
begun=$(now)
install_plugins
await 60 test -x "$plugin/bin/swarm" -a -x "$plugin/bin/swarm-msg" || fail 'the program did not come'
installed=$(($(now) - begun))
TMUX=$(t display-message -p '#{socket_path},#{pid},0')
swarm() { (cd "$home/project" && clean env TMUX="$TMUX" "$plugin/bin/swarm" "$@"); }
swarm discover --init >/dev/null || fail 'swarm discover --init'
swarm agents | tee "$work/agents"
took=$(($(now) - begun))
grep -q '^claude-1 ' "$work/agents" || fail 'the agent is not listed'
await 20 has_menu || fail 'the key does not open the menu'
printf 'fresh.sh: from prefix I to the program %s ms, to the first list of agents %s ms\n' "$installed" "$took"
[ "$took" -le "$((limit * 1000))" ] || fail "it took more than $limit s"

for archive in "$work"/served/*.tar.gz; do
  # The last byte is part of the length of what is packed.
  printf '\377' | dd of="$archive" bs=1 seek="$(($(wc -c <"$archive") - 1))" conv=notrunc 2>/dev/null
done
person "$work/altered" download
install_plugins
await 60 test -s "$plugin/bin/.failed" || fail 'nothing was said of an altered archive'
grep -q 'does not match the checksum' "$plugin/bin/.failed" || fail "an altered archive: $(cat "$plugin/bin/.failed")"
[ ! -e "$plugin/bin/swarm" ] || fail 'an altered archive was installed'
echo 'fresh.sh: an altered archive was refused'
