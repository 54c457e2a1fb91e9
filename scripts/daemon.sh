# daemon.sh: starts a daemon for scripts that send requests to it. Source it from the repository's root, with
# `set -euo pipefail`.
# shellcheck shell=bash

# daemon FOLDER ARGUMENT...: starts `sightd run` on a free port, with its log in FOLDER, waits until it is ready and
# sets $url. When the script exits, the daemon is stopped and FOLDER deleted. Needs the model that set-up imports.
daemon() {
  local folder=$1
  shift
  "${SIGHTD:-target/debug/sightd}" run --listen 127.0.0.1:0 --model .sightd/models/ssdlite-mobilenet-v2.onnx "$@" \
    >"$folder/log" 2>&1 &
  # shellcheck disable=SC2064 # expand now, not when the trap runs
  trap "kill $! 2>/dev/null; wait $! 2>/dev/null; rm -rf '$folder'" EXIT
  url=
  for _ in $(seq 600); do
    url=$(grep -ao 'http://127.0.0.1:[0-9]*' "$folder/log" | head -n 1) || true
    [ -n "$url" ] && curl --silent --fail "$url/readyz" >/dev/null && return
    kill -0 $! 2>/dev/null || break
    sleep 0.1
  done
  cat "$folder/log" >&2
  return 1
}
