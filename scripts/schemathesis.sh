#!/usr/bin/env bash
# schemathesis.sh SECONDS: tests all routes in /openapi.json of a running daemon with valid and invalid requests that
# Schemathesis generates, for SECONDS. Fails on any undocumented 5xx and on any response that does not match its schema.
# Routes that never end, and those that would change or stop the daemon, are excluded.
set -euo pipefail
cd "$(dirname "$0")/.."
seconds=${1:-60}
program=${SIGHTD:-target/debug/sightd}
python=.sightd/schemathesis/bin/python
folder=$(mktemp -d)
checks=not_a_server_error,status_code_conformance,content_type_conformance
checks+=,response_schema_conformance,response_headers_conformance

if ! [ -x "$program" ]; then cargo build --locked --quiet --bin sightd; fi
. scripts/daemon.sh
daemon "$folder" --source test://ball

status=0
timeout --foreground --signal=INT "$((seconds + 120))" \
  "$python" -m schemathesis.cli --config-file scripts/schemathesis.toml run "$url/openapi.json" \
  --max-time "$seconds" --continue-on-failure --exclude-path-regex '/(stream|live[.]mjpg)$' --checks "$checks" \
  --no-color || status=$?
grep -a 'panicked' "$folder/log" && status=1
exit "$status"
