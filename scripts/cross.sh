#!/usr/bin/env bash
# cross.sh [CARGO OPTION...]: builds sightd for the Jetson Nano (aarch64, glibc 2.27) without Docker, checks that it
# needs no symbol or library that JetPack 4.6 lacks, and prints its path and size.
# Downloads its tools: Debian's Rust with the aarch64 standard library, zig as the linker, a sysroot of Debian 11 arm64
# packages. Requires an x86-64 Debian 12 or newer, and root or sudo on the first run, for the Rust packages.
# Everything is kept in .sightd/cross (about 1.1 GB) and target/cross, so that a second run only builds.
set -euo pipefail
here=$(cd "$(dirname "$0")" && pwd)
root=$(dirname "$here")
cross=${SIGHTD_STORE:-$root/.sightd}/cross
sysroot=$cross/sysroot
triple=aarch64-unknown-linux-gnu
glibc=2.27

fail() { echo "cross: $*" >&2; exit 1; }
say() { echo "cross: $*" >&2; }

# Debian's Rust, because the aarch64 standard library is available as a package; independent of rustup.
install_rust() {
  local packages=(rustc-web cargo-web libstd-rust-web-dev libstd-rust-web-dev:arm64) sudo=()
  [ -d "/usr/lib/rustlib/$triple" ] && [ -x /usr/bin/cargo ] && [ -x /usr/bin/rustc ] && return
  [ "$(dpkg --print-architecture)" = amd64 ] || fail "this script builds on amd64 only"
  [ "$(id -u)" = 0 ] || sudo=(sudo)
  say "installing ${packages[*]}"
  if ! dpkg --print-foreign-architectures | grep -qx arm64; then "${sudo[@]}" dpkg --add-architecture arm64; fi
  "${sudo[@]}" apt-get -qq update
  "${sudo[@]}" env DEBIAN_FRONTEND=noninteractive \
    apt-get -qq -y install --no-install-recommends "${packages[@]}" >/dev/null ||
    fail "could not install ${packages[*]}: they are in Debian 12 and newer"
}

install_zig() {
  local tools=$cross/tools
  cmp -s "$here/cross-tools.txt" "$tools/.complete" && return
  say "fetching zig"
  rm -rf "$tools"
  python3 -m pip install --quiet --no-deps --require-hashes --only-binary :all: --target "$tools" \
    -r "$here/cross-tools.txt" ||
    fail "pip could not fetch zig and cargo-zigbuild: is python3-pip installed, and the network up?"
  cp "$here/cross-tools.txt" "$tools/.complete"
}

build() {
  local libs=$sysroot/usr/lib/aarch64-linux-gnu
  export PATH=/usr/bin:$cross/tools/bin:$PATH RUSTC=/usr/bin/rustc CARGO=/usr/bin/cargo PYTHONPATH=$cross/tools
  export CARGO_ZIGBUILD_ZIG_PATH=$cross/tools/ziglang/zig CARGO_TARGET_DIR=$root/target/cross
  export PKG_CONFIG_ALLOW_CROSS=1 PKG_CONFIG_PATH='' PKG_CONFIG_SYSROOT_DIR=$sysroot
  export PKG_CONFIG_LIBDIR=$libs/pkgconfig:$sysroot/usr/share/pkgconfig
  # The linker must search the sysroot, not this machine, for the dependencies of the sysroot's libraries.
  export CARGO_TARGET_AARCH64_UNKNOWN_LINUX_GNU_RUSTFLAGS="-L native=$libs"
  unset RUSTFLAGS RUSTUP_TOOLCHAIN RUSTC_WRAPPER
  (cd "$root" && cargo-zigbuild zigbuild --release --locked --bin sightd --target "$triple.$glibc" "$@") ||
    fail "the build failed"
}

install_rust
install_zig
say "sysroot in $sysroot"
"$here/sysroot.sh" "$sysroot" libc6-dev libgstreamer1.0-dev libgstreamer-plugins-base1.0-dev gstreamer1.0-plugins-base \
  gstreamer1.0-plugins-good gstreamer1.0-libav gstreamer1.0-tools libgcc-s1 libstdc++6
build "$@"
binary=$root/target/cross/$triple/release/sightd
"$here/symbols.sh" "$binary" "$sysroot/symbols"
echo "$binary: $(stat -c %s "$binary") bytes, stripped"
