#!/usr/bin/env bash
# Builds a stand-in for the public Python base image out of this Debian's own packages, for a machine that reaches no
# image registry. It checks the Dockerfile's steps and the service, not the public base. usage: stand-in-base.sh TAG
set -euo pipefail
tag=$1
here=$(dirname "$0")
command -v mmdebstrap >/dev/null || "$here/debian-packages.sh" mmdebstrap
# shellcheck disable=SC1091
suite=$(. /etc/os-release && echo "$VERSION_CODENAME")
mapfile -t sources < <(find /etc/apt/sources.list /etc/apt/sources.list.d -name '*.sources' -o -name '*.list' 2>/dev/null)
work=$(mktemp -d)
trap 'rm -rf "$work"' EXIT

options=(
  --variant=minbase --include=python3,python3-venv,ca-certificates
  --aptopt='Apt::Install-Recommends "false"' --aptopt='Acquire::Check-Valid-Until "false"'
  --dpkgopt='path-exclude=/usr/share/doc/*' --dpkgopt='path-exclude=/usr/share/man/*'
  --dpkgopt='path-exclude=/usr/share/locale/*'
  --customize-hook='ln -s python3 "$1/usr/bin/python"'
)
changes=(-c 'ENV LANG=C.UTF-8')
# a machine behind an inspecting proxy: the image must trust what the machine trusts
bundle=/etc/ssl/certs/ca-certificates.crt
if [ -s "$bundle" ]; then
  options+=(--customize-hook="cp $bundle \"\$1$bundle\"")
  changes+=(-c "ENV SSL_CERT_FILE=$bundle PIP_CERT=$bundle")
fi
if ! mmdebstrap "${options[@]}" "$suite" "$work/root.tar" "${sources[@]}" 2>"$work/log"; then
  tail -n 20 "$work/log" >&2
  exit 1
fi
docker import "${changes[@]}" -c 'CMD ["python3"]' "$work/root.tar" "$tag" >/dev/null
