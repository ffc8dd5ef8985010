#!/usr/bin/env bash
# Two builds of swarm beside each other, along the things that grow. Prints Markdown; judges nothing.
#
#   scripts/compare.sh OLD NEW [RUNS]     directories that hold `swarm` and `swarm-msg`; default 40 runs a row, about 15 minutes
#
# Each build has a project, a home and a tmux server of its own, with the same panes, agents, mail and leases in them. The runs of a row
# take turns: an empty process, the one, the other. So a machine that is slow for a while is slow for all three, and the ratios hold.
# COMPARE_QUICK=1 leaves out the largest sizes; COMPARE_ONLY='agents leases' measures only these. More leases than 1,000, which the first
# versions take minutes to make, are a matter of bench.sh.
set -euo pipefail
[ $# -ge 2 ] || { sed -n '2,10s/^# \{0,1\}//p' "$0" >&2; exit 2; }
old=$(cd "$1" && pwd) new=$(cd "$2" && pwd) runs=${3:-40}
cd "$(dirname "${BASH_SOURCE[0]}")/.."
long=1
[ -z "${COMPARE_QUICK:-}" ] || long=''

measure=$(cargo bench --locked --quiet --bench measure --no-run --message-format=json |
  sed -n 's/.*"name":"measure".*"executable":"\([^"]*\)".*/\1/p')
work=$(mktemp -d /tmp/swarm-compare.XXXXXX)
unset TMUX TMUX_PANE SWARM_ROOT SWARM_NAME XDG_CONFIG_HOME XDG_STATE_HOME
export SWARM_RATE_LIMIT=0/60 TMUX_TMPDIR=$work
path=$PATH

t() { # WORLD ARGUMENT...
  local world=$1
  shift
  HOME=$work/$world/home PATH=$work/$world/bin:$path tmux -L "$world" -f /dev/null "$@"
}
cleanup() {
  for world in old new; do t "$world" kill-server 2>/dev/null || true; done
  sleep 1 # couriers end with their servers, and still write
  rm -rf "$work"
}
trap cleanup EXIT
for world in old new; do
  mkdir -p "$work/$world/home" "$work/$world/bin" "$work/$world/project"
  cp "${!world}/swarm" "${!world}/swarm-msg" "$work/$world/bin/"
done

# within WORLD COMMAND...: runs it in the project of that world, as a person at its tmux server. What it prints is of no interest.
within() {
  local world=$1
  shift
  (cd "$work/$world/project" && HOME=$work/$world/home PATH=$work/$world/bin:$path TMUX="$work/tmux-$(id -u)/$world,1,0" "$@" >>"$work/said" 2>&1)
}
both() { # COMMAND...
  within old "$@"
  within new "$@"
}
header() { printf '\n| %s | old ms | new ms | old × true | new × true | new / old |\n|---|---|---|---|---|---|\n' "$1"; }
row() { # NAME COMMAND...
  local name=$1
  shift
  printf '| %s | %s |\n' "$name" "$("$measure" pair "$runs" "$work/old" "$work/new" "$@")"
}
panes() { # COUNT COMMAND: windows of that many, beside the first
  local world have
  for world in old new; do
    have=$(t "$world" list-panes -a | wc -l)
    while [ "$have" -le "$1" ]; do
      printf 'new-window -d -c "%s" "%s"\n' "$work/$world/project" "$2"
      have=$((have + 1))
    done >"$work/windows"
    t "$world" source-file "$work/windows"
    until ! t "$world" list-panes -a -F '#{pane_current_command}' | grep -qvE '^(sleep|claude)$'; do sleep 0.2; done
  done
}
alone() {
  local world
  for world in old new; do t "$world" kill-window -a -t 0; done
  sleep 1
}
courier() { # WORLD: the process of the one courier at its server
  local pid words
  for pid in $(pgrep -f 'swarm courier'); do
    words=$(tr '\0' '\n' 2>/dev/null <"/proc/$pid/cmdline") || continue
    grep -qxF -- "$work/tmux-$(id -u)/$1" <<<"$words" || continue
    # Beside a courier sleeps the process that starts another one when it is killed.
    grep -qx -- --keep <<<"$words" || { echo "$pid"; return; }
  done
}
memory() { sed -n 's/^VmRSS:[[:space:]]*//p' "/proc/$1/status"; }
# weighs NAME: what the couriers take now, and a dashboard.
weighs() {
  local world pid cells='' before
  for world in old new; do
    within "$world" swarm discover --quiet
    sleep 3
    pid=$(courier "$world")
    before=$(sed 's/.*) //' "/proc/$pid/stat" | awk '{ print $12 + $13 + $14 + $15 }')
    sleep 20
    cells="$cells$(memory "$pid"), $(sed 's/.*) //' "/proc/$pid/stat" |
      awk -v b="$before" -v hz="$(getconf CLK_TCK)" '{ printf "%.2f %%", 5 * ($12 + $13 + $14 + $15 - b) / hz }') | "
    pid=$(t "$world" new-window -d -P -F '#{pane_pid}' -c "$work/$world/project" 'exec swarm dashboard')
    sleep 3
    cells="$cells$(memory "$pid") | "
    kill "$pid"
  done
  echo "| $1 | $cells" >>"$work/weights"
}

for world in old new; do
  t "$world" new-session -d -x 200 -y 50 -c "$work/$world/project" 'exec sleep 100000'
  within "$world" git init -q
  within "$world" swarm init
done
echo "Measured on $(date -u +%Y-%m-%d), $(uname -s), $(nproc 2>/dev/null || sysctl -n hw.ncpu) cores, $(tmux -V), $runs runs a row; old: $(wc -c <"$old/swarm" | tr -d ' ') bytes, new: $(wc -c <"$new/swarm" | tr -d ' ') bytes."

short_commands() {
  header 'short commands'
  row 'swarm --version' swarm --version
  row 'swarm inbox' swarm inbox
  row 'swarm who FILE' swarm who file
  row 'swarm locks' swarm locks
  row 'swarm send --no-wait human' swarm send --no-wait human 'a line of text'
  both swarm read --all
  row 'swarm lock FILE -- true' swarm lock file -- true
  row 'swarm lock + swarm unlock, and their sh' sh -c 'swarm lock file; swarm unlock file'
  printf '{"tool_name":"Write","tool_input":{"file_path":"src/a.rs"}}' >"$work/edit"
  printf '{"tool_name":"Bash","tool_input":{"command":"cd src && git add -A && cargo test 2>&1 | tail -3"}}' >"$work/bash"
  row 'hook before an edit, outside an agent, and its sh' sh -c "exec swarm hook claude PreToolUse <$work/edit"
  row 'hook before a shell command, outside an agent, and its sh' sh -c "exec swarm hook claude PreToolUse <$work/bash"
}

many_panes() {
  header 'panes'
  for count in 4 100 ${long:+400 1000}; do
    panes "$count" 'exec sleep 100000'
    row "swarm discover, $count panes" swarm discover --quiet
  done
  alone
}

other_processes() {
  header 'processes in no pane'
  others=()
  for count in 100 ${long:+1300}; do
    while [ "${#others[@]}" -lt "$count" ]; do
      sleep 100000 &
      others+=("$!")
    done
    row "swarm discover, $count processes" swarm discover --quiet
  done
  kill "${others[@]}"
  wait "${others[@]}" 2>/dev/null || true
}

many_agents() {
  header 'agents'
  for count in 2 16 64 ${long:+256}; do
    panes "$count" "exec bash -c 'exec -a claude sleep 100000'"
    both swarm discover --quiet
    row "swarm discover, $count agents" swarm discover --quiet
    row "swarm who, $count agents" swarm who
    row "swarm send, $count agents" swarm send --no-wait human x
    both swarm read --all
    [ "$count" = 16 ] || weighs "$count agents"
  done
  alone
  both swarm discover --quiet
}

read_messages() {
  header 'messages read before'
  for count in 0 10000 100000 ${long:+1000000}; do
    both sh -c "mkdir -p .swarm/mail/human/cur && cd .swarm/mail/human/cur && seq -f '%013.0f-human-zzzzzzzz.json' 1 $count | xargs touch -- .last"
    row "swarm inbox, $count messages" swarm inbox
    row "swarm send, $count messages" swarm send --no-wait human x
    both swarm read --all
    case $count in 0 | 10000) ;; *) weighs "$count messages" ;; esac
  done
  both sh -c "cd .swarm/mail/human/cur && find . -name '*.json' -delete"
}

held_leases() {
  header 'leases held'
  from=1
  for count in 0 200 ${long:+1000}; do
    [ "$count" = 0 ] || both sh -c "seq -f 'held/%.0f' $from $count | xargs -n 1 swarm lock"
    from=$((count + 1))
    row "swarm locks, $count leases" swarm locks
    row "swarm who FILE, $count leases" swarm who file
    row "swarm lock + swarm unlock, $count leases" sh -c 'swarm lock file; swarm unlock file'
    row "hook before an edit, $count leases" sh -c "exec swarm hook claude PreToolUse <$work/edit"
    [ "$count" = 0 ] || weighs "$count leases"
  done
  both swarm unlock --all
}

many_projects() {
  header 'projects on one server'
  for count in 1 5 20; do
    for world in old new; do
      seq "$count" | while read -r n; do
        dir=$work/$world/more/$n
        [ ! -d "$dir" ] || continue
        mkdir -p "$dir"
        t "$world" new-window -d -c "$dir" "exec bash -c 'exec -a claude sleep 100000'"
        (cd "$dir" && git init -q && HOME=$work/$world/home PATH=$work/$world/bin:$path TMUX="$work/tmux-$(id -u)/$world,1,0" sh -c 'swarm init; swarm discover' >>"$work/said" 2>&1)
      done
    done
    row "swarm discover, $count more projects" swarm discover --quiet
    row "swarm inbox, $count more projects" swarm inbox
  done
}

for part in ${COMPARE_ONLY:-short panes processes agents messages leases projects}; do
  case $part in
  short) short_commands ;;
  panes) many_panes ;;
  processes) other_processes ;;
  agents) many_agents ;;
  messages) read_messages ;;
  leases) held_leases ;;
  projects) many_projects ;;
  *) echo "compare.sh: there is no part '$part'" >&2 ;;
  esac
done

if [ -s "$work/weights" ]; then
  printf '\n| | old: courier, resident and CPU over 20 s | old: dashboard | new: courier | new: dashboard |\n|---|---|---|---|---|\n'
  cat "$work/weights"
fi
