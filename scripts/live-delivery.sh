#!/usr/bin/env bash
# Delivery to real agents, counted: puts each agent into each condition, sends, and reports how often what was sent reached
# the agent's model. Not part of the default tests: it types into real agents and needs a log of what their model was asked.
#
#   scripts/live-delivery.sh REPEAT LOG NAME...
#
# Run it inside tmux, in the agents' project, with swarm on PATH and the agents discovered and idle. LOG is a file to which
# the agents' model server (a mock on loopback, say) appends one line per request with the newest text of the user. The model
# is expected to answer a text with SLOW8 in 8 s, and one with the word TOOL by asking for a shell tool, which opens a
# permission dialog. IGNORE is a pattern for lines of LOG that do not count, such as those of the agents' own side requests (for
# a title, say). CONDITIONS="idle draft" chooses some of: idle busy draft typing copy dialog small burst courier.
set -euo pipefail

if [ "$#" -lt 3 ]; then
  sed -n '2,/^set/p' "$0" | sed -n 's/^# \{0,1\}//p'
  exit 2
fi
repeat=$1 log=$2
shift 2
ignore=${IGNORE:-^\$}
conditions=${CONDITIONS:-idle busy draft typing copy dialog small burst courier}
export SWARM_RATE_LIMIT=0/60
results=$(mktemp -d)
trap 'rm -rf "$results"; tmux -L "live-$$" kill-server 2>/dev/null || true' EXIT

pane_of() { swarm agents | awk -v name="$1" '$1 == name { print $3 }'; }
state_of() { swarm agents | awk -v name="$1" '$1 == name { print $4 }'; }
status_of() { swarm status "$1" | sed -n 2p; }
mail() { swarm send --no-wait "$1" "$2" | awk 'NR == 1 { print $1 }'; }
reached() { grep -F "[swarm $1 " "$log" | grep -c -v -e "$ignore" || true; }

# await SECONDS COMMAND...: until the command succeeds
await() {
  local end=$((SECONDS + $1))
  shift
  until "$@"; do
    [ "$SECONDS" -lt "$end" ] || return 1
    sleep 0.1
  done
}
is_idle() { [ "$(state_of "$1")" = idle ]; }
is_state() { [ "$(state_of "$1")" = "$2" ]; }
is_held() { status_of "$1" | grep -q -- "held: .*$2"; }
is_submitted() { status_of "$1" | grep -q ': submitted'; }
has_reached() { [ "$(reached "$1")" -ge 1 ]; }

note() { # NAME CONDITION OUTCOME
  echo "$3" >>"$results/$1.$2"
}

# settle NAME CONDITION ID: waits until the message is through, and counts
settle() {
  local count
  await 60 is_submitted "$3" || true
  await 10 has_reached "$3" || true
  await 30 is_idle "$1" || true
  count=$(reached "$3")
  case $count in
    0) note "$1" "$2" lost && echo "LOST: $1 $2 $3: $(status_of "$3")" ;;
    1) note "$1" "$2" once ;;
    *) note "$1" "$2" twice && echo "TWICE: $1 $2 $3" ;;
  esac
}

held_for() { # NAME CONDITION ID REASON
  if await 10 is_held "$3" "$4"; then note "$1" "$2" held; else
    note "$1" "$2" nothold
    echo "NOT HELD: $1 $2 $3: $(status_of "$3")"
  fi
  if has_reached "$3"; then note "$1" "$2" harmed && echo "HARMED: $1 $2 $3"; fi
}

draft_intact() { # NAME CONDITION PANE TEXT
  tmux capture-pane -p -t "$3" | grep -q -F "$4" || { note "$1" "$2" harmed && echo "HARMED: $1 $2: the draft is gone"; }
}

one() { # NAME CONDITION N
  local name=$1 condition=$2 n=$3 pane id first
  pane=$(pane_of "$name")
  await 60 is_idle "$name" || { note "$name" "$condition" skipped && echo "SKIPPED: $name is $(state_of "$name")" && return; }
  case $condition in
    idle)
      id=$(mail "$name" "message $n of a quiet day") ;;
    busy)
      first=$(mail "$name" "SLOW8 take your time $n")
      await 20 is_state "$name" busy || true
      id=$(mail "$name" "when you are done $n")
      held_for "$name" "$condition" "$id" 'in a turn'
      await 30 has_reached "$first" || note "$name" "$condition" lost ;;
    draft)
      tmux send-keys -t "$pane" -l "half a thought $n"
      await 10 is_state "$name" draft || true
      id=$(mail "$name" "after your draft $n")
      held_for "$name" "$condition" "$id" 'draft'
      draft_intact "$name" "$condition" "$pane" "half a thought $n"
      tmux send-keys -t "$pane" C-u ;;
    typing)
      id=''
      for key in a b c d e f g h i j k l m n o p q r s t; do
        tmux -L "live-$$" send-keys -l "$key"
        [ "$key" != d ] || id=$(mail "$name" "while you type $n")
        sleep 0.1
      done
      held_for "$name" "$condition" "$id" ''
      draft_intact "$name" "$condition" "$pane" abcdefghijklmnopqrst
      tmux -L "live-$$" send-keys C-u ;;
    copy)
      tmux copy-mode -t "$pane"
      id=$(mail "$name" "while you scroll $n")
      held_for "$name" "$condition" "$id" 'copy mode'
      tmux send-keys -t "$pane" -X cancel ;;
    dialog)
      mail "$name" "please run TOOL $n" >/dev/null
      await 20 is_state "$name" dialog || true
      id=$(mail "$name" "behind your dialog $n")
      held_for "$name" "$condition" "$id" 'dialog'
      is_state "$name" dialog || { note "$name" "$condition" harmed && echo "HARMED: $name: the dialog is gone"; }
      tmux send-keys -t "$pane" Escape ;;
    small)
      tmux resize-window -t "$pane" -x 40 -y 10
      id=$(mail "$name" "in a small pane $n")
      sleep 1
      tmux resize-window -t "$pane" -x 120 -y 40 ;;
    burst)
      : >"$results/burst"
      for sender in 1 2 3 4; do
        (for k in 1 2 3 4 5; do mail "$name" "burst $n sender $sender part $k" >>"$results/burst"; done) &
      done
      wait
      while read -r id; do settle "$name" "$condition" "$id"; done <"$results/burst"
      return ;;
    courier)
      id=$(mail "$name" "courier killed $n")
      sleep "0.$((n * 37 % 50 / 10))$((n * 7 % 10))"
      pkill -KILL -f "swarm courier --socket ${TMUX%%,*}" || true
      swarm discover --quiet ;;
  esac
  settle "$name" "$condition" "$id"
}

for name in "$@"; do
  [ -n "$(pane_of "$name")" ] || { echo "live-delivery: there is no agent '$name'; see swarm agents" >&2; exit 5; }
done
for condition in $conditions; do
  for name in "$@"; do
    if [ "$condition" = typing ]; then
      tmux select-window -t "$(pane_of "$name")"
      env -u TMUX tmux -L "live-$$" -f /dev/null new-session -d -x 160 -y 48 \
        "env -u TMUX tmux -S '${TMUX%%,*}' attach" \; set-option -g status off
      sleep 1
    fi
    for n in $(seq 1 "$repeat"); do one "$name" "$condition" "$n"; done
    [ "$condition" != typing ] || tmux -L "live-$$" kill-server
  done
done

count() { grep -c -x "$3" "$results/$1.$2" 2>/dev/null || true; }
printf '%-12s %-10s %6s %6s %6s %7s %6s %9s %8s\n' AGENT CONDITION ONCE TWICE LOST HARMED HELD NOT-HELD SKIPPED
for name in "$@"; do
  for condition in $conditions; do
    printf '%-12s %-10s %6s %6s %6s %7s %6s %9s %8s\n' "$name" "$condition" "$(count "$name" "$condition" once)" \
      "$(count "$name" "$condition" twice)" "$(count "$name" "$condition" lost)" "$(count "$name" "$condition" harmed)" \
      "$(count "$name" "$condition" held)" "$(count "$name" "$condition" nothold)" "$(count "$name" "$condition" skipped)"
  done
done
