#!/usr/bin/env bash
# Records the store that this version writes, for the versions that come after it: tests/fixtures/stores/VERSION.
#
#   scripts/golden.sh [BIN]    BIN holds swarm, swarm-msg and fake-agent; by default they are built from this checkout
#
# Run it once per release, before the version is raised. The test `stores` opens every recorded store with today's program. The
# signing key of a recorded store is part of the record: the store belongs to nobody, and its agents have ended.
set -euo pipefail
root=$(cd "$(dirname "$0")/.." && pwd)
bin=${1:-}
if [ -z "$bin" ]; then
  (cd "$root" && cargo build --locked --quiet --features test-tools --bins)
  bin=${CARGO_TARGET_DIR:-$root/target}/debug
fi

work=$(mktemp -d /tmp/swarm-golden.XXXXXX)
export HOME=$work/home TMUX_TMPDIR=$work/tmux XDG_STATE_HOME=$work/state XDG_CONFIG_HOME=$work/config
unset TMUX TMUX_PANE SWARM_ROOT SWARM_NAME XDG_RUNTIME_DIR
mkdir -p "$HOME" "$TMUX_TMPDIR" "$work/bin" "$work/project"
t() { tmux -L golden "$@"; }
cleanup() {
  t kill-server 2>/dev/null || true
  rm -rf "$work"
}
trap cleanup EXIT
for name in swarm swarm-msg; do ln -s "$(cd "$bin" && pwd)/$name" "$work/bin/$name"; done
for name in claude codex; do ln -s "$(cd "$bin" && pwd)/fake-agent" "$work/bin/$name"; done
export PATH=$work/bin:$PATH FAKE_AGENT_LOG="$work/{style}.log"

fail() {
  printf 'golden.sh: %s\n' "$*" >&2
  exit 1
}
await() { # WHAT COMMAND...
  local what=$1 tries=0
  shift
  until "$@" >/dev/null 2>&1; do
    tries=$((tries + 1))
    [ "$tries" -le 300 ] || fail "never happened: $what"
    sleep 0.1
  done
}
is_at() { swarm status "$1" | grep -q ": $2"; }
# Runs a command as an agent does: as a tool of its own, below its process.
as() { # NAME COMMAND
  printf '#!/bin/sh\n%s\ntouch "%s/did"\n' "$2" "$work" >"$work/bin/errand"
  chmod +x "$work/bin/errand"
  rm -f "$work/did"
  swarm send --no-wait "$1" 'TOOL((errand))' >/dev/null
  await "$1 runs: $2" test -e "$work/did"
}

cd "$work/project"
t -f /dev/null new-session -d -x 160 -y 50 'bash --norc'
t split-window 'bash --norc -c "claude; exec bash --norc"'
t split-window 'bash --norc -c "codex; exec bash --norc"'
TMUX=$(t display-message -p '#{socket_path},#{pid},0')
export TMUX
await 'the agents start' sh -c "grep -q start '$work/claude.log' && grep -q start '$work/codex.log'"
swarm discover --init >/dev/null
swarm name codex-1 reviewer >/dev/null

# Mail at every stage, in both directions, to the person and with an acknowledgement that is awaited.
given=$(swarm send --no-wait --json claude-1 'given and not known to be read' | sed -n 's/.*"id": *"\([0-9a-z]*\)".*/\1/p' | head -n 1)
await 'it is submitted' is_at "$given" submitted
read_one=$(swarm send --no-wait --json -t QUESTION --ack claude-1 'read, answered and acknowledged: 日本 👍' | sed -n 's/.*"id": *"\([0-9a-z]*\)".*/\1/p' | head -n 1)
await 'it is submitted' is_at "$read_one" submitted
as claude-1 "swarm-msg read $read_one; swarm-msg ack $read_one 'seen'; swarm-msg reply $read_one 'an answer'"
swarm send --no-wait --ack reviewer 'an acknowledgement is awaited' >/dev/null
printf 'a body\nof several lines\n' | swarm send --no-wait -t BLOCKED claude-1 - >/dev/null
as claude-1 "swarm-msg send human 'for the person'; swarm-msg send reviewer 'between agents'; swarm-msg lock --reason 'the parser' src/parser.rs 'docs/**'"
as reviewer "(swarm-msg lock --wait=1m src/parser.rs >/dev/null 2>&1 &) ; swarm-msg lock build.rs"
await 'somebody waits' sh -c "ls .swarm/waiters | grep -q ."
swarm coord init >/dev/null 2>&1 || true

# Mail that waits: for agents that have ended, and so for nobody but the record.
t list-panes -a -F '#{pane_id} #{pane_pid}' >/dev/null
for pane in $(t list-panes -a -F '#{pane_id}' | tail -n 2); do t send-keys -t "$pane" -l 'a draft that holds what follows'; done
sleep 1
swarm send --no-wait claude-1 'held behind a draft' >/dev/null
swarm send --no-wait --urgent reviewer 'urgent, and held' >/dev/null
echo '{"torn' >.swarm/hooks/claude-1.json
t kill-server
pkill -KILL -f "courier --socket $work/" || true
sleep 1

version=$("$work/bin/swarm" --version | sed 's/^swarm \([^ ]*\).*/\1/')
to=$root/tests/fixtures/stores/$version
[ ! -e "$to" ] || fail "$to is there already: a released version's record does not change"
mkdir -p "$to"
cp -R .swarm "$to/store"
cp "$XDG_STATE_HOME/swarm/$(head -n 1 "$to/store/PROJECT")/key" "$to/key"
rm -f "$to/store/wake" "$to/store/.gitignore"
rm -rf "$to/store/tmp"
find "$to" -name '*.lock' -size 0 -path '*/panes/*' -delete
# Nothing of the machine that recorded it.
grep -rlF "$work" "$to" | xargs -r sed -i "s#$work#/golden#g"
find "$to" -type f | sort | sed "s#^$root/##"
