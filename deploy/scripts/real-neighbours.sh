#!/usr/bin/env bash
# Makes Apache Kafka and Redis ready for the tests; where that cannot be done, the tests take the embedded pair.
# Prints the value for BRIDGE_TEST_NEIGHBOURS on standard output, and what a person should know on standard error.
set -euo pipefail
cd "$(dirname "$0")/../.."
wanted=${BRIDGE_TEST_NEIGHBOURS:-auto}

prepare() { { .venv/bin/python -m tests.neighbours prepare >/dev/null; } 2>&1; } # prints only what went wrong

install_missing() {
  local packages=()
  command -v java >/dev/null || packages+=(default-jre-headless)
  command -v mvn >/dev/null || packages+=(maven)
  command -v redis-server >/dev/null || packages+=(redis-server)
  [ ${#packages[@]} = 0 ] || [ "$(id -u)" != 0 ] || deploy/scripts/debian-packages.sh "${packages[@]}"
}

case $wanted in
  auto | apache)
    if ! prepare >/dev/null; then
      install_missing >&2 || true
      if ! why=$(prepare) && [ "$wanted" = auto ]; then
        echo "$why: the tests take the embedded pair" >&2
        wanted=embedded
      fi
    fi
    ;;
esac
echo "$wanted"
