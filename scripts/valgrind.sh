#!/usr/bin/env bash
# valgrind.sh: runs the unsafe code (src/infer/runtime) under valgrind: the unit tests of the function table, then
# loading, a session and runs on each downloaded ONNX Runtime. Takes about two minutes per library.
# Needs Debian's package valgrind and `scripts/setup.sh test`. tests/valgrind.supp lists errors outside our code.
set -euo pipefail
cd "$(dirname "$0")/.."
command -v valgrind > /dev/null || { echo "valgrind is missing: apt-get install valgrind" >&2; exit 1; }

host=$(rustc -vV | sed -n 's/^host: //p' | tr 'a-z-' 'A-Z_')
export "CARGO_TARGET_${host}_RUNNER=valgrind --quiet --error-exitcode=9 --trace-children=yes --num-callers=30 \
--leak-check=full --errors-for-leak-kinds=definite --show-leak-kinds=definite --suppressions=$PWD/tests/valgrind.supp"

cargo test --locked --package sightd-detector --lib -- infer::runtime:: --test-threads=1
cargo test --locked --test it -- --exact --nocapture --test-threads=1 \
  runtimes::the_same_detections_on_every_library runtimes::a_process_keeps_its_library
