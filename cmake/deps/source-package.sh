# For the scripts beside this one: Debian packages, of sources or not, by name and pinned version. Sourced, not run.
#
# A package comes from the Debian mirrors that this computer's apt is set up with, checked by apt's
# signatures and by the caller's sums; /etc and apt's own lists stay as they are, and no rights are
# needed. Needs apt and dpkg-dev. Sets $work, a folder that goes when the script ends.
set -euo pipefail
shopt -s nullglob
export LC_ALL=C.UTF-8

say() { printf '==> %s\n' "$*" >&2; }
die() { printf '%s: %s\n' "$(basename "$0")" "$*" >&2; exit 1; }

need() {
  local tool
  for tool in "$@"; do
    command -v "$tool" > /dev/null || die "$tool is missing"
  done
}

# make_work [deb-src | deb [APT OPTIONS]]: the work folder, with apt's configured sources as entries for packages of
# sources (or ready-made ones), and their index.
make_work() {
  need apt-get dpkg-source make
  local type=${1:-deb-src}
  work=$(mktemp -d)
  trap 'rm -rf "$work"' EXIT
  mkdir -p "$work"/{parts,lists/partial,cache/archives/partial}
  local file
  for file in /etc/apt/sources.list.d/*.sources; do
    sed -E "s/^Types:.*/Types: $type/" "$file" > "$work/parts/${file##*/}"
  done
  for file in /etc/apt/sources.list /etc/apt/sources.list.d/*.list; do
    [ -f "$file" ] || continue
    sed -nE "s/^[[:space:]]*deb(-src)?[[:space:]]/$type /p" "$file" | sort -u \
      > "$work/parts/$(basename "$file" .list).list"
  done
  # The work folder is private, so that apt's download user could not write into it.
  apt=(apt-get -q
    -o Dir::Etc::SourceList=/dev/null -o Dir::Etc::SourceParts="$work/parts"
    -o Dir::State::Lists="$work/lists" -o Dir::Cache="$work/cache" -o APT::Sandbox::User=root
    "${@:2}")
  # Third-party repositories often have no source index; only the package itself has to be found.
  "${apt[@]}" update >&2 || say "apt-get update had errors; trying to go on"
}

# unpack NAME VERSION SUMS: the sources in $work/NAME.
unpack() {
  (cd "$work" && "${apt[@]}" source --download-only "$1=$2" >&2) \
    || die "apt cannot find source package $1 $2 (is a Debian 12 mirror configured?)"
  (cd "$work" && sha256sum --quiet --strict -c - <<< "$3") || die "package $1 has other contents than expected"
  # apt has checked the signature already; --no-check spares a keyring.
  (cd "$work" && dpkg-source --no-check -x "$1_$2.dsc" "$1" >&2)
}

# build COMMAND…: its output only when it fails.
build() { "$@" > "$work/log" 2>&1 || { tail -n 40 "$work/log" >&2; die "failed: $*"; }; }
