#!/usr/bin/env bash
# Builds the control plane of the tests from its Go modules into KUBE_BIN (default: target/controlplane of the repository):
# one program, and links to it by the names it answers to. Minutes the first time, seconds after.
set -euo pipefail
here=$(cd "$(dirname "$0")" && pwd)
bin=${KUBE_BIN:-$here/../../../target/controlplane}
command -v go >/dev/null || { echo "build.sh: no go in PATH: the control plane is built with Go, see go.mod for the version" >&2; exit 1; }
mkdir -p "$bin"
bin=$(cd "$bin" && pwd)
cd "$here"
v=$(go list -m -f '{{.Version}}' k8s.io/kubernetes)
minor=${v#v1.}
minor=${minor%%.*}
p=k8s.io/component-base/version
# The new file takes the old one's place whole: a control plane may be running from it.
CGO_ENABLED=0 go build -trimpath -buildvcs=false -o "$bin/controlplane.new" -ldflags "-s -w -X $p.gitVersion=$v -X $p.gitMajor=1 \
    -X $p.gitMinor=$minor -X $p.gitTreeState=clean -X $p.buildDate=2026-01-01T00:00:00Z" .
mv "$bin/controlplane.new" "$bin/controlplane"
for name in etcd kube-apiserver kube-controller-manager kubectl fake-kubelet; do ln -sfn controlplane "$bin/$name"; done
