#!/usr/bin/env bash
# package.sh arm64|amd64: builds sightd's Debian package into target/deb and prints its path. arm64 is built by
# scripts/cross.sh and runs from glibc 2.27 on (JetPack 4.6); amd64 is built for the release it is built on.
set -euo pipefail
here=$(cd "$(dirname "$0")" && pwd)
root=$(dirname "$here")
tools=${SIGHTD_STORE:-$root/.sightd}/cross/cargo-deb
version=3.8.0

fail() { echo "package: $*" >&2; exit 1; }
[ $# = 1 ] || fail "usage: package.sh arm64|amd64"
cd "$root"
case $1 in
  arm64)
    options=(--target aarch64-unknown-linux-gnu)
    export CARGO_TARGET_DIR=$root/target/cross
    "$here/cross.sh" >&2
    ;;
  amd64)
    options=(--variant amd64)
    export CARGO_TARGET_DIR=${CARGO_TARGET_DIR:-$root/target}
    cargo build --release --locked --quiet --bin sightd >&2
    ;;
  *) fail "no package for $1: arm64 or amd64" ;;
esac

if [ "$("$tools/bin/cargo-deb" --version 2>/dev/null)" != "$version" ]; then
  echo "package: building cargo-deb $version" >&2
  CARGO_TARGET_DIR=$tools/target cargo install --quiet --locked --root "$tools" --profile dev --no-default-features \
    "cargo-deb@$version" >&2
  rm -rf "$tools/target"
fi
[ -f .sightd/models/ssdlite-mobilenet-v2.onnx ] || fail "the default model is missing: run make build"
mkdir -p target/deb
release=$(sed -n 's/^version = "\(.*\)"/\1/p' Cargo.toml | head -1)
cat > target/deb/changelog <<END
sightd ($release) unstable; urgency=medium

  * See /usr/share/doc/sightd/CHANGELOG.md.

 -- The sightd authors <sightd@localhost>  $(git log -1 --format=%cD 2>/dev/null || date -R)
END
"$tools/bin/cargo-deb" --no-build --no-strip --deb-revision '' --output target/deb "${options[@]}"
