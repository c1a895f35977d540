#!/usr/bin/env bash
# Builds the image and checks what it promises (tests/image). usage: image.sh [ARGUMENTS OF PYTEST...]
# BASE_IMAGE names another base; IMAGE another tag.
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
docker build --quiet --build-arg "BASE_IMAGE=$base" --tag "$image" .
BRIDGE_IMAGE=$image .venv/bin/pytest tests/image "$@"
