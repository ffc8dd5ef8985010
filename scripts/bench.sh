#!/usr/bin/env bash
# What swarm costs, as whole processes, beside baselines measured in the same run. Prints Markdown; judges nothing.
#
#   scripts/bench.sh [RUNS]     default 200; BENCH_LONG=1 adds 400 panes and 5,000 leases; BENCH_IDLE=60 is how many
#                               seconds the idle courier is watched (0: not at all)
#
# Uses hyperfine where it is installed, else its own loop (which adds a fork of bash to each row), and strace for the counts.
# Everything happens in a directory and on a tmux server of its own. scripts/bench-leases.sh has more on leases.
set -euo pipefail
cd "$(dirname "${BASH_SOURCE[0]}")/.."
runs=${1:-200}
idle=${BENCH_IDLE:-60}

repo=$PWD
cargo build --release --locked --quiet
cargo bench --locked --quiet --bench writers --no-run
cargo build --locked --quiet --features test-tools --bin fake-agent
target=${CARGO_TARGET_DIR:-$PWD/target}
case $target in /*) ;; *) target=$PWD/$target ;; esac

work=$(mktemp -d /tmp/swarm-bench.XXXXXX)
export HOME=$work/home TMUX_TMPDIR=$work/tmux XDG_STATE_HOME=$work/state SWARM_RATE_LIMIT=0/60 PATH=$work/bin:$PATH
unset TMUX TMUX_PANE SWARM_ROOT SWARM_NAME XDG_CONFIG_HOME
mkdir -p "$HOME" "$TMUX_TMPDIR" "$work/bin" "$work/project"
for name in swarm swarm-msg; do ln -s "$target/release/$name" "$work/bin/$name"; done
ln -s "$target/debug/fake-agent" "$work/bin/codex"
t() { tmux -L bench -f /dev/null "$@"; }
cleanup() {
  t kill-server 2>/dev/null || true
  sleep 0.5
  rm -rf "$work"
}
trap cleanup EXIT
cd "$work/project"
swarm init >/dev/null

# sample FILE RUNS COMMAND...: the milliseconds of each run, sorted.
sample() {
  local file=$1 n=$2 begun i
  shift 2
  if command -v hyperfine >/dev/null; then
    hyperfine -N -i --warmup 3 --runs "$n" --export-json "$work/json" "$(printf '%q ' "$@")" >/dev/null 2>&1
    sed -n '/"times"/,/]/p' "$work/json" | awk '/^ *[0-9]/ { sub(",", ""); print 1000 * $1 }' | sort -g >"$file"
  else
    for ((i = 0; i < n; i++)); do
      begun=${EPOCHREALTIME/./}
      "$@" >/dev/null 2>&1 || true
      echo $((${EPOCHREALTIME/./} - begun))
    done | awk '{ print $1 / 1000 }' | sort -g >"$file"
  fi
}

# nth FILE PERCENT
nth() { awk -v p="$2" '{ v[NR] = $1 } END { i = int(NR * p / 100 + 0.5); print v[i < 1 ? 1 : i] }' "$1"; }

# row NAME BUDGET COMMAND...
row() {
  local name=$1 budget=$2
  shift 2
  sample "$work/times" "$runs" "$@"
  awk -v name="$name" -v least="$(head -n 1 "$work/times")" -v a="$(nth "$work/times" 50)" -v b="$(nth "$work/times" 95)" \
    -v base="$base" -v budget="$budget" \
    'BEGIN { printf "| %s | %.2f | %.2f | %.2f | %.1f | %s |\n", name, least, a, b, a / (base ? base : a), budget }'
}

header() { printf '\n| %s | least ms | p50 ms | p95 ms | p50 × true | budget |\n|---|---|---|---|---|---|\n' "$1"; }

echo "Measured on $(date -u +%Y-%m-%d), $(nproc 2>/dev/null || sysctl -n hw.ncpu) cores, $(tmux -V), $(swarm --version); $runs runs a row."
header 'baseline'
base=0
row 'an empty process: true' '' true
base=$(nth "$work/times" 50)
t new-session -d -x 200 -y 50 'exec sleep 100000'
row 'one tmux call' '' tmux -L bench display-message -p x
if command -v flock >/dev/null; then row 'flock FILE true' '' flock "$work/plain" true; fi

header 'store only'
row 'swarm inbox' 'p50 ≤ 3' swarm inbox
row 'swarm who FILE' 'p50 ≤ 3' swarm who file
row 'swarm locks' 'p50 ≤ 3' swarm locks
row 'swarm send --no-wait human (durable)' '≤ 5' swarm send --no-wait human 'a line of text'
swarm read --all >/dev/null
row 'swarm lock + swarm unlock, and the sh that runs them' '≤ 8' sh -c 'swarm lock file; swarm unlock file'

# Below an agent: this script is one from here on.
start=$(sed 's/.*) //' "/proc/$$/stat" | awk '{ print $20 }')
printf '{"name":"claude-9","kind":"claude","process":{"pid":%s,"start":%s,"boot":"%s"},"cwd":"%s","first_seen":1,"place":{"socket":"/nowhere","server":1,"pane":"%%9","pane_pid":%s}}' \
  "$$" "$start" "$(cat /proc/sys/kernel/random/boot_id)" "$PWD" "$$" >.swarm/agents/claude-9.json
echo '{"tool_name":"Read"}' >"$work/nothing"
echo '{"tool_name":"Write","tool_input":{"file_path":"src/a.rs"}}' >"$work/edit"
header 'hooks, below an agent'
row 'an empty sh, as the rows below have one' '' sh -c 'true </dev/null'
row 'swarm hook, nothing to do' 'p50 ≤ 4, p95 ≤ 10' sh -c "exec swarm hook claude PostToolUse <$work/nothing"
row 'swarm hook before an edit (renews its lease)' 'p95 ≤ 10' sh -c "exec swarm hook claude PreToolUse <$work/edit"
rm .swarm/agents/claude-9.json
swarm gc --yes >/dev/null

TMUX=$(t display-message -p '#{socket_path},#{pid},0')
export TMUX
grow() { # COUNT COMMAND: panes of that many
  local have
  have=$(t list-panes -a | wc -l)
  while [ "$have" -lt "$1" ]; do
    t new-window -d "$2"
    have=$((have + 1))
  done
  sleep 1
}
header 'swarm discover --quiet'
for panes in 4 24 100 ${BENCH_LONG:+400}; do
  grow "$panes" 'exec sleep 100000'
  case $panes in 4) budget='≤ 8' ;; 24) budget='≤ 10' ;; 100) budget='≤ 15' ;; *) budget='' ;; esac
  row "$panes panes" "$budget" swarm discover --quiet
done
t kill-session -a 2>/dev/null || true
t list-windows -F '#{window_id}' | sed 1d | while read -r window; do t kill-window -t "$window"; done

header 'agents in panes'
for agents in 2 16 64; do
  grow $((agents + 1)) "exec bash -c 'exec -a claude sleep 100000'"
  swarm discover --quiet
  row "swarm discover, $agents agents" '' swarm discover --quiet
  row "swarm who, $agents agents" '' swarm who
  row "swarm send --no-wait human, $agents agents on record" '≤ 5' swarm send --no-wait human x
  swarm read --all >/dev/null
done
t list-windows -F '#{window_id}' | sed 1d | while read -r window; do t kill-window -t "$window"; done
sleep 1
swarm discover --quiet

header 'history of a mailbox'
for count in 0 1000 10000 100000; do
  (cd .swarm/mail/human/cur && seq -f '%013.0f-human-zzzzzzzz.json' 1 "$count" | xargs -r touch)
  row "swarm inbox, $count messages read before" "$([ "$count" = 100000 ] && echo 'within 1.5 × of the first')" swarm inbox
  row "swarm send, $count messages read before" '≤ 5' swarm send --no-wait human x
  (cd .swarm/mail/human && find new state -name '*.json' -delete)
done
(cd .swarm/mail/human/cur && find . -name '*.json' -delete)

header 'leases held'
have=0
for count in 0 100 1000 ${BENCH_LONG:+5000}; do
  while [ "$have" -lt "$count" ]; do
    have=$((have + 1))
    swarm lock "held/$have" >/dev/null
  done
  row "swarm locks, $count leases" '' swarm locks
  row "swarm who FILE, $count leases" '' swarm who file
  row "swarm lock + swarm unlock, $count leases" "$([ "$count" = 0 ] && echo '≤ 8')" sh -c 'swarm lock file; swarm unlock file'
done
swarm unlock --all >/dev/null

printf '\n| several at once | |\n|---|---|\n'
begun=${EPOCHREALTIME/./}
for _ in 1 2 3 4 5 6 7 8; do
  (for _ in $(seq 24); do swarm send --no-wait human x >/dev/null; done) &
done
wait
took=$((${EPOCHREALTIME/./} - begun))
got=$(find .swarm/mail/human/new -name '*.json' | wc -l)
echo "| 8 writers, one recipient, a process a message | $got of 192 there, $((192 * 1000000 / took))/s |"
(cd "$repo" && env -u TMUX cargo bench --locked --quiet --bench writers)
swarm read --all >/dev/null

# A project of its own: the one above knows of many dead agents.
mkdir "$work/quiet"
cd "$work/quiet"
swarm init >/dev/null
printf '\n| delivery to an idle agent, from the journal | p50 ms | p95 ms | budget |\n|---|---|---|---|\n'
t new-window -d -c "$work/quiet" -e "FAKE_AGENT_LOG=$work/agent.log" codex
for _ in $(seq 100); do
  if grep -q start "$work/agent.log" 2>/dev/null; then break; fi
  sleep 0.1
done
swarm discover --quiet
for n in $(seq 30); do
  swarm send codex-1 "message $n" >/dev/null
  sleep 0.7
done
stage() { # STAGE: milliseconds from sent to there
  awk -v stage="$1" '
    { id = ""; t = ""; if (match($0, /"id":"[0-9a-z]+"/)) id = substr($0, RSTART + 6, RLENGTH - 7)
      if (match($0, /"t":[0-9]+/)) t = substr($0, RSTART + 4, RLENGTH - 4) }
    /"event":"sent"/ && /codex-1/ { sent[id] = t }
    /"event":"delivery"/ && index($0, "\"stage\":\"" stage "\"") && id in sent && !(id in seen) { seen[id] = 1; print t - sent[id] }' \
    .swarm/journal.jsonl | sort -g >"$work/times"
  printf '| %s | %s | %s | %s |\n' "$2" "$(nth "$work/times" 50)" "$(nth "$work/times" 95)" "$3"
}
stage typing 'sent → the text goes into the pane' '≤ 25'
stage submitted 'sent → seen submitted' '≤ settle time (150) + 150'

if [ "$idle" -gt 0 ]; then
  courier=''
  for process in /proc/[0-9]*; do
    if tr '\0' '\n' <"$process/environ" 2>/dev/null | grep -qx "SWARM_ROOT=$work/quiet" &&
      tr '\0' ' ' <"$process/cmdline" 2>/dev/null | grep -q 'courier --socket'; then
      courier=${process#/proc/}
    fi
  done
  dashboard=$(t new-window -d -P -F '#{pane_pid}' -c "$work/quiet" 'exec swarm dashboard')
  # Fields of stat: own ticks, then those of the tmux calls that were waited for.
  ticks() { sed 's/.*) //' "/proc/$1/stat" | awk '{ print $12 + $13, $14 + $15 }'; }
  both() { echo "$(ticks "$courier") $(ticks "$dashboard")"; }
  sleep 20 # what was just delivered is looked after for a while
  before=$(both)
  sleep "$idle"
  after=$(both)
  memory() { sed -n 's/^VmRSS:[[:space:]]*//p' "/proc/$1/status"; }
  printf '\n| idle, one agent | | budget |\n|---|---|---|\n'
  echo "$before $after" | awk -v s="$idle" -v hz="$(getconf CLK_TCK)" '{
    p = 100 / hz / s
    printf "| courier, CPU over %d s | %.3f %% of a core, and %.3f %% in tmux calls | ≤ 0.1 %% |\n", s, p * ($5 - $1), p * ($6 - $2)
    printf "| dashboard, CPU over %d s | %.3f %% of a core, and %.3f %% in tmux calls | ≤ 1 %% |\n", s, p * ($7 - $3), p * ($8 - $4) }'
  printf '| courier, resident memory | %s | ≤ 10 MB |\n| dashboard, resident memory | %s | |\n' "$(memory "$courier")" "$(memory "$dashboard")"
fi

if command -v strace >/dev/null; then
  printf '\n| what one command does | processes | fsyncs | tmux calls |\n|---|---|---|---|\n'
  for line in 'inbox' 'locks' 'send --no-wait human x' 'send --no-wait --ack human x' 'lock file' 'unlock file' 'discover --quiet'; do
    # shellcheck disable=SC2086 # words
    strace -f -qq -e trace=execve,fsync,fdatasync -o "$work/trace" swarm $line >/dev/null 2>&1 || true
    printf '| swarm %s | %s | %s | %s |\n' "$line" "$(grep -c 'execve(.*= 0$' "$work/trace" || true)" \
      "$(grep -c 'sync(.*= 0$' "$work/trace" || true)" "$(grep -c 'execve("[^"]*/tmux".*= 0$' "$work/trace" || true)"
  done
else
  printf '\nstrace is not installed: nothing was counted.\n'
fi
printf '\nThe release binary has %s bytes (budget 4 MB).\n' "$(wc -c <"$target/release/swarm" | tr -d ' ')"
