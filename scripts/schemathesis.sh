#!/usr/bin/env bash
# schemathesis.sh SECONDS: asks a running daemon everything that /openapi.json describes, with good and bad requests made
# up by Schemathesis, for SECONDS. Fails on any 5xx that is not described, and on any answer that differs from its
# schema. Routes that never end, and those that would change or end the run, are left out.
set -euo pipefail
cd "$(dirname "$0")/.."
seconds=${1:-60}
program=${SIGHTD:-target/debug/sightd}
python=.sightd/schemathesis/bin/python
folder=$(mktemp -d)

if ! [ -x "$program" ]; then cargo build --locked --quiet --bin sightd; fi
"$program" run --listen 127.0.0.1:0 --source test://ball --model .sightd/models/ssdlite-mobilenet-v2.onnx \
  >"$folder/log" 2>&1 &
daemon=$!
trap 'kill "$daemon" 2>/dev/null; wait "$daemon" 2>/dev/null; rm -rf "$folder"' EXIT

url=
for _ in $(seq 600); do
  url=$(grep -ao 'http://127.0.0.1:[0-9]*' "$folder/log" | head -n 1) || true
  [ -n "$url" ] && curl --silent --fail "$url/readyz" >/dev/null && break
  kill -0 "$daemon" 2>/dev/null || { cat "$folder/log"; exit 1; }
  sleep 0.1
done

status=0
timeout --foreground --signal=INT "$((seconds + 120))" \
  "$python" -m schemathesis.cli --config-file scripts/schemathesis.toml run "$url/openapi.json" --max-time "$seconds" --continue-on-failure \
  --exclude-path-regex '/(stream|live[.]mjpg)$' \
  --checks not_a_server_error,status_code_conformance,content_type_conformance,response_schema_conformance,response_headers_conformance \
  --no-color || status=$?
grep -a 'panicked' "$folder/log" && status=1
exit "$status"
