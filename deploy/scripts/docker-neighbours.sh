#!/usr/bin/env bash
# Runs tests with Apache Kafka and Redis in containers, then the trial of deploy/compose.yaml. KAFKA_IMAGE and REDIS_IMAGE
# name other images; what cannot be pulled is built here as a stand-in. usage: docker-neighbours.sh [ARGUMENTS OF PYTEST...]
set -euo pipefail
cd "$(dirname "$0")/../.."
if [ "${ENGINE_IS_UP:-}" != 1 ]; then
  ENGINE_IS_UP=1 exec deploy/scripts/engine.sh "$0" "$@"
fi
base=bridge-stand-in-base:1

had() { docker image inspect "$1" >/dev/null 2>&1 || timeout 60 docker pull --quiet "$1" >/dev/null 2>&1; }

stand_in() { # DOCKERFILE TAG CONTEXT
  echo "building $2, a stand-in for an image that cannot be pulled here" >&2
  docker image inspect "$base" >/dev/null 2>&1 || deploy/scripts/stand-in-base.sh "$base"
  docker build --quiet --build-arg "BASE_IMAGE=$base" --file "$1" --tag "$2" "$3" >/dev/null
}

export KAFKA_IMAGE=${KAFKA_IMAGE:-apache/kafka:4.3.1} REDIS_IMAGE=${REDIS_IMAGE:-redis:7}
if ! had "$REDIS_IMAGE"; then
  REDIS_IMAGE=bridge-stand-in-redis:7
  had "$REDIS_IMAGE" || stand_in deploy/stand-in/redis.Dockerfile "$REDIS_IMAGE" deploy/stand-in
fi
if ! had "$KAFKA_IMAGE"; then
  KAFKA_IMAGE=bridge-stand-in-kafka:4.3.1
  if ! had "$KAFKA_IMAGE"; then
    context=$(mktemp -d)
    trap 'rm -rf "$context"' EXIT
    cp -r "$(.venv/bin/python -m tests.neighbours prepare)/libs" deploy/stand-in/run.sh deploy/stand-in/log4j2.xml "$context"
    stand_in deploy/stand-in/kafka.Dockerfile "$KAFKA_IMAGE" "$context"
  fi
fi
BRIDGE_TEST_NEIGHBOURS=docker .venv/bin/pytest "$@"

CHECK=0 deploy/scripts/image.sh
CHECK=0 EXTRAS=sandbox IMAGE=bridge-sandbox:dev deploy/scripts/image.sh
BRIDGE_IMAGE=bridge:dev SANDBOX_IMAGE=bridge-sandbox:dev BRIDGE_TRIAL=1 .venv/bin/pytest tests/image/test_trial.py
for image in prom/prometheus grafana/grafana jaegertracing/jaeger; do
  docker image ls --quiet "$image" | grep -q . || echo "not run: $image is no image of this machine, only its part of the file was checked"
done
