#!/usr/bin/env bash
# Makes .venv by the hashed lock, and puts the project into it. usage: make-venv.sh [DIR]
set -euo pipefail
cd "$(dirname "$0")/../.."
venv=${1:-.venv}

usable() { "$1" -c 'import sys; sys.exit(sys.version_info < (3, 11))' >/dev/null 2>&1; }

python=
for candidate in ${PYTHON:-} python3.11 python3 python3.12 python3.13; do
  if usable "$candidate"; then python=$candidate; break; fi
done
[ -n "$python" ] || { echo "Python 3.11 or newer is missing" >&2; exit 3; }

if ! "$python" -c 'import ensurepip, venv' >/dev/null 2>&1; then
  # Debian keeps these two apart from the interpreter
  deploy/scripts/debian-packages.sh python3-venv
  "$python" -c 'import ensurepip, venv' || { echo "python3-venv is missing" >&2; exit 3; }
fi

if ! usable "$venv/bin/python" || ! "$venv/bin/python" -m pip --version >/dev/null 2>&1; then
  "$python" -m venv --clear "$venv"
fi
echo "installing $(grep -c == requirements.lock) locked packages into $venv"
pip=("$venv/bin/python" -m pip install --quiet --disable-pip-version-check --root-user-action=ignore)
"${pip[@]}" --no-compile --require-hashes --requirement requirements.lock
"${pip[@]}" --no-deps --no-build-isolation --editable .
touch "$venv/.installed"
