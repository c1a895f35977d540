#!/usr/bin/env bash
# Runs a command with a container engine: the one that runs already, else one started here and ended with the command.
# Exits 0 with one line where none can be had. usage: engine.sh COMMAND...
set -euo pipefail
here=$(dirname "$0")

running() { command -v docker >/dev/null && docker info >/dev/null 2>&1; }

if running; then exec "$@"; fi
if [ "$(id -u)" != 0 ]; then
  echo "no container engine runs here and only root can start one: nothing was built"
  exit 0
fi
command -v dockerd >/dev/null || "$here/debian-packages.sh" docker.io iptables || {
  echo "no container engine can be had here: nothing was built"
  exit 0
}
log=$(mktemp)
# published ports bind to loopback unless a run says otherwise
setsid dockerd --ip 127.0.0.1 --log-level warn >"$log" 2>&1 </dev/null &
engine=$!
stop() {
  kill -TERM "$engine" 2>/dev/null || true
  wait "$engine" || true
  rm -f "$log"
}
trap stop EXIT
for _ in $(seq 150); do
  running && break
  kill -0 "$engine" 2>/dev/null || break
  sleep 0.2
done
if ! running; then
  tail -n 2 "$log" >&2
  echo "the container engine did not start here: nothing was built"
  exit 0
fi
"$@"
