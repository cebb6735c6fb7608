#!/usr/bin/env bash
# Speed, as ratios side by side in one run. usage: scripts/bench.sh [-strict] [build|up|watch|docker|gateway|latency|scale|memory]...
set -euo pipefail
cd "$(dirname "$0")/.."
go build -o bin/bench ./scripts/bench
exec bin/bench -scripts "$PWD/scripts/bench" -nself "$PWD/bin/nself" "$@"
