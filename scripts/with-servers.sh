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
free_port() { python3 -c 'import socket; s = socket.create_server(("127.0.0.1", 0)); print(s.getsockname()[1])'; }
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
for _ in $(seq 300); do redis-cli -p "$port" ping >/dev/null 2>&1 && break; sleep 0.1; done
export REDIS_URL="redis://127.0.0.1:$port"

port="$(free_port)"
GOBIN="$tools" GOFLAGS= go install github.com/stripe/stripe-mock@v0.203.0
"$tools/stripe-mock" -http-addr "127.0.0.1:$port" -https-addr 127.0.0.1:0 >/dev/null &
started+=($!)
export STRIPE_MOCK_URL="http://127.0.0.1:$port"
for _ in $(seq 300); do (exec 3<>"/dev/tcp/127.0.0.1/$port") 2>/dev/null && break; sleep 0.1; done
"$@"
