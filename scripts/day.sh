#!/usr/bin/env bash
# A working day of twelve agents, compressed: prints what the courier and the store take along it. Judges nothing.
#
#   scripts/day.sh [MINUTES]     default 16, which is 30 times as fast as eight hours
#
# The agents are the tests' scripted ones, in panes of a tmux server of its own. Each hour of the day each agent gets 20 messages; for each it
# takes a lease, edits, gives the lease back, acknowledges where that was asked for, and writes to the next agent now and then. The read
# mail is kept for half an hour of the day, and the courier starts again each hour, when it removes what is older.
set -euo pipefail
cd "$(dirname "${BASH_SOURCE[0]}")/.."
minutes=${1:-16}
agents=12
messages=$((agents * 20 * 8))
samples=16

repo=$PWD
work=$(mktemp -d /tmp/swarm-day.XXXXXX)
target=${CARGO_TARGET_DIR:-$PWD/target}
case $target in /*) ;; *) target=$repo/$target ;; esac
t() { tmux -L "day-$$" -f /dev/null "$@"; }
cleanup() {
  t kill-server 2>/dev/null || true
  sleep 1 # the courier ends with it, and still writes
  rm -rf "$work"
}
trap cleanup EXIT
mkdir -p "$work/home" "$work/tmux" "$work/bin" "$work/project/src"

cargo build --release --locked --quiet
for name in swarm swarm-msg; do cp "$target/release/$name" "$work/bin/"; done
cargo build --locked --quiet --features test-tools --bin fake-agent
kinds=(claude codex gemini opencode)
for kind in "${kinds[@]}"; do cp "$target/debug/fake-agent" "$work/bin/$kind"; done
# What an agent does with what was submitted.
cat >"$work/bin/work" <<'EOF'
#!/bin/sh
file=src/$(($$ % 40)).rs
swarm-msg lock "$file" --wait 5s >/dev/null && date >>"$file" && swarm-msg unlock "$file" >/dev/null
for id in $(printf '%s\n' "$SUBMITTED" | tr '\n' ' ' | grep -o 'swarm-msg ack [a-z0-9]*' | cut -d' ' -f3); do swarm-msg ack --no-wait "$id" 'it is done'; done
case $SUBMITTED in *'pass it on to '*) swarm-msg send --no-wait "$(printf '%s\n' "$SUBMITTED" | sed -n 's/.*pass it on to \([a-z]*-[0-9]*\).*/\1/p' | head -n 1)" 'it was passed on' ;; esac
EOF
chmod +x "$work/bin/work"

export HOME=$work/home TMUX_TMPDIR=$work/tmux SWARM_RATE_LIMIT=0/60 PATH=$work/bin:$PATH FAKE_AGENT_REACT='swarm=>work'
unset TMUX TMUX_PANE SWARM_ROOT SWARM_NAME XDG_CONFIG_HOME XDG_STATE_HOME
cd "$work/project"
git init -q
swarm init >/dev/null
swarm config set --user mail.keep_read "$((minutes * 60 / 16))s" >/dev/null
t new-session -d -x 160 -y 40 -c "$PWD" 'exec sleep 100000'
TMUX=$(t display-message -p '#{socket_path},#{pid},0')
export TMUX
for n in $(seq "$agents"); do t new-window -d -c "$PWD" "exec ${kinds[$((n % 4))]}"; done
names() { swarm agents --json | grep -o '"name": *"[a-z]*-[0-9]*"' | grep -o '[a-z]*-[0-9]*'; }
tries=0
until swarm discover --quiet && [ "$(names | wc -l)" = "$agents" ]; do
  tries=$((tries + 1))
  [ "$tries" -le 100 ] || { echo 'day.sh: the agents were not found' >&2; exit 1; }
  sleep 0.2
done
team=()
while read -r name; do team+=("$name"); done < <(names)

courier() { pgrep -f "swarm courier --socket .* --root $PWD\$" | head -n 1; }
spent=0 # ticks of couriers that have ended
ticks() { sed 's/.*) //' "/proc/$1/stat" 2>/dev/null | awk '{ print $12 + $13 + $14 + $15 }'; }
sample() { # HOUR SENT
  local pid
  pid=$(courier)
  printf '| %s | %s | %s | %s | %s | %s | %s |\n' "$1" "$2" "$(sed -n 's/^VmRSS:[[:space:]]*//p' "/proc/$pid/status")" \
    "$(awk -v t="$((spent + $(ticks "$pid")))" -v n="$2" -v hz="$(getconf CLK_TCK)" 'BEGIN { printf "%.1f", 1000 * t / hz / (n ? n : 1) }')" \
    "$(cat .swarm/journal*.jsonl | wc -c | tr -d ' ')" "$(du -sk .swarm | cut -f1)" "$(find .swarm -type f | wc -l | tr -d ' ')"
}
echo "| hour | messages sent by the person | courier, resident | its processor time a message, ms | journal, bytes | store, kB | files |"
echo '|---|---|---|---|---|---|---|'
begun=$(date +%s)
for n in $(seq "$messages"); do
  to=${team[$((n * 7 % agents))]}
  options=(--no-wait)
  [ $((n % 5)) != 0 ] || options+=(--ack)
  text="task $n 🦀"
  [ $((n % 6)) != 0 ] || text="$text pass it on to ${team[$((n * 5 % agents))]}"
  swarm send "${options[@]}" "$to" "$text" >/dev/null 2>>"$work/refused" || true
  if [ $((n % (messages / samples))) = 0 ]; then
    swarm read --all >/dev/null
    sample "$(awk -v n="$n" -v all="$messages" 'BEGIN { printf "%.1f", 8 * n / all }')" "$n"
    if [ $((n % (2 * messages / samples))) = 0 ]; then
      pid=$(courier)
      spent=$((spent + $(ticks "$pid")))
      kill "$pid"
      while kill -0 "$pid" 2>/dev/null; do sleep 0.1; done
      swarm discover --quiet
      while [ -z "$(courier)" ]; do sleep 0.1; done
    fi
  fi
  # Never ahead of the day.
  while [ $((($(date +%s) - begun) * messages)) -lt $((n * minutes * 60)) ]; do sleep 0.1; done
done
printf '\nrefused: %s; waiting: %s; ' "$(wc -l <"$work/refused" | tr -d ' ')" "$(find .swarm/mail/*/new -name '*.json' | wc -l | tr -d ' ')"
printf 'submitted: %s; dead letters: %s; acknowledged: %s\n' "$(cat .swarm/journal*.jsonl | grep -c '"stage":"submitted"' || true)" \
  "$(find .swarm/dead -name '*.json' | wc -l | tr -d ' ')" "$(cat .swarm/journal*.jsonl | grep -c '"event":"acked"' || true)"
