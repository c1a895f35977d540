#!/usr/bin/env bash
# Copies the project's alert rules and dashboards into the chart, which cannot reach beyond its folder.
set -euo pipefail
cd "$(dirname "$0")/../.."
[ -e deploy/prometheus/rules.yaml ] || exit 0
mkdir -p helm/bridge/files/dashboards
cp deploy/prometheus/rules.yaml helm/bridge/files/rules.yaml
cp deploy/grafana/*.json helm/bridge/files/dashboards/
