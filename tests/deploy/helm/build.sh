#!/usr/bin/env bash
# Builds helm from its Go module into $HELM_BIN (default: target/helm of this checkout): minutes the first time, a second after.
set -euo pipefail
here=$(cd "$(dirname "$0")" && pwd)
bin=${HELM_BIN:-$here/../../../target/helm}
cd "$here"
mkdir -p "$bin"
CGO_ENABLED=0 go build -trimpath -buildvcs=false -ldflags "-s -w" -o "$bin/helm" helm.sh/helm/v4/cmd/helm
