#!/usr/bin/env bash
# long.sh: the long tests: 50 rounds of a failing RTSP server, ten minutes of looped footage at 4x speed, 15 model swaps
# under load, the clients benchmark, ten minutes of fuzzing per importer, ten minutes of generated requests to the API.
set -euo pipefail
cd "$(dirname "$0")/.."
SIGHTD_LONG=1 cargo test --locked --test it source:: -- --nocapture
SIGHTD_LONG=1 cargo test --locked --test it swap:: -- --nocapture --test-threads=1
cargo bench --locked --bench clients
scripts/fuzz.sh 600
cargo build --locked --quiet --bin sightd
scripts/schemathesis.sh 600
