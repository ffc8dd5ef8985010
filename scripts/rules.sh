#!/usr/bin/env bash
# A newer set of rules for agents, for those who have an older program: the built-in profiles of this checkout, signed.
#
#   scripts/rules.sh key FILE                   makes a maintainer's key (ed25519), and prints its line for src/cli/profile/rules.signers
#   scripts/rules.sh sign NUMBER KEY [DIR]      writes DIR/profiles.json and profiles.json.sig (default: plugin)
#
# NUMBER is the day and two digits (2026112600), and higher than that of any set before and than BUILT_IN in src/core/rules.rs. The key
# stays with the maintainer: in a file with a passphrase, or in an agent (then KEY is the public part).
set -euo pipefail
root=$(cd "$(dirname "$0")/.." && pwd)
fail() {
  printf 'rules.sh: %s\n' "$*" >&2
  exit 1
}
case ${1:-} in
key)
  [ $# -eq 2 ] || fail 'say where the key goes'
  ssh-keygen -q -t ed25519 -C swarm-rules -f "$2"
  printf 'swarm-rules %s\n' "$(cut -d' ' -f1,2 "$2.pub")"
  ;;
sign)
  [ $# -ge 3 ] || fail 'say the number and the key'
  case $2 in *[!0-9]* | '') fail "$2 is not a number" ;; esac
  out=${4:-$root/plugin}
  mkdir -p "$out"
  python3 - "$2" "$root/src/agents/profiles" >"$out/profiles.json" <<'P'
import json, pathlib, sys
files = sorted(pathlib.Path(sys.argv[2]).glob("*.toml"))
print(json.dumps({"format": 1, "number": int(sys.argv[1]), "profiles": {f.name: f.read_text() for f in files}}, ensure_ascii=False))
P
  rm -f "$out/profiles.json.sig"
  ssh-keygen -q -Y sign -n swarm-rules -f "$3" "$out/profiles.json"
  printf '%s is signed; try it: swarm profile update %s\n' "$out/profiles.json" "$out"
  ;;
*) sed -n '2,8p' "$0" >&2 && exit 2 ;;
esac
