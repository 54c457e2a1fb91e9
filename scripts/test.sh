#!/usr/bin/env bash
# test.sh: runs all tests, then prints one line with the counts. Requires scripts/setup.sh test (make test runs it).
set -uo pipefail
cd "$(dirname "$0")/.." || exit
model=.sightd/models/ssdlite-mobilenet-v2.onnx
log=target/test.log
mkdir -p target .sightd/models

if ! [ -f "$model" ]; then
  cargo run --locked --quiet --bin sightd -- model import .sightd/weights/coco-ssd/model.json -o "$model" || exit 1
fi
cargo test --locked --no-fail-fast "$@" 2>&1 | tee "$log"
status=${PIPESTATUS[0]}

count() {
  awk -v what="$1" '/^test result:/ {for (i = 2; i <= NF; i++) if ($i ~ what) n += $(i - 1)} END {print n + 0}' "$log"
}
left_out=$(grep -c '^left out: ' "$log")
[ "$left_out" = 0 ] || { echo "Tests skipped because of missing data or requirements:"; grep '^left out: ' "$log"; }
echo "$(count '^passed') passed, $(count '^failed') failed, $left_out skipped"
exit "$status"
