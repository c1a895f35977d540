#!/usr/bin/env bash
# What is shipped, looked at: a CycloneDX bill of materials (dist/bridge.cdx.json), its licences against the list of those that
# are allowed, known vulnerabilities where their database is reached, and the workflow files against their schema.
set -euo pipefail
cd "$(dirname "$0")/../.."
cache=${XDG_CACHE_HOME:-$HOME/.cache}/bridge
tools=$cache/supply-$(sha256sum deploy/supply/requirements.lock | cut -c1-12)
uv=.venv/bin/uv
mkdir -p dist "$cache"
if [ ! -e "$tools/.installed" ]; then
  $uv venv --quiet --clear --python .venv/bin/python "$tools"
  $uv pip install --quiet --python "$tools/bin/python" --require-hashes --requirement deploy/supply/requirements.lock
  touch "$tools/.installed"
fi

# the environment of the image, without its tests' and trial's packages
shipped=$(mktemp -d)
trap 'rm -rf "$shipped"' EXIT
$uv venv --quiet --clear --python .venv/bin/python "$shipped"
$uv pip install --quiet --python "$shipped/bin/python" --require-hashes --constraint requirements.lock --requirement pyproject.toml
"$tools/bin/cyclonedx-py" environment --pyproject pyproject.toml --mc-type application --output-reproducible \
  --output-format JSON --output-file dist/bridge.cdx.json "$shipped/bin/python"
echo "dist/bridge.cdx.json: $(.venv/bin/python -c 'import json; print(len(json.load(open("dist/bridge.cdx.json"))["components"]))') components"

"$shipped/bin/python" deploy/scripts/licences.py

# the database is asked about our locked packages; which index they come from does not matter for it
log=$shipped/audit.log
"$shipped/bin/python" deploy/scripts/licences.py --pins >"$shipped/pins.txt"
if "$tools/bin/pip-audit" --disable-pip --no-deps --vulnerability-service osv --progress-spinner off \
  --requirement "$shipped/pins.txt" >"$log" 2>&1; then
  echo "vulnerabilities: none known"
elif grep -qE 'ConnectionError|Max retries|NameResolution|ConnectionTimeout' "$log"; then
  echo "vulnerabilities: NOT CHECKED, their database is not reached from here"
  [ "${REQUIRE_AUDIT:-}" != 1 ] || exit 1
else
  cat "$log"
  exit 1
fi

"$tools/bin/check-jsonschema" --builtin-schema vendor.github-workflows .github/workflows/*.yml
