#!/bin/sh
# Runs swarm for the hooks of this package: the program that installed it, that of the checkout in which it lies, or the one on PATH.
# A program of another version than the package does nothing. Without a program the agent goes on as if there were no hooks.
program='@PROGRAM@'
SWARM_PACKAGE=@VERSION@
[ -x "$program" ] || program=$(CDPATH='' cd -- "$(dirname -- "$0")/../../.." 2>/dev/null && pwd -P)/bin/swarm
[ -x "$program" ] || program=$(PATH="$PATH:$HOME/.cargo/bin:$HOME/.local/bin" && command -v swarm)
[ -n "$program" ] || exit 0
export SWARM_PACKAGE
exec "$program" "$@"
