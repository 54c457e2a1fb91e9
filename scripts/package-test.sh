#!/usr/bin/env bash
# package-test.sh [amd64|arm64]...: builds the Debian packages and installs, upgrades, removes and purges them in clean
# Debian systems: Debian 12 amd64, booted with its own systemd, and Debian 11 arm64 under emulation, without a running
# systemd.
# Needs root (chroots, a container, binfmt_misc) and a Debian host. The clean systems are kept in target/package-test
# (0.8 GB). The package versions 0.0.1 and 0.0.2 contain the same program. Ubuntu 18.04 itself was not available.
set -euo pipefail
here=$(cd "$(dirname "$0")" && pwd)
root=$(dirname "$here")
clean=$root/target/package-test
export DEBFULLNAME=${DEBFULLNAME:-package test} DEBEMAIL=${DEBEMAIL:-package-test@sightd.invalid}

fail() { echo "package-test: $*" >&2; exit 1; }
say() { echo "package-test: $*" >&2; }
[ "$(id -u)" = 0 ] || fail "needs root: sudo make package-test"

install_tools() {
  local missing=()
  for package in debootstrap lintian systemd-container qemu-user-static; do
    dpkg-query -W -f '${db:Status-Status}' "$package" 2>/dev/null | grep -qx installed || missing+=("$package")
  done
  [ ${#missing[@]} = 0 ] ||
    DEBIAN_FRONTEND=noninteractive apt-get -qq -y install --no-install-recommends "${missing[@]}"
}

# Makes the kernel run arm64 programs with qemu, also in chroots, until this script exits.
emulate_arm64() {
  local binfmt=/proc/sys/fs/binfmt_misc
  [ -e $binfmt/register ] || mount -t binfmt_misc none $binfmt
  grep -qs aarch64 $binfmt/* 2>/dev/null && return
  sed 's/^:qemu-aarch64:/:sightd-aarch64:/' /usr/lib/binfmt.d/qemu-aarch64.conf > $binfmt/register
}
forget_arm64() {
  local ours=/proc/sys/fs/binfmt_misc/sightd-aarch64
  [ ! -e $ours ] || echo -1 > $ours
}

# debian NAME ARCHITECTURE SUITE PACKAGE...: creates the system NAME with these packages, as a copy of a cached one.
debian() {
  local name=$1 architecture=$2 suite=$3 base=$clean/$2 mirror
  shift 3
  if ! [ -d "$base" ]; then
    say "bootstrapping Debian $suite $architecture"
    mirror=$("$here/mirror.sh")
    rm -rf "$base.part"
    debootstrap --arch="$architecture" --variant=minbase "$suite" "$base.part" "$mirror" >/dev/null
    chroot "$base.part" env DEBIAN_FRONTEND=noninteractive \
      apt-get -qq -y install --no-install-recommends "$@" >/dev/null
    mv "$base.part" "$base"
  fi
  rm -rf "${clean:?}/$name"
  cp -a "$base" "$clean/$name"
  chroot "$clean/$name" apt-get -qq update
}

# --- tests for every system; $inside: command prefix that runs a command in it, $system: its root directory -------

inside=()
apt() { "${inside[@]}" env DEBIAN_FRONTEND=noninteractive apt-get -qq -y --no-install-recommends "$@"; }
have() { [ -e "$system/$1" ] || fail "$1 is missing $2"; }
gone() { [ ! -e "$system/$1" ] || fail "$1 is still there $2"; }

install_first() {
  cp "$1" "$system/root/first.deb"
  apt install /root/first.deb >/dev/null
  [ "$("${inside[@]}" id -nG sightd)" = "sightd video" ] || fail "the user sightd is not in the expected groups"
  "${inside[@]}" sightd check || fail "the shipped configuration is rejected"
  for path in usr/share/sightd/models/ssdlite-mobilenet-v2.onnx usr/share/doc/sightd/{install.md,licences.txt.gz}; do
    have "$path" "after the installation"
  done
  for folder in var/lib/sightd/models var/cache/sightd opt/sightd/lib; do mkdir -p "$system/$folder"; done
  echo kept > "$system/var/lib/sightd/models/mine.onnx"
}

# The upgrade with an invalid configuration must succeed, report both errors, and leave the old version running.
upgrade_with_mistakes() {
  cp "$1" "$system/root/second.deb"
  cp "$system/etc/sightd/config.toml" "$system/root/good.toml"
  printf '[detection]\nscore = 2.0\niuo = 0.5\n' > "$system/etc/sightd/config.toml"
  apt install /root/second.deb >"$clean/upgrade.log" 2>&1 || fail "the upgrade failed: $(cat "$clean/upgrade.log")"
  for word in detection.score detection.iuo "what runs now goes on running"; do
    grep -q "$word" "$clean/upgrade.log" || fail "the upgrade does not report '$word': $(cat "$clean/upgrade.log")"
  done
  grep -q 'iuo = 0.5' "$system/etc/sightd/config.toml" || fail "the upgrade changed the configuration"
}

remove_and_purge() {
  apt remove sightd >/dev/null
  gone usr/bin/sightd "after the removal"
  have etc/sightd/config.toml "after the removal"
  have var/lib/sightd/models/mine.onnx "after the removal"
  apt purge sightd >/dev/null
  for path in etc/sightd var/lib/sightd var/cache/sightd opt/sightd; do gone "$path" "after the purge"; done
  ! find "$system/etc/systemd/system" -name 'sightd*' | grep . || fail "links of units are still there after the purge"
  ! "${inside[@]}" id sightd 2>/dev/null || fail "the user sightd is still there after the purge"
}

# --- arm64: dpkg and the maintainer scripts, without systemd ---------------------------------------------------

test_arm64() {
  say "arm64"
  debian arm64.run arm64 bullseye adduser
  system=$clean/arm64.run inside=(chroot "$clean/arm64.run")
  install_first "$1"
  upgrade_with_mistakes "$2"
  remove_and_purge
  rm -rf "$system"
}

# --- amd64: the same, with systemd and the daemon --------------------------------------------------------------

boot() {
  systemd-nspawn --quiet --register=no --keep-unit --private-network --directory="$system" --boot --console=pipe \
    </dev/null >"$clean/boot.log" 2>&1 &
  container=$!
  for _ in $(seq 60); do
    init=$(pgrep -P $container | head -1) || init=
    [ -n "$init" ] && inside=(nsenter --target "$init" --all --wd) &&
      "${inside[@]}" systemctl is-active multi-user.target >/dev/null 2>&1 && return
    sleep 1
  done
  fail "Debian's systemd did not come up: $(cat "$clean/boot.log")"
}
shut_down() { [ -z "${container:-}" ] || { kill -TERM "$container" && wait "$container"; } 2>/dev/null || true; }

# until_true SECONDS MESSAGE COMMAND...: waits until the command succeeds in the system; fails with MESSAGE otherwise.
until_true() {
  local end=$((SECONDS + $1)) what=$2
  shift 2
  until "${inside[@]}" "$@" >/dev/null 2>&1; do
    [ $SECONDS -lt $end ] || { "${inside[@]}" journalctl -u 'sightd*' -n 40 --no-pager >&2; fail "$what"; }
    sleep 1
  done
}
started() { "${inside[@]}" systemctl show --property=MainPID --value sightd.service; }

test_amd64() {
  say "amd64, with systemd"
  debian amd64.run amd64 bookworm systemd-sysv dbus adduser curl
  system=$clean/amd64.run
  chroot "$system" apt-get -qq -y install --no-install-recommends \
    gstreamer1.0-plugins-base gstreamer1.0-plugins-good >/dev/null
  cp "$("$here/fetch.sh" onnxruntime-node 1.11.0)" "$system/root/onnxruntime.tgz"
  # The container has no network, so download the packages while the system is only a chroot.
  apt_offline "$1"
  boot
  install_first "$1"
  "${inside[@]}" sightd setup-runtime /root/onnxruntime.tgz
  "${inside[@]}" systemctl enable --quiet --now sightd
  until_true 60 "sightd is not ready" curl -sf http://127.0.0.1:8080/readyz
  until_true 120 "the run was not kept as the last good one" test -f /var/lib/sightd/last-good/VERSION
  local before after
  before=$(started)
  upgrade_with_mistakes "$2"
  [ "$(started)" = "$before" ] || fail "the old version stopped when the new one rejected the configuration"
  "${inside[@]}" curl -sf http://127.0.0.1:8080/detections >/dev/null || fail "the old version does not respond"
  say "the old version keeps running while the new one rejects the configuration"
  refuse_to_start
  "${inside[@]}" cp /root/good.toml /etc/sightd/config.toml
  "${inside[@]}" systemctl start sightd
  ! "${inside[@]}" systemctl --quiet is-active sightd-last-good || fail "sightd-last-good still runs next to sightd"
  until_true 60 "sightd is not ready with the corrected configuration" curl -sf http://127.0.0.1:8080/readyz
  before=$(started)
  apt install --reinstall /root/second.deb >/dev/null 2>&1
  after=$(started)
  [ "$after" != "$before" ] && [ "$after" != 0 ] || fail "an upgrade with a good configuration did not restart sightd"
  until_true 60 "sightd is not ready after the upgrade" curl -sf http://127.0.0.1:8080/readyz
  remove_and_purge
  shut_down
  rm -rf "$system"
}

# A start with the invalid configuration must exit with 78 without a restart and log every error, and the last working
# version must be started.
refuse_to_start() {
  "${inside[@]}" systemctl restart sightd >/dev/null 2>&1 || true
  until_true 30 "sightd did not give up" sh -c 'systemctl show -p ExecMainStatus sightd | grep -qx ExecMainStatus=78'
  for word in detection.score detection.iuo; do
    "${inside[@]}" journalctl -u sightd --no-pager | grep -q "$word" || fail "the journal does not mention $word"
  done
  until_true 60 "sightd-last-good was not started" systemctl is-active sightd-last-good
  until_true 60 "sightd-last-good is not ready" curl -sf http://127.0.0.1:8080/readyz
  [ -x "$system/var/lib/sightd-last-good/sightd" ] || fail "the old program was not kept"
  say "the new version refused to start, and the last working one was started"
}

# Downloads the packages that sightd depends on, since the container has no network.
apt_offline() {
  cp "$1" "$system/root/first.deb"
  chroot "$system" sh -c 'apt-get -qq -y install --no-install-recommends --download-only /root/first.deb' >/dev/null
}

trap 'shut_down; forget_arm64' EXIT
install_tools
mkdir -p "$clean"
[ $# -gt 0 ] || set -- amd64 arm64
for architecture in "$@"; do
  first=$("$here/package.sh" "$architecture" 0.0.1)
  second=$("$here/package.sh" "$architecture" 0.0.2)
  lintian --fail-on error "$first" || fail "lintian has errors"
  if [ "$architecture" = arm64 ]; then emulate_arm64; fi
  "test_$architecture" "$root/$first" "$root/$second"
  say "$architecture: installed, upgraded, removed and purged"
done
