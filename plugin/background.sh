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
# How to follow an installation: the key tells it as long as it has nothing else to do.
if [ -n "$exe" ]; then
  follow="; the old one serves meanwhile${key:+ (prefix $key, then L: how far it is)}"
else
  follow=${hint:+$hint tells how far it is}
fi

# What the status segment shows meanwhile.
shows() { tmux set-option -s @swarm-installing "$1"; }

# Its own lines, and its exit code behind them; of cargo's only the log keeps track, and the number of crates here.
{
  /bin/sh "$plugin/install.sh" --once "${2:-auto}" 2>&1 </dev/null
  echo "code $?"
} | {
  why='' crates=0
  while IFS= read -r line; do
    case $line in
    'swarm: downloading'*)
      shows 'downloading'
      say "swarm is being downloaded$follow" 3000
      ;;
    'swarm: downloaded '*) shows "downloading ${line#swarm: downloaded }" ;;
    'swarm: building'*)
      shows 'building'
      say "swarm is being built in the background$follow" 3000
      ;;
    '   Compiling tmux-swarm '*) shows 'building: the last step' ;;
    '   Compiling '*) crates=$((crates + 1)) && shows "building: $crates crates" ;;
    'swarm: the program is up to date') exit 0 ;;
    'swarm: installed'*) ;;
    'swarm: '*[!\ ]*) why="${why:+$why; }${line#swarm: }" ;;
    'code 0')
      # Nobody who took the plugin out meanwhile gets it back.
      [ -n "$(tmux show-options -sqv @swarm-slot)" ] || exit 0
      /bin/sh "$plugin/../swarm.tmux"
      say "swarm is installed and ready$hint" 5000
      ;;
    'code 4') exit 4 ;; # another one is running, and will tell
    'code '*) say "swarm could not be installed: ${why:-see the log}${key:+ (prefix $key, then L: the log)}" 10000 ;;
    esac
  done
}
[ "$?" -eq 4 ] || tmux set-option -su @swarm-installing
exit 0
