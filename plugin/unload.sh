#!/bin/sh
# Takes the plugin out of the running tmux server: its key, hooks and @swarm-* options (the user's too; the
# configuration sets those again). Projects, the program and the names on panes are not touched.

here=$(CDPATH='' cd -- "$(dirname -- "$0")" && pwd -P) || exit 1
# What swarm.tmux binds, and nothing that the user put in its place.
ours() { case $1 in *@swarm-plugin* | *choose-tree*@swarm_agent*) true ;; *) false ;; esac; }
key=$(tmux show-options -sqv @swarm-bound)
# tmux takes a `;` at the end of a word for the end of a command.
case $key in *';') key="${key%;}\;" ;; esac
if [ -n "$key" ] && ours "$(tmux list-keys -T prefix -- "$key" 2>/dev/null)"; then tmux unbind-key -T prefix -- "$key"; fi
while read -r letter _; do
  case $letter in '' | '#' | --) continue ;; esac
  if ours "$(tmux list-keys -T swarm "$letter" 2>/dev/null)"; then tmux unbind-key -T swarm "$letter"; fi
done <"$here/actions"
slot=$(tmux show-options -sqv @swarm-slot)
set --
for event in $(cat "$here/hooks") client-session-changed; do
  [ -z "$slot" ] || set -- "$@" set-hook -gu "${event}[$slot]" \;
done
for scope in s g; do
  for name in $(tmux show-options "-$scope" | sed -n 's/^\(@swarm[-_][^ ]*\).*/\1/p'); do
    set -- "$@" set-option "-${scope}u" "$name" \;
  done
done
[ "$#" -eq 0 ] || tmux "$@"
exit 0
