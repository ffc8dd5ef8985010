#!/usr/bin/env bash
# The managers of git hooks that tests/managers.rs tries swarm beside, into target/hook-tools: husky 8 and 9, lefthook and
# simple-git-hooks from npm, pre-commit from PyPI. Half a minute, once. What cannot be had is left out, and the test says so.
set -uo pipefail
cd "$(dirname "${BASH_SOURCE[0]}")/.." || exit
dir=$PWD/target/hook-tools
mkdir -p "$dir" && cd "$dir" || exit
if command -v npm >/dev/null; then
  [ -f package.json ] || echo '{"private":true}' >package.json
  npm install --no-audit --no-fund --ignore-scripts husky@9.1.7 husky8@npm:husky@8.0.3 lefthook@2 simple-git-hooks@2 ||
    echo 'hook-tools: npm could not install husky, lefthook and simple-git-hooks' >&2
else
  echo 'hook-tools: npm is not installed: no husky, lefthook, simple-git-hooks' >&2
fi
{ python3 -m venv python && python/bin/pip install -q --disable-pip-version-check pre-commit==4.*; } ||
  echo 'hook-tools: pip could not install pre-commit' >&2
