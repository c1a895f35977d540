#!/usr/bin/env bash
# Builds the image and checks what it promises (tests/image). usage: image.sh [ARGUMENTS OF PYTEST...]
# BASE_IMAGE names another base, IMAGE another tag, EXTRAS extras of pyproject.toml to install besides.
set -euo pipefail
cd "$(dirname "$0")/../.."
if [ "${ENGINE_IS_UP:-}" != 1 ]; then
  ENGINE_IS_UP=1 exec deploy/scripts/engine.sh "$0" "$@"
fi

image=${IMAGE:-bridge:dev}
base=${BASE_IMAGE:-$(sed -n 's/^ARG BASE_IMAGE=//p' Dockerfile)}
stand_in=bridge-stand-in-base:1
if ! docker image inspect "$base" >/dev/null 2>&1 && ! timeout 60 docker pull --quiet "$base" >/dev/null 2>&1; then
  echo "$base cannot be pulled here: building on a stand-in made of this machine's packages"
  base=$stand_in
  docker image inspect "$base" >/dev/null 2>&1 || deploy/scripts/stand-in-base.sh "$base"
fi
version=$(sed -n 's/^__version__ = "\(.*\)"/\1/p' bridge/__init__.py)
revision=$(git rev-parse --short HEAD 2>/dev/null || echo unknown)
docker build --quiet --build-arg "BASE_IMAGE=$base" --build-arg "EXTRAS=${EXTRAS:-}" \
  --build-arg "VERSION=$version" --build-arg "REVISION=$revision" --tag "$image" .
[ "${CHECK:-1}" = 1 ] || exit 0
BRIDGE_IMAGE=$image BRIDGE_BASE_IMAGE=$base .venv/bin/pytest tests/image "$@"
size() { docker image inspect --format '{{.Size}}' "$1"; }
echo "$image: $(( ($(size "$image") - $(size "$base")) / 1000000 )) MB over its base of $(( $(size "$base") / 1000000 )) MB"
