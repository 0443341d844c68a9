#!/usr/bin/env bash
# Builds h2spec from its Go module into $H2SPEC_BIN (default: target/h2spec of this checkout): seconds.
set -euo pipefail
here=$(cd "$(dirname "$0")" && pwd)
bin=${H2SPEC_BIN:-$here/../../../target/h2spec}
cd "$here"
mkdir -p "$bin"
CGO_ENABLED=0 go build -trimpath -buildvcs=false -ldflags "-s -w" -o "$bin/h2spec" github.com/summerwind/h2spec/cmd/h2spec
