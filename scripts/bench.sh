#!/usr/bin/env bash
# What swarm costs, as whole processes, beside baselines measured in the same run. Prints Markdown; judges nothing.
#
#   scripts/bench.sh [RUNS]     default 200 runs a row; the whole takes about 12 minutes on two cores
#
# BENCH_QUICK=1 leaves out what takes minutes: the build, 400 panes, 5,000 leases and more, 1,300 processes, an idle minute. BENCH_PICTURE=FILE.svg draws the
# growth curves. Counts need strace. Everything happens in a directory and on a tmux server of its own.
set -euo pipefail
cd "$(dirname "${BASH_SOURCE[0]}")/.."
runs=${1:-200}
long=1
[ -z "${BENCH_QUICK:-}" ] || long=''

repo=$PWD
work=$(mktemp -d /tmp/swarm-bench.XXXXXX)
target=${CARGO_TARGET_DIR:-$PWD/target}
case $target in /*) ;; *) target=$PWD/$target ;; esac
t() { tmux -L "bench-$$" -f /dev/null "$@"; }
cleanup() {
  t kill-server 2>/dev/null || true
  sleep 0.5 # couriers end with it, and still write
  rm -rf "$work"
}
trap cleanup EXIT
mkdir -p "$work/home" "$work/tmux" "$work/bin" "$work/project"

cargo build --release --locked --quiet
# Copied before the tools are built: those come with the crash points of the tests, and so does what cargo then leaves in their place.
for name in swarm swarm-msg; do cp "$target/release/$name" "$work/bin/"; done
measure=$(cargo bench --locked --quiet --bench measure --no-run --message-format=json |
  sed -n 's/.*"name":"measure".*"executable":"\([^"]*\)".*/\1/p')
cargo build --locked --quiet --features test-tools --bin fake-agent
cp "$target/debug/fake-agent" "$work/bin/codex"
build=''
if [ -n "$long" ]; then
  TIMEFORMAT=%R
  build=$({ time cargo build --release --locked --quiet --target-dir "$work/target" >&2; } 2>&1 | tail -n 1)
  rm -rf "$work/target"
fi

export HOME=$work/home TMUX_TMPDIR=$work/tmux XDG_STATE_HOME=$work/state SWARM_RATE_LIMIT=0/60 PATH=$work/bin:$PATH
unset TMUX TMUX_PANE SWARM_ROOT SWARM_NAME XDG_CONFIG_HOME
cd "$work/project"
swarm init >/dev/null

# header NAME
header() { printf '\n| %s | least ms | p50 ms | p95 ms | p50 × true | budget |\n|---|---|---|---|---|---|\n' "$1"; }

# row NAME BUDGET COMMAND...
row() {
  local name=$1 budget=$2
  shift 2
  cells=$("$measure" time "$runs" "$@")
  printf '| %s | %s | %s |\n' "$name" "$cells" "$budget"
}

# point CURVE X: notes the p50 of the last row for the picture
point() { echo "$1|$2|$(echo "$cells" | cut -d'|' -f2)" >>"$work/curves"; }

cores=$(nproc 2>/dev/null || sysctl -n hw.ncpu)
echo "Measured on $(date -u +%Y-%m-%d), $(uname -s), $cores cores, $(tmux -V), $(swarm --version), files on $(df -T "$work" 2>/dev/null | awk 'NR == 2 { print $2 }'); $runs runs a row."

header 'baseline'
row 'an empty process: true' '' true
t new-session -d -x 200 -y 50 'exec sleep 100000'
row 'one tmux call' '' tmux -L "bench-$$" display-message -p x
if command -v flock >/dev/null; then row 'flock FILE true' '' flock "$work/plain" true; fi

header 'store only'
row 'swarm inbox' 'p50 ≤ 3' swarm inbox
row 'swarm who FILE' 'p50 ≤ 3' swarm who file
row 'swarm locks' 'p50 ≤ 3' swarm locks
# What waits would come to the cap of one sender: it is read every so often.
send() {
  local left=$runs name=$1 budget=$2 all="$work/cells"
  shift 2
  : >"$all"
  while [ "$left" -gt 0 ]; do
    "$measure" time "$((left < 150 ? left : 150))" "$@" >>"$all"
    swarm read --all >/dev/null
    left=$((left - 150))
  done
  # Of several parts the middle one stands for all.
  cells=$(sort -t'|' -k2,2g "$all" | awk '{ line[NR] = $0 } END { print line[int((NR + 1) / 2)] }')
  printf '| %s | %s | %s |\n' "$name" "$cells" "$budget"
}
send 'swarm send --no-wait human (durable)' '≤ 5' swarm send --no-wait human 'a line of text'
row 'swarm lock + swarm unlock, and the sh that runs them' '≤ 8' sh -c 'swarm lock file; swarm unlock file'
row 'swarm lock FILE -- true' '' swarm lock file -- true
if command -v flock >/dev/null; then row 'flock FILE true, twice, and the sh' '' sh -c "flock $work/plain true; flock $work/plain true"; fi

# Below an agent: this script is one until `is_person`.
is_agent() {
  local start
  start=$(sed 's/.*) //' "/proc/$$/stat" | awk '{ print $20 }')
  printf '{"name":"claude-9","kind":"claude","process":{"pid":%s,"start":%s,"boot":"%s"},"cwd":"%s","first_seen":1,"place":{"socket":"/nowhere","server":1,"pane":"%%9","pane_pid":%s}}' \
    "$$" "$start" "$(cat /proc/sys/kernel/random/boot_id)" "$PWD" "$$" >.swarm/agents/claude-9.json
  echo '{"tool_name":"Read"}' >"$work/nothing"
  echo '{"tool_name":"Write","tool_input":{"file_path":"src/a.rs"}}' >"$work/edit"
}
is_person() {
  swarm unlock --all >"$work/unlocked" 2>&1 || true
  rm .swarm/agents/claude-9.json
}
if [ -r /proc/self/stat ]; then
  is_agent
  header 'hooks, below an agent'
  row 'an empty sh, as the rows below have one' '' sh -c 'true </dev/null'
  row 'swarm hook, nothing to do' 'p50 ≤ 4, p95 ≤ 10' sh -c "exec swarm hook claude PostToolUse <$work/nothing"
  row 'swarm hook before an edit (renews its lease)' 'p95 ≤ 10' sh -c "exec swarm hook claude PreToolUse <$work/edit"
  is_person
fi

TMUX=$(t display-message -p '#{socket_path},#{pid},0')
export TMUX
grow() { # COUNT COMMAND: panes of that many
  local have
  have=$(t list-panes -a | wc -l)
  while [ "$have" -lt "$1" ]; do
    t new-window -d "$2"
    have=$((have + 1))
  done
  sleep 1 # until their shells have become what they run
}
alone() { # the first window stays
  t list-windows -F '#{window_id}' | sed 1d | while read -r window; do t kill-window -t "$window"; done
  sleep 1
}
header 'swarm discover --quiet'
for panes in 4 24 100 ${long:+400}; do
  grow "$panes" 'exec sleep 100000'
  case $panes in 4) budget='≤ 8' ;; 24) budget='≤ 10' ;; 100) budget='≤ 15' ;; *) budget='' ;; esac
  row "$panes panes" "$budget" swarm discover --quiet
  point 'panes: swarm discover' "$panes"
done
alone

header 'beside processes that are in no pane'
others=()
for count in 100 ${long:+1300}; do
  while [ "${#others[@]}" -lt "$count" ]; do
    sleep 100000 &
    others+=("$!")
  done
  row "swarm discover --quiet, $count of them" "$([ "$count" = 100 ] || echo 'within 1.5 × of 100')" swarm discover --quiet
done
kill "${others[@]}"
wait "${others[@]}" 2>/dev/null || true

header 'agents in panes'
for agents in 2 16 64; do
  grow $((agents + 1)) "exec bash -c 'exec -a claude sleep 100000'"
  swarm discover --quiet
  row "swarm discover, $agents agents" '' swarm discover --quiet
  point 'agents: swarm discover' "$agents"
  row "swarm who, $agents agents" '' swarm who
  point 'agents: swarm who' "$agents"
  send "swarm send --no-wait human, $agents agents on record" '≤ 5' swarm send --no-wait human x
  point 'agents: swarm send' "$agents"
done
alone
swarm discover --quiet

header 'history of a mailbox'
for count in 0 1000 10000 100000; do
  (cd .swarm/mail/human/cur && seq -f '%013.0f-human-zzzzzzzz.json' 1 "$count" | xargs touch -- .last)
  row "swarm inbox, $count messages read before" "$([ "$count" != 100000 ] || echo 'within 1.5 × of the first')" swarm inbox
  point 'messages of history: swarm inbox' "$((count + 1))"
  send "swarm send, $count messages read before" '≤ 5' swarm send --no-wait human x
  point 'messages of history: swarm send' "$((count + 1))"
  (cd .swarm/mail/human && find new state -name '*.json' -delete)
done
(cd .swarm/mail/human/cur && find . -name '*.json' -delete)

header 'leases held'
for count in 0 100 1000 ${long:+5000 20000}; do
  "$measure" leases "$count"
  row "swarm locks, $count leases" '' swarm locks
  point 'leases: swarm locks' "$((count + 1))"
  row "swarm who FILE, $count leases" '' swarm who file
  point 'leases: swarm who FILE' "$((count + 1))"
  row "swarm lock + swarm unlock, $count leases" "$([ "$count" != 0 ] && echo 'within 1.5 × of none' || echo '≤ 8')" sh -c 'swarm lock file; swarm unlock file'
  point 'leases: lock + unlock' "$((count + 1))"
  if [ -r /proc/self/stat ]; then
    is_agent
    row "swarm hook before an edit, $count leases" "$([ "$count" = 0 ] || echo 'within 1.3 × of none')" \
      sh -c "exec swarm hook claude PreToolUse <$work/edit"
    point 'leases: hook before an edit' "$((count + 1))"
    is_person
  fi
done
swarm unlock --all >/dev/null

printf '\n| 8 writers at once, one recipient; the middle of 7 rounds | | × the row above | budget |\n|---|---|---|---|\n'
"$measure" writers "$work/bin/swarm"

# side_by_side COUNT ROUNDS COMMAND...: seconds
side_by_side() {
  local count=$1 rounds=$2 i j
  shift 2
  TIMEFORMAT=%R
  {
    time {
      for ((i = 0; i < count; i++)); do
        for ((j = 0; j < rounds; j++)); do "$@" >/dev/null 2>&1; done &
      done
      wait
    }
  } 2>&1
}
if command -v flock >/dev/null; then
  printf '\n| 16 processes, one path | locks a second | × flock |\n|---|---|---|\n'
  plain=$(side_by_side 16 12 flock "$work/plain" true)
  lease=$(side_by_side 16 12 swarm lock contended --wait 1h -- true)
  awk -v a="$plain" -v b="$lease" 'BEGIN {
    printf "| flock FILE true | %.0f | 1.0 |\n| swarm lock FILE --wait 1h -- true, in the order of the queue | %.0f | %.2f |\n", 192 / a, 192 / b, a / b }'
fi

# A project of its own: the one above knows of many dead agents.
mkdir "$work/quiet"
cd "$work/quiet"
swarm init >/dev/null
until_true() {
  local tries=0
  until "$@" >/dev/null 2>&1; do
    tries=$((tries + 1))
    [ "$tries" -le 300 ] || { echo "bench.sh: never came true: $*" >&2; exit 1; }
    sleep 0.1
  done
}
is_submitted() { swarm status "$1" | grep -q ': submitted'; }
printf '\n| delivery to an idle agent, from the journal | p50 ms | p95 ms | budget |\n|---|---|---|---|\n'
t new-window -d -c "$work/quiet" -e "FAKE_AGENT_LOG=$work/agent.log" codex
until_true grep -q start "$work/agent.log"
swarm discover --quiet
for n in $(seq 50); do
  id=$(swarm send "$(swarm agents | awk '/codex/ { print $1; exit }')" "message $n" | awk 'NR == 1 { print $1 }')
  until_true is_submitted "$id"
  sleep 0.5 # the agent's turn
done
stage() { # STAGE: milliseconds from sent to there
  awk -v stage="$1" '
    { id = ""; t = ""; if (match($0, /"id":"[0-9a-z]+"/)) id = substr($0, RSTART + 6, RLENGTH - 7)
      if (match($0, /"t":[0-9]+/)) t = substr($0, RSTART + 4, RLENGTH - 4) }
    /"event":"sent"/ && /codex-1/ { sent[id] = t }
    /"event":"delivery"/ && index($0, "\"stage\":\"" stage "\"") && id in sent && !(id in seen) { seen[id] = 1; print t - sent[id] }' \
    .swarm/journal.jsonl | sort -g |
    awk -v name="$2" -v budget="$3" '{ v[NR] = $1 } END { printf "| %s | %d | %d | %s |\n", name, v[int(NR / 2 + 0.5)], v[int(NR * 0.95 + 0.5)], budget }'
}
stage typing 'sent → the text goes into the pane' '≤ 25'
stage submitted 'sent → seen submitted' '≤ settle time (150) + 150'

# The courier of the directory $PWD.
courier() {
  local process
  for process in $(pgrep -f 'swarm courier --socket'); do
    if tr '\0' '\n' 2>/dev/null <"/proc/$process/cmdline" | grep -qxF -- "$PWD"; then echo "$process"; fi
  done
}
is_gone() { ! kill -0 "$1"; }
if [ -n "$long" ] && [ -d /proc/self ]; then
  seconds=60
  pid=$(courier)
  dashboard=$(t new-window -d -P -F '#{pane_pid}' -c "$work/quiet" 'exec swarm dashboard')
  # Fields of stat: own ticks, then those of the tmux calls that were waited for.
  ticks() { sed 's/.*) //' "/proc/$1/stat" | awk '{ print $12 + $13, $14 + $15 }'; }
  both() { echo "$(ticks "$pid") $(ticks "$dashboard")"; }
  sleep 20 # what was just delivered is looked after for a while
  before=$(both)
  sleep "$seconds"
  after=$(both)
  memory() { sed -n 's/^VmRSS:[[:space:]]*//p' "/proc/$1/status"; }
  printf '\n| idle, one agent | | budget |\n|---|---|---|\n'
  echo "$before $after" | awk -v s="$seconds" -v hz="$(getconf CLK_TCK)" '{
    p = 100 / hz / s
    printf "| courier, CPU over %d s | %.3f %% of a core, and %.3f %% in tmux calls | ≤ 0.1 %% |\n", s, p * ($5 - $1), p * ($6 - $2)
    printf "| dashboard, CPU over %d s | %.3f %% of a core, and %.3f %% in tmux calls | |\n", s, p * ($7 - $3), p * ($8 - $4) }'
  printf '| courier, resident memory | %s | ≤ 10 MB |\n| dashboard, resident memory | %s | |\n' "$(memory "$pid")" "$(memory "$dashboard")"
  kill "$dashboard"
fi

if command -v strace >/dev/null; then
  printf '\n| what one operation does | processes | fsyncs | tmux calls |\n|---|---|---|---|\n'
  counted() { # NAME TRACE
    printf '| %s | %s | %s | %s |\n' "$1" "$(grep -c 'execve(.*= 0$' "$2" || true)" \
      "$(grep -c 'sync(.*= 0$' "$2" || true)" "$(grep -c 'execve("[^"]*/tmux".*= 0$' "$2" || true)"
  }
  traced() { strace -f -qq -e trace=execve,fsync,fdatasync -o "$@"; }
  for line in 'inbox' 'locks' 'send --no-wait human x' 'send --no-wait --ack human x' 'lock file' 'unlock file' 'discover --quiet'; do
    # shellcheck disable=SC2086 # words
    traced "$work/trace" swarm $line >/dev/null 2>&1 || true
    counted "swarm $line" "$work/trace"
  done
  # A courier that is watched takes the place of the one that runs.
  pid=$(courier)
  if [ -n "$pid" ]; then
    kill "$pid"
    until_true is_gone "$pid"
    traced "$work/courier" swarm courier --socket "${TMUX%%,*}" --root "$PWD" &
    # Else the next command would find none, and start one that is not watched.
    until_true sh -c '! flock -n .swarm/courier.lock true'
    id=$(swarm send --no-wait codex-1 'for the caches' | awk 'NR == 1 { print $1 }')
    until_true is_submitted "$id"
    sleep 2
    before=$(wc -l <"$work/courier")
    id=$(swarm send --no-wait codex-1 'counted' | awk 'NR == 1 { print $1 }')
    until_true is_submitted "$id"
    sed "1,${before}d" "$work/courier" >"$work/trace"
    counted 'a delivery to an idle agent, by the courier' "$work/trace"
  fi
else
  printf '\nstrace is not installed: nothing was counted.\n'
fi

printf '\n| build | | budget |\n|---|---|---|\n'
[ -z "$build" ] || printf '| release build from an empty target directory, crates already downloaded | %s s | ≤ 120 s |\n' "$build"
printf '| swarm, bytes | %s | ≤ 4 MB |\n| swarm-msg, bytes | %s | |\n' "$(wc -c <"$work/bin/swarm" | tr -d ' ')" "$(wc -c <"$work/bin/swarm-msg" | tr -d ' ')"

if [ -n "${BENCH_PICTURE:-}" ]; then
  case $BENCH_PICTURE in /*) ;; *) BENCH_PICTURE=$repo/$BENCH_PICTURE ;; esac
  awk -f "$repo/scripts/curves.awk" "$work/curves" >"$BENCH_PICTURE"
fi
