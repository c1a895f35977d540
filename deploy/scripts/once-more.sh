#!/usr/bin/env bash
# After a failed run of the tests: a test that waits for real servers can meet a machine that stood still, so what failed is
# named, and tried once more alone. Not so what judges the guarantee or needs no server: a loss that shows once is a loss.
set -euo pipefail
cd "$(dirname "$0")/../.."
cache=.pytest_cache/v/cache/lastfailed
[ -s "$cache" ] || { echo "nothing to try once more: no test failed" >&2; exit 1; }
failed=$(.venv/bin/python -c 'import json, sys; print("\n".join(json.load(open(sys.argv[1]))))' "$cache")
echo "failed at the first try:"
echo "$failed"
if grep -qE '^tests/(e2e/test_kills|e2e/test_faults|prove|model|history|unit|house|chart)' <<<"$failed"; then
  echo "among them is one that gets no second try" >&2
  exit 1
fi
BRIDGE_TEST_NEIGHBOURS=apache .venv/bin/pytest --last-failed --last-failed-no-failures none
