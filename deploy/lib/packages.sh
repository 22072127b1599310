# shellcheck shell=bash
# Debian packages: installed where there is no other way, else only unpacked into the cache, which needs no root,
# runs no maintainer script, starts no service and takes a fifth of the time. And archives of npm packages. To be
# sourced after common.sh.

apt_log=$cache/log/apt.log
lists_are_fresh=no

as_root() {
  if ((EUID == 0)); then
    "$@"
  elif command -v sudo >/dev/null; then
    sudo "$@"
  else
    return 1
  fi
}

apt_update() {
  [[ $lists_are_fresh == no ]] || return 0
  lists_are_fresh=yes
  say "Updating the list of Debian packages"
  # One broken third-party source must not stop us; a package that is missing for it will say so below.
  as_root apt-get -q update >>"$apt_log" 2>&1 || true
}

# apt_install PACKAGE...: what must be installed for real (a compiler, a browser).
apt_install() {
  command -v apt-get >/dev/null || die "This machine has no apt-get." "Install what these Debian packages hold by hand, then run this again: $*"
  if ((EUID != 0)) && ! command -v sudo >/dev/null; then
    die "These packages are missing, and this user is neither root nor has sudo: $*" \
      "Ask root to run: apt-get install --no-install-recommends $*" "and run this again."
  fi
  say "Installing $*"
  local command=(env DEBIAN_FRONTEND=noninteractive apt-get -q -y install --no-install-recommends "$@")
  as_root "${command[@]}" </dev/null >>"$apt_log" 2>&1 && return
  apt_update
  as_root "${command[@]}" </dev/null >>"$apt_log" 2>&1 && return
  tail -n 20 "$apt_log" >&2
  die "apt-get could not install: $*" "The whole log: $apt_log"
}

apt_knows() { [[ $(apt-cache policy "$1" 2>/dev/null) =~ Candidate:\ [0-9] ]]; }

# The packages themselves, and what else apt-get would install for them here.
apt_closure() {
  { printf '%s\n' "$@"; apt-get install -s --no-install-recommends "$@" 2>/dev/null | awk '/^Inst /{print $2}'; } |
    # The machine's own C library stays the one in use.
    grep -vxE 'libc6|libc-bin|libgcc-s1|libstdc\+\+6|gcc-12-base' | sort -u
}

# apt_unpack FOLDER WHAT PACKAGE...: makes $cache/FOLDER, whole or not at all. Fails where apt-get cannot.
apt_unpack() {
  local folder=$cache/$1 what=$2 work packages
  shift 2
  [[ ! -d $folder ]] || return 0
  command -v apt-get >/dev/null && command -v dpkg-deb >/dev/null || return 1
  apt_knows "$1" || apt_update
  apt_knows "$1" || return 1
  mapfile -t packages < <(apt_closure "$@")
  say "Fetching $what (${#packages[@]} Debian packages, unpacked into the cache)"
  work=$(mktemp -d "$cache/tmp.XXXXXX") || return 1
  mkdir "$work/debs" "$work/root"
  (cd "$work/debs" && apt-get -q download "${packages[@]}") >>"$apt_log" 2>&1 || {
    # Lists that are older than the mirror name files that are gone.
    apt_update
    mapfile -t packages < <(apt_closure "$@")
    (cd "$work/debs" && apt-get -q download "${packages[@]}") >>"$apt_log" 2>&1
  } || { rm -rf "$work"; return 1; }
  local deb
  for deb in "$work"/debs/*.deb; do
    dpkg-deb -x "$deb" "$work/root" || { rm -rf "$work"; return 1; }
  done
  mv "$work/root" "$folder" && rm -rf "$work"
}

# npm_fetch WORK PACKAGE SHA512 WHAT [HINT]...: the archive of an npm package as WORK/package.tgz. It is only unpacked
# by the caller, never installed: nothing of it runs.
npm_fetch() {
  local work=$1 package=$2 sha512=$3 what=$4 found
  shift 4
  if ! command -v npm >/dev/null; then
    say "npm is missing, and $what comes from its registry; Debian's npm takes a minute to install"
    apt_install npm
  fi
  say "Fetching $what"
  mkdir "$work/packed"
  (cd "$work/packed" && npm pack --silent --cache "$work/npm" "$package") >>"$cache/log/npm.log" 2>&1 || {
    tail -n 20 "$cache/log/npm.log" >&2
    rm -rf "$work"
    die "$what could not be fetched from the npm registry." "Check the network and \`npm config get registry\`." "$@"
  }
  mv "$work"/packed/*.tgz "$work/package.tgz"
  found=$(sha512sum "$work/package.tgz" | cut -d' ' -f1)
  [[ $found == "$sha512" ]] || { rm -rf "$work"; die "The archive of $package is not the one expected." "SHA-512 expected: $sha512" "SHA-512 found:    $found"; }
}

# wrap NAME FOLDER BINARY [ARGUMENT]...: writes $cache/bin/NAME, which runs the unpacked binary with its libraries.
wrap() {
  local name=$1 folder=$cache/$2 binary=$3 libraries='' place
  shift 3
  for place in "$folder"/usr/lib/*-linux-gnu "$folder"/lib/*-linux-gnu; do
    [[ ! -d $place ]] || libraries+=$place:
  done
  put_executable "$name" "LD_LIBRARY_PATH=${libraries%:} PHP_INI_SCAN_DIR= exec $folder/$binary $* \"\$@\""
}

# wrap_installed NAME BINARY: the same, for what the machine has. Fails if it has not.
wrap_installed() {
  local binary
  binary=$(PATH=$PATH:/usr/sbin:/usr/local/sbin command -v "$2") || return 1
  put_executable "$1" "exec $binary \"\$@\""
}

put_executable() {
  printf '#!/bin/sh\n# Written by deploy/lib/packages.sh.\n%s\n' "$2" >"$cache/bin/.$1.$$" &&
    chmod 755 "$cache/bin/.$1.$$" && mv "$cache/bin/.$1.$$" "$cache/bin/$1"
}
