#!/usr/bin/env bash
# Ends what up.sh started with the same KUBE_STATE (by the pids it wrote down; the state is thrown away, so at once) and
# removes the network namespace if up.sh made it. Logs and keys stay until the next up.sh. Does nothing if nothing runs.
set -euo pipefail
here=$(cd "$(dirname "$0")" && pwd)
st=${KUBE_STATE:-${KUBE_BIN:-$here/../../../target/controlplane}/state}
if [ -s "$st/pids" ]; then
    ended=()
    while read -r pid name; do
        # a pid may have been reused since: end it only if it still is that program
        if [ "$(basename "$(head -z -n1 "/proc/$pid/cmdline" 2>/dev/null | tr -d '\0')")" = "$name" ]; then
            kill -KILL "$pid" && ended+=("$pid") || true
        fi
    done <"$st/pids"
    for pid in "${ended[@]}"; do
        for _ in $(seq 50); do
            kill -0 "$pid" 2>/dev/null || break
            sleep 0.05
        done
    done
fi
[ ! -s "$st/netns" ] || ip netns del "$(cat "$st/netns")" || true
rm -rf "$st/pids" "$st/netns" "$st/etcd"
