#!/usr/bin/env bash
# Prints the directory with a Kubernetes API server and etcd for tests of the chart. They are built from their own Go modules,
# pinned in deploy/kube-api, at the first call: about four minutes, then they stay in the cache. `kube-api.sh cached` only
# looks there. Exits 3 with one line where they cannot be had.
set -euo pipefail
cd "$(dirname "$0")/../kube-api"
version=$(sed -n 's/^\tk8s.io\/kubernetes v//p' go.mod)
cache=${XDG_CACHE_HOME:-$HOME/.cache}/bridge
bin=$cache/kube-api-$version
if [ ! -x "$bin/kube-apiserver" ]; then
  [ "${1:-}" != cached ] || { echo "no Kubernetes API server is built here: run \`make chart\`" >&2; exit 3; }
  wanted=$(sed -n 's/^go //p' go.mod)
  have=$(go env GOVERSION 2>/dev/null || true)
  if [ "$(printf '%s\n' "go$wanted" "$have" | sort -V | head -n 1)" != "go$wanted" ]; then
    echo "no Kubernetes API server here: building it needs Go $wanted, and here is ${have:-none}" >&2
    exit 3
  fi
  echo "building a Kubernetes API server $version, which takes some minutes" >&2
  mkdir -p "$cache"
  scratch=$(mktemp -d "$cache/building-XXXX")
  trap 'rm -rf "$scratch"' EXIT
  stamp=k8s.io/component-base/version
  minor=${version#*.}
  if ! { go build -mod=readonly -o "$scratch/etcd" ./etcd &&
    go build -mod=readonly -o "$scratch/kube-apiserver" \
      -ldflags "-s -w -X $stamp.gitVersion=v$version -X $stamp.gitMajor=1 -X $stamp.gitMinor=${minor%%.*}" \
      k8s.io/kubernetes/cmd/kube-apiserver; } >"$scratch/log" 2>&1; then
    tail -n 3 "$scratch/log" >&2
    echo "no Kubernetes API server here: its modules cannot be built" >&2
    exit 3
  fi
  mkdir -p "$bin"
  mv "$scratch/etcd" "$scratch/kube-apiserver" "$bin"
fi
echo "$bin"
