#!/bin/sh
# Takes the plugin out of the running tmux server: its key, hooks and @swarm-* options (the user's too; the
# configuration sets those again). Projects, the program and the names on panes are not touched.

here=$(CDPATH='' cd -- "$(dirname -- "$0")" && pwd -P) || exit 1
key=$(tmux show-options -sqv @swarm-bound)
if [ -n "$key" ]; then
  case $(tmux list-keys -T prefix "$key" 2>/dev/null) in *@swarm-plugin*) tmux unbind-key -T prefix "$key" ;; esac
fi
slot=$(tmux show-options -sqv @swarm-slot)
set --
for event in $(cat "$here/hooks") client-session-changed; do
  [ -z "$slot" ] || set -- "$@" set-hook -gu "${event}[$slot]" \;
done
for scope in s g; do
  for name in $(tmux show-options "-$scope" | sed -n 's/^\(@swarm-[^ ]*\).*/\1/p'); do
    set -- "$@" set-option "-${scope}u" "$name" \;
  done
done
[ "$#" -eq 0 ] || tmux "$@"
exit 0
