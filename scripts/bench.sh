#!/usr/bin/env bash
# Speed, as ratios side by side in one run. usage: scripts/bench.sh [build|up|gateway]...
set -euo pipefail
cd "$(dirname "$0")/.."
go build -o bin/bench ./scripts/bench
exec bin/bench -nself "$PWD/bin/nself" "$@"
