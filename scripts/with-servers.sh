#!/usr/bin/env bash
# Runs a command with a Postgres (DATABASE_URL), a Redis (REDIS_URL) and Stripe's own server for tests (STRIPE_MOCK_URL) that
# are gone after it. It needs the programs of the first two, and Go for the third.
set -euo pipefail

bin="$(dirname "$(command -v initdb || ls -d /usr/lib/postgresql/*/bin/initdb /opt/homebrew/opt/postgresql*/bin/initdb 2>/dev/null | tail -n 1)")"
[ -x "$bin/initdb" ] || { echo "with-servers: Postgres is not installed" >&2; exit 1; }
command -v redis-server >/dev/null || { echo "with-servers: redis-server is not installed" >&2; exit 1; }

# Postgres refuses to run as root.
as=()
dir="$(mktemp -d)"
if [ "$(id -u)" = 0 ]; then
  as=(setpriv --reuid=nobody --regid="$(id -g nobody)" --clear-groups)
  chown nobody "$dir"
fi
# free_port is below those that the system gives to outgoing connections, one of which could have it before the server has.
free_port() {
  python3 -c '
import random, socket
while True:
    port = random.randrange(10000, 15000)
    with socket.socket() as s:
        if s.connect_ex(("127.0.0.1", port)):
            print(port)
            break'
}
# await runs a command until it succeeds, and ends the script where it does not in two minutes.
await() {
  local what="$1"
  shift
  for _ in $(seq 1200); do
    if "$@" >/dev/null 2>&1; then return; fi
    sleep 0.1
  done
  echo "with-servers: $what does not answer" >&2
  exit 1
}
tools="$(mktemp -d)"
started=()
finish() {
  [ ${#started[@]} = 0 ] || kill "${started[@]}" || true
  (cd "$dir" && "${as[@]}" "$bin/pg_ctl" -D "$dir/data" -m immediate stop >/dev/null 2>&1) || true
  rm -rf "$dir" "$tools"
}
trap finish EXIT

port="$(free_port)"
(
  cd "$dir"
  "${as[@]}" "$bin/initdb" -D data -U postgres -A trust -E UTF8 --no-sync >/dev/null
  "${as[@]}" "$bin/pg_ctl" -D data -l log -w -t 120 \
    -o "-p $port -k $dir -c listen_addresses=127.0.0.1 -c fsync=off -c max_connections=200" start >/dev/null || { cat log >&2; exit 1; }
)
export DATABASE_URL="postgres://postgres@127.0.0.1:$port/postgres"
port="$(free_port)"
redis-server --port "$port" --bind 127.0.0.1 --save '' --dir "$dir" >/dev/null &
started+=($!)
await "redis-server" redis-cli -p "$port" ping
export REDIS_URL="redis://127.0.0.1:$port"

GOBIN="$tools" GOFLAGS= go install github.com/stripe/stripe-mock@v0.203.0
port="$(free_port)"
"$tools/stripe-mock" -http-addr "127.0.0.1:$port" -https-addr 127.0.0.1:0 >/dev/null &
started+=($!)
export STRIPE_MOCK_URL="http://127.0.0.1:$port"
await "stripe-mock" bash -c "exec 3<>/dev/tcp/127.0.0.1/$port"
"$@"
