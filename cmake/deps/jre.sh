#!/usr/bin/env bash
# Fetches a JVM for Linux on aarch64, for tests under qemu on another processor: Debian's packages, unpacked and not
# installed.
#
#   cmake/deps/jre.sh OUT_DIR
#
# makes OUT_DIR/usr/lib/jvm/java-17-openjdk-arm64 and OUT_DIR/lib/aarch64-linux-gnu. Does nothing if this script has
# already made them. Needs apt and dpkg; libc is that of Debian's cross-compiler.
source "$(dirname "${BASH_SOURCE[0]}")/source-package.sh"

jre=17.0.19+10-1~deb12u2
zlib=1:1.2.13.dfsg-1
sums="42df046d16195dab1256c708bca6a04a3f4e3c393d8dc07fda0b6d35c91bf3e3  openjdk-17-jre-headless_17.0.19+10-1~deb12u2_arm64.deb
52b8b8a145bbe1956bba82034f77022cbef0c3d0885c9e32d9817a7932fe1913  zlib1g_1%3a1.2.13.dfsg-1_arm64.deb"

[ $# -eq 1 ] || die "usage: jre.sh OUT_DIR"
out=$(realpath -m "$1")
stamp="openjdk-17-jre-headless $jre zlib1g $zlib"
if [ "$(cat "$out/jre.stamp" 2> /dev/null)" = "$stamp" ]; then
  exit 0
fi

say "fetching a JVM for aarch64 ($jre)"
make_work deb -o APT::Architecture=arm64 -o APT::Architectures=arm64
(cd "$work" && "${apt[@]}" download "openjdk-17-jre-headless=$jre" "zlib1g=$zlib" >&2) \
  || die "apt cannot find openjdk-17-jre-headless $jre for arm64 (is a Debian 12 mirror configured?)"
(cd "$work" && sha256sum --quiet --strict -c - <<< "$sums") || die "a package has other contents than expected"
rm -rf "$out"
mkdir -p "$out"
for package in "$work"/*.deb; do dpkg-deb -x "$package" "$out"; done
printf '%s\n' "$stamp" > "$out/jre.stamp"
