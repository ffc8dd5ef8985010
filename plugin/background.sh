#!/bin/sh
# Installs the program if its sources have changed, while nobody waits for it: background.sh SLOT MODE, started by swarm.tmux. The
# old program serves until the new one is there; then the plugin loads again, and says so. What failed is not tried again until the
# sources change (or by hand, key b); everything else that stands in the way is looked at each time.
# It must print nothing: tmux would put that over the active pane.

plugin=$(CDPATH='' cd -- "$(dirname -- "$0")" && pwd -P) || exit 0
# shellcheck disable=SC2034 # say's
slot=$1
# shellcheck source=plugin/say.sh
. "$plugin/say.sh"
key=$(tmux show-options -sqv @swarm-bound)
exe=$(tmux show-options -sqv @swarm-cli)
hint=${key:+: prefix $key}

# Its own lines, and its exit code behind them; of cargo's only the log keeps track.
{
  /bin/sh "$plugin/install.sh" --once "${2:-auto}" 2>&1 </dev/null
  echo "code $?"
} | {
  why=''
  while IFS= read -r line; do
    case $line in
    'swarm: downloading'*) [ -n "$exe" ] || say "swarm is being downloaded${hint:+$hint tells how far it is}" 3000 ;;
    'swarm: building'*) [ -n "$exe" ] || say "swarm is being built in the background${hint:+$hint tells how far it is}" 3000 ;;
    'swarm: the program is up to date') exit 0 ;;
    'swarm: installed'*) ;;
    'swarm: '*[!\ ]*) why="${why:+$why; }${line#swarm: }" ;;
    'code 0')
      /bin/sh "$plugin/../swarm.tmux"
      say "swarm is installed and ready$hint" 5000
      ;;
    'code 4') ;; # another one is running, and will tell
    'code '*) say "swarm could not be installed: ${why:-see the log}${key:+ (prefix $key, then L: the log)}" 10000 ;;
    esac
  done
}
exit 0
