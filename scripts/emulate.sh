#!/usr/bin/env bash
# emulate.sh: runs the aarch64 program that cross.sh built in an arm64 Debian 11 userland under qemu, with ONNX Runtime
# 1.11.0 for arm64 (the version for the Jetson Nano). Tests that it installs the runtime, detects the same objects in
# photos as on x86-64, plays footage, responds over HTTP, and stops on SIGTERM.
# This tests our code on aarch64, but not the Nano's GPU, cameras, kernel and JetPack.
set -euo pipefail
here=$(cd "$(dirname "$0")" && pwd)
root=$(dirname "$here")
cd "$root"
store=${SIGHTD_STORE:-$root/.sightd}
sysroot=$store/cross/sysroot
binary=$root/target/cross/aarch64-unknown-linux-gnu/release/sightd
work=$root/target/emulate
model=$store/models/ssdlite-mobilenet-v2
tolerance=1e-3

fail() { echo "emulate: $*" >&2; exit 1; }
say() { echo "emulate: $*" >&2; }
for tool in qemu-aarch64-static gst-launch-1.0 curl python3; do
  command -v "$tool" >/dev/null || fail "$tool is needed: run scripts/setup.sh test"
done
[ -x "$binary" ] && [ -f "$sysroot/.complete" ] || fail "$binary is missing: run make cross"
cargo build --locked --quiet --bin sightd
native=${CARGO_TARGET_DIR:-$root/target}/debug/sightd
[ -f "$model.onnx" ] || "$native" model import "$store/weights/coco-ssd/model.json" -o "$model.onnx"

# emulated SECONDS ARGUMENT...: replaces the shell (call it in a subshell) with sightd in the userland, and kills it
# after SECONDS. The userland is its root directory, so that it cannot use files of this machine by mistake. Requires
# root or unprivileged user namespaces.
emulated() {
  local seconds=$1 enter=(chroot "$sysroot")
  shift
  # libav needs two libraries whose links are created by Debian's alternatives, but no package is configured here.
  local libs=/usr/lib/aarch64-linux-gnu
  [ "$(id -u)" = 0 ] || enter=(unshare --user --map-root-user --root="$sysroot")
  exec env -i PATH="$PATH" GST_REGISTRY=/app/gstreamer-registry.bin GST_REGISTRY_FORK=no \
    SIGHTD__RUNTIME__DEADLINE=120s SIGHTD__RUNTIME__LIBRARY=/app/lib \
    timeout --signal=KILL "$seconds" "${enter[@]}" \
    /usr/bin/qemu-aarch64-static -E "LD_LIBRARY_PATH=$libs/blas:$libs/lapack" /app/sightd "$@"
}

# Copies everything that the program needs to the userland's /app.
populate_userland() {
  local app=$sysroot/app
  mkdir -p "$app" "$work"
  install -m 755 "$(command -v qemu-aarch64-static)" "$sysroot/usr/bin/"
  install -m 755 "$binary" "$app/sightd"
  cp "$model.onnx" "$model.toml" "$store/footage/vtest.avi" "$app/"
  rm -rf "$app/photos" && mkdir "$app/photos"
  # The first frame of the footage is available in every clone. The acceptance data, if present, adds more photos.
  gst-launch-1.0 -q filesrc location="$store/footage/vtest.avi" ! decodebin ! videoconvert ! jpegenc snapshot=true \
    ! filesink location="$app/photos/street.jpg"
  if [ -d "$root/../shared/data/photos" ]; then cp "$root"/../shared/data/photos/*.jpg "$app/photos/"; fi
}

install_runtime() {
  cp "$("$here/fetch.sh" onnxruntime-node 1.11.0)" "$sysroot/app/onnxruntime.tgz"
  (emulated 120 setup-runtime /app/onnxruntime.tgz --to /app/lib)
}

# The detections on aarch64 must match those on x86-64: same image, same class, score and box within the tolerance.
compare_detections() {
  local photos=("$sysroot"/app/photos/*.jpg)
  say "detect in ${#photos[@]} photos on x86-64 and on aarch64"
  SIGHTD__RUNTIME__LIBRARY=$store/lib/onnxruntime-1.11.0 "$native" detect --json \
    --model "$model.onnx" "${photos[@]}" > "$work/x86-64.json"
  (emulated 300 detect --json --model /app/ssdlite-mobilenet-v2.onnx "${photos[@]#"$sysroot"}") > "$work/aarch64.json"
  python3 - "$work/x86-64.json" "$work/aarch64.json" "$tolerance" <<'PYTHON'
import json, sys
here, there = ([json.loads(line) for line in open(path)] for path in sys.argv[1:3])
tolerance, largest, count = float(sys.argv[3]), 0.0, 0
assert len(here) == len(there) > 0, "different images"
for a, b in zip(here, there):
    assert a["frame"] == b["frame"], (a["file"], a["frame"], b["frame"])
    labels = [[found["label"] for found in seen["detections"]] for seen in (a, b)]
    assert labels[0] == labels[1], f"{a['file']}: {labels[0]} on x86-64, {labels[1]} on aarch64"
    for x, y in zip(a["detections"], b["detections"]):
        differences = [abs(x["score"] - y["score"])] + [abs(x["box"][k] - y["box"][k]) for k in "xywh"]
        largest, count = max(largest, *differences), count + 1
assert count > 0, "no detections in any image"
assert largest <= tolerance, f"scores or boxes differ by {largest}, more than {tolerance}"
print(f"{count} detections in {len(here)} photos: scores and boxes differ by {largest:.1e} at most")
PYTHON
}

# Runs the daemon on footage and expects: ready, a scene with persons, the page, and a clean exit.
serve() {
  local port deadline=$((SECONDS + 150)) pid code=0 scenes page
  port=$(python3 -c 'import socket; s = socket.socket(); s.bind(("127.0.0.1", 0)); print(s.getsockname()[1])')
  say "run on footage, port $port"
  emulated 200 run --listen "127.0.0.1:$port" --source 'file:///app/vtest.avi?loop' \
    --model /app/ssdlite-mobilenet-v2.onnx > "$work/run.log" 2>&1 &
  pid=$!
  # shellcheck disable=SC2064 # expand now, not when the trap runs
  trap "kill -TERM $pid 2>/dev/null || true" EXIT
  until scenes=$(curl -sf "localhost:$port/detections?label=person") && [[ $scenes == *'"label":"person"'* ]]; do
    kill -0 $pid 2>/dev/null || { cat "$work/run.log" >&2; fail "sightd exited"; }
    [ $SECONDS -lt $deadline ] || { tail -20 "$work/run.log" >&2; fail "no person was detected within 150 s"; }
    sleep 1
  done
  curl -sf "localhost:$port/readyz" >/dev/null || fail "a scene was published, but /readyz does not report ready"
  page=$(curl -sf "localhost:$port/") && [[ $page == *'</html>'* ]] || fail "the page was not served"
  python3 -c 'import json, sys; s = json.load(sys.stdin)["scenes"][0]; print(
    "run: scene", s["seq"], "of", s["camera"], "on", s["provider"], [d["label"] for d in s["detections"]])' <<<"$scenes"
  kill -TERM $pid
  wait $pid || code=$?
  [ $code = 0 ] && grep -q stopped "$work/run.log" ||
    { tail -20 "$work/run.log" >&2; fail "after SIGTERM it exited with $code"; }
  say "SIGTERM: clean stop, exit code 0"
}

populate_userland
install_runtime
compare_detections
serve
