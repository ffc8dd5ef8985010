#!/usr/bin/env bash
# A team over several hosts, before your eyes: two "hosts" on this machine, each with its own HOME, clone and tmux server, and a private
# PostgreSQL between them. Run it as `scripts/demo.sh --team`. Nothing outside of temporary directories is touched.
set -euo pipefail

root=$(cd "$(dirname "$0")/.." && pwd)
# shellcheck source=scripts/need.sh
. "$root/scripts/need.sh"
need_cargo
need tmux || { echo "demo: tmux 3.2 or newer is needed and could not be installed" >&2; exit 1; }
if ! ls /usr/lib/postgresql/*/bin/initdb >/dev/null 2>&1 && ! command -v initdb >/dev/null; then
  echo 'demo: PostgreSQL is needed on one host of a team: sudo apt install postgresql' >&2
  exit 1
fi

say() { printf '\n\033[1m== %s\033[0m\n' "$*"; }
fail() {
  printf '\ndemo: FAILED: %s\n' "$*" >&2
  exit 1
}
until_true() {
  local what=$1 tries=0
  shift
  until "$@" >/dev/null 2>&1; do
    tries=$((tries + 1))
    [ "$tries" -le 400 ] || fail "$what"
    sleep 0.1
  done
}

say 'Building (the first time takes a minute or two)'
target=${CARGO_TARGET_DIR:-$root/target}
(cd "$root" && cargo test --locked --quiet --no-run --test layers)
bin=$target/debug

work=$(mktemp -d /tmp/swarm-demo.XXXXXX)
# The engine's directory must be reachable for the user that it runs as.
export SWARM_TEAM_DIR=$work.team
mkdir -m 711 "$SWARM_TEAM_DIR"
unset TMUX TMUX_PANE SWARM_ROOT SWARM_NAME XDG_RUNTIME_DIR XDG_STATE_HOME XDG_CONFIG_HOME XDG_DATA_HOME

# on HOST COMMAND…: runs it as that host would.
# shellcheck disable=SC2016 # expanded by the agent, not here
on() {
  local host=$1 tmux
  shift
  tmux=$(cat "$work/$host/TMUX" 2>/dev/null || true)
  (cd "$work/$host/repo" && env HOME="$work/$host" TMUX_TMPDIR="$work/$host/tmux" PATH="$work/$host/bin:$PATH" \
    ${tmux:+TMUX="$tmux"} FAKE_AGENT_LOG="$work/$host/{style}.log" \
    FAKE_AGENT_REACT='^\[swarm ([0-9a-z]{8}) QUESTION=>swarm-msg reply $M1 "yes: all green"' "$@")
}
t() { local host=$1; shift; on "$host" env -u TMUX tmux -L "demo-$host" "$@"; }
link_of() { ps -A -o pid=,args= | sed -n "s|^ *\([0-9]*\) .*swarm-link run --root $work/$1/repo\$|\1|p"; }
cleanup() {
  for host in build laptop; do
    t "$host" kill-server 2>/dev/null || true
    for pid in $(link_of "$host"); do kill -CONT "$pid" && kill "$pid"; done 2>/dev/null || true
  done
  for pidfile in "$SWARM_TEAM_DIR"/*/data/postmaster.pid; do
    [ ! -e "$pidfile" ] || kill -INT "$(head -n 1 "$pidfile")" 2>/dev/null || true
  done
  sleep 1
  rm -rf "$work" "$SWARM_TEAM_DIR"
}
trap cleanup EXIT

say 'Two hosts, build and laptop: a clone, a tmux server and an agent each'
for pair in build:codex laptop:claude; do
  host=${pair%:*} agent=${pair#*:}
  mkdir -p "$work/$host/tmux" "$work/$host/bin" "$work/$host/repo"
  for name in swarm swarm-msg swarm-link; do ln -s "$bin/$name" "$work/$host/bin/$name"; done
  ln -s "$bin/fake-agent" "$work/$host/bin/$agent"
  (cd "$work/$host/repo" && git init -q . && printf '[team]\npaths = ["migrations/**"]\n' >.swarm.toml)
  t "$host" -f /dev/null new-session -d -x 160 -y 40 "sh -c '$agent; exec sh'"
  t "$host" display-message -p '#{socket_path},#{pid},0' >"$work/$host/TMUX.new"
  mv "$work/$host/TMUX.new" "$work/$host/TMUX"
  until_true "$agent did not start" grep -q start "$work/$host/$agent.log"
  on "$host" swarm discover --init
done

say 'build$ swarm team init'
on build swarm team init --host build
say 'build$ swarm team invite; laptop$ swarm team join …'
code=$(on build swarm team invite | sed -n 's/.*swarm team join \([0-9a-f]*\) --code \([^ ]*\).*/\1 \2/p')
# shellcheck disable=SC2086 # two words
set -- $code
on laptop swarm team join "$1" --code "$2" --host laptop

say 'One roster'
until_true 'the roster is not one' sh -c "$(declare -f on); work='$work'; on laptop swarm who | grep -q build/codex-1"
on laptop swarm who

say 'The human at laptop asks the agent at build; its answer comes back'
on laptop swarm send build/codex-1 --type QUESTION 'is the build green?'
until_true 'the question did not arrive' grep -q 'from laptop/human to codex-1' "$work/build/codex.log"
until_true 'the answer did not come back' sh -c "$(declare -f on); work='$work'; on laptop swarm inbox | grep -q 'all green'"
on laptop swarm inbox

say 'A lease in every clone: one winner'
on laptop swarm lock --team migrations/0042.sql --reason 'adds the column'
on build swarm lock --team migrations/0042.sql && fail 'two hosts have one lease'
on build swarm locks

say 'laptop is cut off (its link is stopped): it stops believing by itself, before anybody else may have the lease'
kill -STOP "$(link_of laptop)"
until_true 'laptop believes for ever' sh -c "$(declare -f on); work='$work'; on laptop swarm locks --json | grep -q '\"believed\":false'"
on laptop swarm lock --team migrations/0043.sql && fail 'a lease without the engine'
on laptop swarm lock src/parser.rs
on build swarm lock --team migrations/0042.sql --wait 1m
kill -CONT "$(link_of laptop)"
until_true 'laptop was not told' sh -c "$(declare -f on); work='$work'; on laptop swarm inbox | grep -q 'your team lease'"
on laptop swarm inbox
on laptop swarm team

printf '\ndemo: ok: one roster, mail both ways, one winner, and nobody believed too long\n'
