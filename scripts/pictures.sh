#!/usr/bin/env bash
# Makes the pictures of the documentation from the real thing: a private tmux server with scripted agents and the plugin,
# seen by an attached client.
#
#   scripts/pictures.sh        writes docs/pictures/*.svg, and docs/pictures/sizes/*.svg: other sizes, a light terminal, the badge in themes
#
# Nothing else outside a temporary directory is touched: neither your tmux server nor your projects.
set -euo pipefail

root=$(cd "$(dirname "$0")/.." && pwd)
# shellcheck source=scripts/need.sh
. "$root/scripts/need.sh"
need_cargo
need tmux || { echo "pictures.sh: tmux 3.2 or newer is needed and could not be installed" >&2; exit 1; }
target=${CARGO_TARGET_DIR:-$root/target}
(cd "$root" && cargo build --locked --quiet --features test-tools --bins)
bin=$target/debug
out=$root/docs/pictures
mkdir -p "$out/sizes"

# Short: a tmux socket's path must fit in about 100 bytes.
work=$(mktemp -d /tmp/swarm-pics.XXXXXX)
export HOME=$work/home XDG_STATE_HOME=$work/state XDG_CONFIG_HOME=$work/config TMUX_TMPDIR=$work/tmux SHELL=/bin/sh LC_ALL=C.UTF-8
unset TMUX TMUX_PANE SWARM_ROOT SWARM_NAME XDG_RUNTIME_DIR
project=$work/parser
mkdir -p "$HOME" "$TMUX_TMPDIR" "$work/bin" "$project/src"
on_inner() { tmux -u -L inner "$@"; }
on_outer() { tmux -u -L outer "$@"; }
cleanup() {
  on_outer kill-server 2>/dev/null || true
  on_inner kill-server 2>/dev/null || true
  rm -rf "$work"
}
trap cleanup EXIT

for name in swarm swarm-msg; do ln -s "$bin/$name" "$work/bin/$name"; done
for name in claude codex gemini opencode; do ln -s "$bin/fake-agent" "$work/bin/$name"; done
export PATH=$work/bin:$PATH
export FAKE_AGENT_LOG="$work/{style}.log" FAKE_AGENT_CONTROL="$work/{style}.control"

# Waits until a command succeeds.
until_true() {
  local tries=0
  until "$@" >/dev/null 2>&1; do
    tries=$((tries + 1))
    [ "$tries" -le 300 ] || { echo "pictures.sh: never came true: $*" >&2; on_outer capture-pane -p >&2; exit 1; }
    sleep 0.1
  done
}
shows() { on_outer capture-pane -p | grep -q -- "$1"; }
# NAME TITLE [light]
picture() { on_outer capture-pane -p -e -N | "$bin/picture" "$2" "${3:-}" >"$out/$1.svg" && echo "docs/pictures/$1.svg"; }
# The terminal has another size, and what is in it has seen that.
size() {
  on_outer resize-window -x "$1" -y "$2"
  until_true sh -c "[ \"\$(tmux -u -L inner display-message -p '#{window_width}x#{window_height}')\" = $1x$(($2 - 1)) ]"
}

cd "$project"
on_inner -f /dev/null new-session -d -x 118 -y 34 -n agents 'claude; exec sh'
on_inner split-window -h 'codex; exec sh'
on_inner split-window -t 0 'gemini; exec sh'
on_inner split-window -t 2 'opencode; exec sh'
TMUX=$(on_inner display-message -p '#{socket_path},#{pid},0')
export TMUX
on_inner set-option -g @swarm-bin "$bin/swarm" \; set-option -g status-right-length 60 \; set-option -g status-right '#{E:@swarm-status}' \; \
  set-option -g status-style 'bg=colour237,fg=colour250' \; \
  set-option -g pane-border-status top \; set-option -g pane-border-format ' #{E:@swarm-label}'
on_inner run-shell "$root/swarm.tmux"
for style in claude codex gemini opencode; do until_true grep -q start "$work/$style.log"; done
swarm discover --init --quiet

env -u TMUX tmux -u -L outer -f /dev/null new-session -d -x 118 -y 34 "env -u TMUX tmux -u -L inner attach" \; set-option -g status off
until_true shows claude-1

# A little life: a question and its answer, leases, a dialog, an agent at work, mail for the human.
# What a person types into an agent's pane; the agent runs it as its tool.
told() {
  on_inner send-keys -t "$1" -l "TOOL(($2))"
  until_true sh -c "tmux -u -L inner capture-pane -p -t $1 | grep -q '))'"
  sleep 0.3 # the scripted agents take a key that follows at once for a part of a paste, as real ones do
  on_inner send-keys -t "$1" Enter
}
told agents.0 'swarm-msg send codex-1 --type QUESTION "is the grammar settled?"'
until_true grep -q '"submitted".*QUESTION from claude-1' "$work/codex.log"
told agents.2 'swarm-msg send claude-1 "yes: version 3, in docs/grammar.md"'
until_true grep -q '"submitted".*from codex-1 to claude-1' "$work/claude.log"
told agents.1 'swarm-msg lock src/parser.rs src/lexer.rs --reason "new syntax"'
until_true sh -c 'swarm locks | grep -q gemini-1'
told agents.3 'swarm-msg send human --type QUESTION "which port shall the server use?"'
until_true sh -c 'swarm inbox | grep -q port'
# shellcheck disable=SC2016 # expanded by that shell
until_true sh -c '[ "$(swarm agents | grep -c " idle ")" = 4 ]'
swarm coord init >/dev/null
swarm coord add review 'codex-1 reads src/parser.rs once gemini-1 is done' >/dev/null
until_true shows '✉'
picture team 'agents in tmux panes, with border labels and the status segment'
echo 'dialog cargo publish' >"$work/codex.control"
echo 'busy 600' >"$work/gemini.control"
swarm send --no-wait codex-1 'when you are free: review src/lexer.rs' >/dev/null
until_true sh -c 'swarm agents | grep codex-1 | grep -q dialog'
until_true sh -c 'swarm agents | grep gemini-1 | grep -q busy'

on_outer send-keys C-b S
until_true shows Dashboard
picture menu 'prefix S'
on_outer send-keys Escape
on_inner new-window -n dashboard 'swarm dashboard'
until_true shows 'codex-1 .*dialog'
until_true shows 'answering'
until_true shows 'mail goes by'
until_true shows ' keys  q quit'
picture dashboard 'swarm dashboard'

# The same in the sizes that people have, on a dark and on a light terminal.
for wide in '80 24' '200 60'; do
  # shellcheck disable=SC2086 # two numbers
  size $wide
  until_true shows ' keys  q quit'
  until_true shows 'codex-1 .*dialog'
  picture "sizes/dashboard-${wide/ /x}" "swarm dashboard, ${wide/ /x}"
  picture "sizes/dashboard-${wide/ /x}-light" "swarm dashboard, ${wide/ /x}" light
done
on_inner select-window -t agents
for small in '80 20' '60 15'; do
  # shellcheck disable=SC2086
  size $small
  on_outer send-keys C-b S
  until_true shows Dashboard
  picture "sizes/menu-${small/ /x}" "prefix S, ${small/ /x}"
  on_outer send-keys Escape
  on_outer send-keys Escape
  until_true sh -c "! tmux -u -L outer capture-pane -p | grep -q 'Next agent'"
done

# The badge on tmux's own status line, and in a dark and a light theme.
size 80 20
badge() { # STYLE NAME: the last row, with that name in it
  on_inner set-option -g status-style "$1"
  on_inner set-option -g status-left " $2 "
  until_true shows "$2"
  on_outer capture-pane -p -e -N -S 19 -E 19 >>"$work/badges"
}
badge 'bg=green,fg=black' default
badge 'bg=#1e1e2e,fg=#cdd6f4' dark
badge 'bg=#fdf6e3,fg=#657b83' light
"$bin/picture" "the badge on tmux's status line and in two themes" <"$work/badges" >"$out/sizes/badge.svg" && echo docs/pictures/sizes/badge.svg
