#!/usr/bin/env bash
# The main job, before your eyes: two scripted agents in a private tmux server find each other and talk.
#
#   scripts/demo.sh            builds, runs, prints what happened, exits 0 if all of it did
#   scripts/demo.sh --attach   the same, then leaves the tmux server open for you to look around
#   scripts/demo.sh --team     two hosts on this machine as a team, with a private PostgreSQL: mail, a contended lease, a cut
#
# Nothing outside a temporary directory is touched: neither your tmux server nor your projects.
set -euo pipefail

root=$(cd "$(dirname "$0")/.." && pwd)
attach=no
case ${1:-} in
'') ;;
--attach) attach=yes ;;
--team) exec "$root/scripts/demo-team.sh" ;;
*)
  sed -n '2,8s/^# \{0,1\}//p' "$0"
  exit 2
  ;;
esac

# shellcheck source=scripts/need.sh
. "$root/scripts/need.sh"
need_cargo
need tmux || { echo "demo.sh: tmux 3.2 or newer is needed and could not be installed" >&2; exit 1; }

say() { printf '\n\033[1m== %s\033[0m\n' "$*"; }
fail() {
  printf '\ndemo: FAILED: %s\n' "$*" >&2
  exit 1
}

say 'Building (the first time takes a minute)'
target=${CARGO_TARGET_DIR:-$root/target}
# By way of a test, so that scripts/test.sh shares what was built: cargo builds for tests with features of their own.
(cd "$root" && cargo test --locked --quiet --no-run --test layers)
bin=$target/debug

# Short: a tmux socket's path must fit in about 100 bytes.
work=$(mktemp -d /tmp/swarm-demo.XXXXXX)
export HOME=$work/home XDG_STATE_HOME=$work/state XDG_CONFIG_HOME=$work/config TMUX_TMPDIR=$work/tmux
unset TMUX TMUX_PANE SWARM_ROOT SWARM_NAME XDG_RUNTIME_DIR
mkdir -p "$HOME" "$TMUX_TMPDIR" "$work/bin" "$work/project"
t() { tmux -L demo "$@"; }
cleanup() {
  t kill-server 2>/dev/null || true
  rm -rf "$work"
}
trap cleanup EXIT

for name in swarm swarm-msg; do ln -s "$bin/$name" "$work/bin/$name"; done
# Scripted agents: a terminal program that looks and types like the real ones, under their names.
for name in claude codex; do ln -s "$bin/fake-agent" "$work/bin/$name"; done
export PATH=$work/bin:$PATH
export FAKE_AGENT_LOG="$work/{style}.log"
# shellcheck disable=SC2016 # expanded by the agent, not here
export FAKE_AGENT_REACT='^\[swarm ([0-9a-z]{8}) QUESTION=>swarm-msg read $M1 && swarm-msg ack $M1 && swarm-msg reply $M1 "yes: 42 tests pass"'

# Waits until a command succeeds; what it printed is shown when it never does.
until_true() {
  local what=$1 tries=0
  shift
  until "$@" >/dev/null 2>&1; do
    tries=$((tries + 1))
    if [ "$tries" -gt 300 ]; then
      t list-panes -a -F '#{pane_id}' | while read -r pane; do t capture-pane -p -t "$pane" >&2; done
      fail "$what"
    fi
    sleep 0.1
  done
}

say 'A project with two agents in a tmux window'
cd "$work/project"
t -f /dev/null new-session -d -x 200 -y 50 'bash --norc'
t split-window -h 'bash --norc -c "claude; exec bash --norc"'
t split-window 'bash --norc -c "codex; exec bash --norc"'
TMUX=$(t display-message -p '#{socket_path},#{pid},0')
export TMUX
until_true 'the agents did not start' sh -c "grep -q start $work/claude.log && grep -q start $work/codex.log"

say 'swarm discover --init'
swarm discover --init
swarm agents | grep -q '^claude-1 ' || fail 'claude-1 was not found'
swarm agents | grep -q '^codex-1 ' || fail 'codex-1 was not found'

say 'The human tells claude-1 to ask codex-1 (claude-1 runs swarm-msg in its own shell tool)'
swarm send claude-1 'TOOL((swarm-msg send codex-1 --type QUESTION --ack is-the-parser-done?))'

say 'codex-1 reads it, acknowledges it and replies; all of it arrives in claude-1'
until_true 'the question did not reach codex-1' grep -q '"submitted".*QUESTION from claude-1 to codex-1' "$work/codex.log"
until_true 'the acknowledgement did not come back' grep -q '"submitted".*ACK from codex-1 to claude-1' "$work/claude.log"
until_true 'the reply did not come back' grep -q '"submitted".*42 tests pass' "$work/claude.log"

question=$(sed -n 's/.*\[swarm \([0-9a-z]*\) QUESTION.*/\1/p' "$work/codex.log" | head -n 1)
say "swarm status $question"
swarm status "$question"
swarm status "$question" | grep -q 'codex-1: acked' || fail 'the question is not acknowledged'

say "swarm show $question   (its signature was checked, its sender proved by process ancestry)"
swarm show "$question"

say 'What the two agents were given, each exactly once'
sed -n 's/.*"event":"submitted".*"text":"\(.*\)".*/\1/p' "$work/claude.log" "$work/codex.log"
for log in claude codex; do
  repeated=$(sed -n 's/.*"event":"submitted".*\[swarm \([0-9a-z]*\) .*/\1/p' "$work/$log.log" | sort | uniq -d)
  [ -z "$repeated" ] || fail "$log was given a message twice: $repeated"
done

printf '\ndemo: ok: discovered, asked, read, acknowledged, answered\n'
if [ "$attach" = yes ]; then
  printf 'Attaching. Detach with C-b d: the demo then cleans up after itself.\n'
  TMUX='' t attach-session
fi
