#!/usr/bin/env bash
# package.sh arm64|amd64 [VERSION]: builds sightd's Debian package into target/deb and prints its path. arm64 is built
# by scripts/cross.sh and runs from glibc 2.27 on (JetPack 4.6); amd64 is built for the release it is built on.
# The package's maintainer is taken from DEBFULLNAME and DEBEMAIL, as in Debian's own tools, else from git's user.
set -euo pipefail
here=$(cd "$(dirname "$0")" && pwd)
root=$(dirname "$here")
tools=${SIGHTD_STORE:-$root/.sightd}/cross/cargo-deb
cargo_deb=3.8.0

fail() { echo "package: $*" >&2; exit 1; }
[ $# = 1 ] || [ $# = 2 ] || fail "usage: package.sh arm64|amd64 [VERSION]"
cd "$root"
version=${2:-$(sed -n 's/^version = "\(.*\)"/\1/p' Cargo.toml | head -1)}-1
name=${DEBFULLNAME:-$(git config user.name || true)} address=${DEBEMAIL:-$(git config user.email || true)}
[ -n "$name" ] && [ -n "$address" ] ||
  fail "no maintainer: set DEBFULLNAME and DEBEMAIL, or git's user.name and user.email"
maintainer="$name <$address>"
case $1 in
  arm64)
    triple=aarch64-unknown-linux-gnu
    options=(--target "$triple")
    export CARGO_TARGET_DIR=$root/target/cross
    "$here/cross.sh" >&2
    ;;
  amd64)
    triple=x86_64-unknown-linux-gnu
    options=(--variant amd64)
    export CARGO_TARGET_DIR=${CARGO_TARGET_DIR:-$root/target}
    cargo build --release --locked --quiet --bin sightd >&2
    ;;
  *) fail "no package for $1: arm64 or amd64" ;;
esac

if [ "$("$tools/bin/cargo-deb" --version 2>/dev/null)" != "cargo-deb $cargo_deb" ]; then
  echo "package: building cargo-deb $cargo_deb" >&2
  CARGO_TARGET_DIR=$tools/target cargo install --quiet --locked --root "$tools" --profile dev --no-default-features \
    "cargo-deb@$cargo_deb" >&2
  rm -rf "$tools/target"
fi
[ -f .sightd/models/ssdlite-mobilenet-v2.onnx ] || fail "the default model is missing: run make build"
mkdir -p target/deb
"$here/licences.sh" $triple | gzip -9n > target/deb/licences.txt.gz
cat > target/deb/changelog <<CHANGELOG
sightd ($version) unstable; urgency=medium

  * See /usr/share/doc/sightd/CHANGELOG.md.

 -- $maintainer  $(git log -1 --format=%cD 2>/dev/null || date -R)
CHANGELOG
"$tools/bin/cargo-deb" --quiet --no-build --no-strip --deb-version "$version" --maintainer "$maintainer" \
  --output target/deb "${options[@]}"
