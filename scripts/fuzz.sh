#!/usr/bin/env bash
# fuzz.sh SECONDS [TARGET...]: fuzzes the importers for that long each (docs/fuzzing.md), with libFuzzer and the stable
# toolchain: coverage is an ordinary LLVM pass, and no sanitizer is needed where there is no unsafe code.
set -euo pipefail
cd "$(dirname "$0")/../fuzz"
seconds=${1:?usage: fuzz.sh SECONDS [TARGET...]}
shift
targets=("$@")
[ ${#targets[@]} -gt 0 ] || targets=(tfjs frozen tflite onnx)
host=$(rustc -vV | awk '/^host/ {print $2}')
work=$PWD/target
# Use the daemon's dependency versions; cargo adds those that only the fuzzer needs.
cp ../Cargo.lock Cargo.lock

RUSTFLAGS="--cfg fuzzing -Cpasses=sancov-module -Cllvm-args=-sanitizer-coverage-level=4 \
  -Cllvm-args=-sanitizer-coverage-inline-8bit-counters -Cllvm-args=-sanitizer-coverage-pc-table \
  -Cllvm-args=-sanitizer-coverage-trace-compares" \
  cargo build --quiet --target "$host"

# Fuzzes one target and prints the result.
fuzz() {
  local target=$1
  mkdir -p "$work/corpus/$target" artifacts
  if ! "$work/$host/debug/$target" "$work/corpus/$target" "seeds/$target" -max_total_time="$seconds" \
    -timeout=20 -rss_limit_mb=2048 -artifact_prefix="artifacts/$target-" -print_final_stats=1 \
    2>"$work/$target.log"; then
    tail -n 40 "$work/$target.log" >&2
    echo "fuzz: $target failed: the input is in fuzz/artifacts" >&2
    return 1
  fi
  awk -v t="$target" '/DONE/ {sub(/^#/, "", $1); runs = $1; for (i = 1; i < NF; i++) if ($i == "cov:") cov = $(i + 1)}
    END {printf "fuzz: %s: %s inputs, %s edges, no failure\n", t, runs, cov}' "$work/$target.log"
}

# Two targets at a time.
for ((i = 0; i < ${#targets[@]}; i += 2)); do
  fuzz "${targets[i]}" &
  first=$!
  [ -z "${targets[i + 1]:-}" ] || fuzz "${targets[i + 1]}"
  wait "$first"
done
