#!/usr/bin/env bash
# Installs Debian packages where that is possible; says in one line what is missing where it is not, and exits 1 then.
# usage: debian-packages.sh PACKAGE...
set -euo pipefail

if [ "$(id -u)" != 0 ] || ! command -v apt-get >/dev/null; then
  echo "missing and not installed (needs root and apt-get): $*" >&2
  exit 1
fi
echo "installing from Debian: $*"
log=$(mktemp)
trap 'rm -f "$log"' EXIT
# RUNLEVEL keeps a package from starting its own server
export DEBIAN_FRONTEND=noninteractive RUNLEVEL=1
# a slim Debian leaves out manual pages, and Java's package fails where the directory for them is not there
mkdir -p /usr/share/man/man1
if ! { apt-get update -qq && apt-get install -y -qq --no-install-recommends "$@"; } >"$log" 2>&1 </dev/null; then
  tail -n 3 "$log" >&2
  echo "missing and not installed (apt-get failed): $*" >&2
  exit 1
fi
