#!/usr/bin/env bash
# Starts etcd, kube-apiserver, kube-controller-manager and a fake kubelet for tests, in about 4 seconds; prints the
# kubeconfig's path. down.sh with the same KUBE_STATE ends them.
#   KUBE_BIN     where build.sh put the programs       (target/controlplane of the repository)
#   KUBE_STATE   fresh state: keys, etcd data, logs    (state/ in KUBE_BIN; nothing may run from it already)
#   KUBE_PORT    API port; etcd takes the next two     (16443)
#   KUBE_NETNS   network namespace to run in, made if it is not there, with the pod and Service ranges local to it
#                (none: the loopback of the caller, and no pods; the API refuses endpoints in 127.0.0.0/8)
#   KUBE_KCM     1: controllers too, 0: API only       (1)
#   KUBE_FAKELET 1: fake kubelet too, needs KUBE_NETNS (1 with KUBE_NETNS)
#   KUBE_OWNER   a pid: all ends when that process does, however it ends (none)
#   KUBE_APISERVER_ARGS, KUBE_CONTROLLERS   more flags for the one, which controllers for the other
set -euo pipefail
here=$(cd "$(dirname "$0")" && pwd)
die() { echo "up.sh: $*" >&2; exit 1; }
for program in openssl curl; do command -v "$program" >/dev/null || die "no $program in PATH"; done
bin=${KUBE_BIN:-$here/../../../target/controlplane}
[ -x "$bin/kube-apiserver" ] || die "no kube-apiserver in $bin: run 'make controlplane' first"
bin=$(cd "$bin" && pwd)
st=${KUBE_STATE:-$bin/state}
port=${KUBE_PORT:-16443}
ns=${KUBE_NETNS:-}
pods=10.244.0.0/16 svcs=10.96.0.0/16 node=10.244.0.1
pods6=fd00:244::/64 svcs6=fd00:96::/112
[ ! -s "$st/pids" ] || die "$st/pids exists: run down.sh first"
if [ -e "$st" ] && [ ! -e "$st/pki" ] && [ -n "$(ls -A "$st")" ]; then die "$st is not empty and not a control plane's: it would be deleted"; fi
if [ -n "$ns" ]; then
    command -v ip >/dev/null || die "no ip in PATH: install iproute2"
    [ -e "/run/netns/$ns" ] || made=1
    [ -z "${made:-}" ] || ip netns add "$ns" || die "cannot make the network namespace $ns: this needs root"
fi
rm -rf "$st"
mkdir -p "$st/pki" "$st/log"
[ -z "${made:-}" ] || echo "$ns" >"$st/netns"
# Whatever fails from here on takes with it what was started.
trap '[ $? = 0 ] || KUBE_STATE=$st "$here/down.sh"' EXIT

in=() adv=(--advertise-address=127.0.0.1 --endpoint-reconciler-type=none)
if [ -n "$ns" ]; then
    ip -n "$ns" link set lo up
    for range in $pods $svcs $pods6 $svcs6; do ip -n "$ns" route replace local "$range" dev lo; done
    in=(ip netns exec "$ns")
    adv=(--advertise-address=$node)
fi

cd "$st/pki"
{
    openssl req -x509 -newkey ec -pkeyopt ec_paramgen_curve:P-256 -nodes -days 30 -subj /CN=test-ca -keyout ca.key -out ca.crt
    leaf() { # name subject extension
        openssl req -newkey ec -pkeyopt ec_paramgen_curve:P-256 -nodes -subj "$2" -keyout "$1.key" -out "$1.csr"
        openssl x509 -req -in "$1.csr" -CA ca.crt -CAkey ca.key -CAcreateserial -days 30 -extfile <(echo "$3") -out "$1.crt"
    }
    leaf apiserver /CN=kube-apiserver "subjectAltName=IP:127.0.0.1,IP:10.96.0.1,IP:$node,DNS:localhost,DNS:kubernetes.default.svc"
    leaf admin /O=system:masters/CN=admin "extendedKeyUsage=clientAuth"
    openssl genpkey -algorithm ec -pkeyopt ec_paramgen_curve:P-256 -out sa.key
    openssl pkey -in sa.key -pubout -out sa.pub
} >"$st/log/openssl.log" 2>&1 || die "no certificates: see $st/log/openssl.log"
admin=$(openssl rand -hex 16) nobody=$(openssl rand -hex 16)
printf '%s,admin,admin,"system:masters"\n%s,nobody,nobody,\n' "$admin" "$nobody" >tokens.csv
printf %s "$admin" >admin.token
printf %s "$nobody" >nobody.token
b64() { base64 -w0 <"$1"; }
cat >"$st/kubeconfig" <<Y
apiVersion: v1
kind: Config
clusters: [{name: test, cluster: {server: "https://127.0.0.1:$port", certificate-authority-data: $(b64 ca.crt)}}]
users: [{name: admin, user: {client-certificate-data: $(b64 admin.crt), client-key-data: $(b64 admin.key)}}]
contexts: [{name: test, context: {cluster: test, user: admin}}]
current-context: test
Y
cd "$st"

spawn() { # name command...
    local name=$1
    shift
    setsid "${in[@]}" "$@" >"$st/log/$name.log" 2>&1 </dev/null &
    echo "$! $name" >>"$st/pids"
}
alive() { kill -0 "$(awk -v n="$1" '$2==n{print $1}' "$st/pids")" 2>/dev/null ||
    { echo "up.sh: $1 died:" >&2; tail -5 "$st/log/$1.log" >&2; exit 1; }; }

e=http://127.0.0.1:$((port + 1))
spawn etcd "$bin/etcd" --data-dir "$st/etcd" --unsafe-no-fsync --log-level warn \
    --listen-client-urls "$e" --advertise-client-urls "$e" \
    --listen-peer-urls "http://127.0.0.1:$((port + 2))" --initial-advertise-peer-urls "http://127.0.0.1:$((port + 2))" \
    --initial-cluster "default=http://127.0.0.1:$((port + 2))"
# shellcheck disable=SC2086 # the arguments are words
spawn kube-apiserver "$bin/kube-apiserver" --etcd-servers "$e" --bind-address 127.0.0.1 --secure-port "$port" "${adv[@]}" \
    --tls-cert-file pki/apiserver.crt --tls-private-key-file pki/apiserver.key --client-ca-file pki/ca.crt --cert-dir "$st/pki" \
    --token-auth-file pki/tokens.csv --authorization-mode RBAC --service-cluster-ip-range "$svcs,$svcs6" --allow-privileged \
    --service-account-issuer https://kubernetes.default.svc --service-account-key-file pki/sa.pub \
    --service-account-signing-key-file pki/sa.key ${KUBE_APISERVER_ARGS:-}
ok() { "${in[@]}" curl -sf --noproxy '*' --max-time 5 --cacert pki/ca.crt -H "Authorization: Bearer $admin" "https://127.0.0.1:$port$1" -o /dev/null; }
for _ in $(seq 600); do
    ok /readyz && break
    alive etcd
    alive kube-apiserver
    sleep 0.1
done
ok /readyz || die "kube-apiserver is not ready after 60 s: see $st/log"

if [ "${KUBE_KCM:-1}" = 1 ]; then
    spawn kube-controller-manager "$bin/kube-controller-manager" --kubeconfig kubeconfig --leader-elect=false --secure-port 0 \
        --service-account-private-key-file pki/sa.key --root-ca-file pki/ca.crt --kube-api-qps 500 --kube-api-burst 1000 \
        --concurrent-namespace-syncs 20 --endpoint-updates-batch-period 0s --endpointslice-updates-batch-period 0s \
        --controllers "${KUBE_CONTROLLERS:-deployment-controller,replicaset-controller,endpoints-controller,endpointslice-controller,endpointslice-mirroring-controller,serviceaccount-controller,serviceaccount-token-controller,root-ca-certificate-publisher-controller,namespace-controller,garbage-collector-controller,job-controller,clusterrole-aggregation-controller}"
    for _ in $(seq 300); do
        ok /api/v1/namespaces/default/serviceaccounts/default && break
        alive kube-controller-manager
        sleep 0.1
    done
fi
if [ "${KUBE_FAKELET:-${ns:+1}}" = 1 ] && [ -n "$ns" ]; then
    spawn fake-kubelet "$bin/fake-kubelet" --kubeconfig kubeconfig --pod-cidr $pods --pod-cidr6 $pods6
fi
if [ -n "${KUBE_OWNER:-}" ]; then
    KUBE_STATE=$st setsid bash -c 'tail --pid="$1" -f /dev/null; "$2"' watch-owner "$KUBE_OWNER" "$here/down.sh" >/dev/null 2>&1 </dev/null &
fi
echo "$st/kubeconfig"
