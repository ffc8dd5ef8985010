#!/bin/sh
# shellcheck disable=SC2154 # slot is the caller's
# say TEXT [MS]: one message to whoever is at the terminals, once. While the configuration loads nobody is attached and a
# message would be lost, so it waits for the first client. The text stays in an option: display-message would expand # and %
# in an argument. slot is the plugin's index in hook arrays.
say() {
  [ "$(tmux show-options -sqv @swarm-told)" = "$1" ] && return
  if [ -n "$(tmux list-clients 2>/dev/null)" ]; then
    tmux set-option -s @swarm-told "$1" \; display-message ${2:+-d "$2"} '#{@swarm-told}'
  else
    tmux set-option -s @swarm-told "$1" \; set-hook -g "client-session-changed[$slot]" \
      "set-hook -gu 'client-session-changed[$slot]' ; display-message ${2:+-d $2} '#{@swarm-told}'"
  fi
}
