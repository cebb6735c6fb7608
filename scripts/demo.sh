#!/usr/bin/env bash
# The main job, on real input: from an empty folder to a registered user, without Docker.
# usage: scripts/demo.sh [down]
set -euo pipefail
root=$(cd "$(dirname "$0")/.." && pwd)
export PATH="$root/bin:$PATH"
demo=${DEMO_DIR:-$root/shop}

if [ "${1:-}" = down ]; then
  [ -d "$demo" ] || { echo "no demo in $demo"; exit 0; }
  exec nself down --driver native -C "$demo"
fi

say() { printf '\n\033[1m$ %s\033[0m\n' "$*"; }
[ -t 1 ] && [ -z "${NO_COLOR:-}" ] || say() { printf '\n$ %s\n' "$*"; }
run() { say "$@"; "$@"; }

email=test@example.com
if [ -d "$demo" ]; then
  echo "The demo in $demo is there already; going on with it and with a new e-mail address."
  email="test+$(date +%s)@example.com"
  cd "$demo"
else
  mkdir -p "$(dirname "$demo")" && cd "$(dirname "$demo")"
  run nself init "$(basename "$demo")" --runtime golang
  run cd "$demo"
  run nself action new registerUser --runtime golang
fi
run nself build
run nself up --driver native --auto-ports
input="{\"input\":{\"email\":\"$email\",\"password\":\"password123\",\"name\":\"Test User\"}}"
say "nself action test registerUser --input '$input'"
nself action test registerUser --input "$input"
printf '\nThe project is in %s; its services:\n' "$demo"
nself urls
printf '\nRead the verification mail on the Mails page. Stop with: make demo-down\n'
