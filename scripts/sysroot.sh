#!/usr/bin/env bash
# sysroot.sh DIR PACKAGE...: extracts Debian 11 (bullseye) arm64 packages and their dependencies into DIR.
# Uses a private apt configuration with the usual signature checks; installs nothing and needs neither chroot nor root.
# The folder serves as the cross linker's sysroot and as the userland in which qemu runs our program. A second run with
# the same packages does nothing. SIGHTD_DEBIAN_MIRROR overrides the Debian mirror of this machine's apt.
set -euo pipefail

fail() { echo "sysroot: $*" >&2; exit 1; }
[ $# -ge 2 ] || fail "usage: sysroot.sh DIR PACKAGE..."
dir=$1; shift
suite=bullseye
keyring=/usr/share/keyrings/debian-archive-keyring.gpg
wanted="$suite $*"
[ -f "$dir/.complete" ] && [ "$(cat "$dir/.complete")" = "$wanted" ] && exit 0

for tool in apt-get dpkg-deb; do command -v "$tool" >/dev/null || fail "$tool is needed: use Debian or Ubuntu"; done
[ -f "$keyring" ] || fail "$keyring is needed: apt-get install debian-archive-keyring"
mirror=$("$(dirname "$0")/mirror.sh")

apt=$(mktemp -d)
trap 'rm -rf "$apt"' EXIT
mkdir -p "$apt"/{lists/partial,cache/archives/partial,parts,preferences}
: > "$apt/status"
echo "deb [arch=arm64 signed-by=$keyring] $mirror $suite main" > "$apt/sources.list"
private_apt() {
  apt-get -qq -y -o Dir::Etc::SourceList="$apt/sources.list" -o Dir::Etc::SourceParts="$apt/parts" \
    -o Dir::Etc::PreferencesParts="$apt/preferences" -o Dir::State::Lists="$apt/lists" \
    -o Dir::State::status="$apt/status" -o Dir::Cache="$apt/cache" -o APT::Architecture=arm64 \
    -o APT::Architectures=arm64 -o APT::Sandbox::User= -o APT::Install-Recommends=false \
    -o Acquire::Languages=none -o Debug::NoLocking=true "$@"
}
private_apt update || fail "$suite is not available from $mirror. Debian 11 is past its long-term support: \
if your mirror has removed it, set SIGHTD_DEBIAN_MIRROR to one that keeps old releases"
private_apt --download-only install "$@" || fail "apt could not fetch $*"

rm -rf "$dir"
mkdir -p "$dir"
for package in "$apt"/cache/archives/*.deb; do dpkg-deb -x "$package" "$dir"; done
# The packages' symbol lists, with the version that introduced each symbol, for symbols.sh.
mkdir -p "$dir/symbols"
for package in "$apt"/cache/archives/{libglib2.0-0,libgstreamer1.0-0,libgstreamer-plugins-base1.0-0}_*.deb; do
  dpkg-deb -I "$package" symbols > "$dir/symbols/$(basename "${package%%_*}").symbols"
done
# Make absolute links relative, so that they stay inside the sysroot.
find "$dir" -type l -lname '/*' -print0 | while IFS= read -r -d '' link; do
  target=$(readlink "$link")
  ln -sfn "$(realpath -m --relative-to="$(dirname "$link")" "$dir$target")" "$link"
done
echo "$wanted" > "$dir/.complete"
