// Package fakelet stands in for scheduler, kubelet, CNI and cloud provider in tests.
//
// It registers nodes, each in a zone of its own; binds every pod to one whose labels its nodeSelector asks for, in turn;
// gives it an address of each family; serves an HTTP echo on each of its container ports at these addresses, inside this
// very process; and reports it Running and Ready. A deleted pod goes on for its grace period, as on a real node, and is
// then removed. Services of type LoadBalancer get an address.
//
// The API refuses loopback addresses in EndpointSlices, so run it in a network namespace to which all pod addresses are
// local: ip route add local CIDR dev lo.
//
// Pods are steered by annotations, or by env of their containers where that is easier to change in a rolling update:
//
//	fake-kubelet/ready: "false"   keeps (or makes) it unready
//	fake-kubelet/grace: 30s       serves for that long once deleted (FAKE_GRACE; -max-grace), or its grace period if shorter
//	FAKE_READY_AFTER=2s           is ready that long after its start
//	FAKE_ON_TERM=serve            once deleted: goes on as before until the end of its grace period, then is cut off (the default)
//	FAKE_ON_TERM=close            closes its listeners and idle connections at once, finishes what is in flight, and exits
//	FAKE_ON_TERM=die              cuts everything off at once
//
// What the echo answers is said at its handler; a load balancer's address at its own.
package fakelet

import (
	"context"
	"flag"
	"log"
	"net/netip"
	"os/signal"
	"sync"
	"syscall"
	"time"

	corev1 "k8s.io/api/core/v1"
	apierrors "k8s.io/apimachinery/pkg/api/errors"
	"k8s.io/apimachinery/pkg/types"
	"k8s.io/client-go/informers"
	"k8s.io/client-go/kubernetes"
	"k8s.io/client-go/tools/cache"
	"k8s.io/client-go/tools/clientcmd"
)

const annotation = "fake-kubelet/"

var (
	flags      = flag.NewFlagSet("fake-kubelet", flag.ExitOnError)
	kubeconfig = flags.String("kubeconfig", "", "path of the kubeconfig")
	nodeZones  = flags.String("nodes", "node-a=zone-a,node-b=zone-b,node-c=zone-c", "nodes to register, each with its zone")
	podCIDR    = flags.String("pod-cidr", "10.244.0.0/16", "addresses to give to pods, all local to this network namespace")
	podCIDR6   = flags.String("pod-cidr6", "", "the same of IPv6; empty: pods have IPv4 only")
	seenAt     = flags.String("seen", "10.244.0.2:80", "address that answers which pods saw which requests; empty: none")
	maxGrace   = flags.Duration("max-grace", 2*time.Second, "longest time a deleted pod keeps serving, unless it says so itself")
	startDelay = flags.Duration("start-delay", 0, "time from a pod's start to its readiness")
)

type kubelet struct {
	cs    kubernetes.Interface
	nodes []node
	seen  *registry

	mu    sync.Mutex
	turns map[types.UID]int
	ipv4  *pool
	ipv6  *pool
	pods  map[types.UID]*pod
	lbs   map[types.UID]string
}

// Main runs it until SIGINT or SIGTERM.
func Main(args []string) {
	must(flags.Parse(args))
	log.SetFlags(log.Ltime | log.Lmicroseconds)
	cfg, err := clientcmd.BuildConfigFromFlags("", *kubeconfig)
	must(err)
	cfg.QPS, cfg.Burst = 500, 1000
	k := &kubelet{cs: kubernetes.NewForConfigOrDie(cfg), nodes: parseNodes(*nodeZones), seen: newRegistry(),
		turns: map[types.UID]int{}, ipv4: newPool(*podCIDR), pods: map[types.UID]*pod{}, lbs: map[types.UID]string{}}
	if *podCIDR6 != "" {
		k.ipv6 = newPool(*podCIDR6)
	}
	ctx, stop := signal.NotifyContext(context.Background(), syscall.SIGINT, syscall.SIGTERM)
	defer stop()
	if *seenAt != "" {
		must(k.seen.serve(*seenAt))
	}
	for _, n := range k.nodes {
		must(k.register(ctx, n))
	}
	k.watch(ctx)
	log.Print("ready")
	<-ctx.Done()
}

func (k *kubelet) watch(ctx context.Context) {
	inf := informers.NewSharedInformerFactory(k.cs, 0)
	_, err := inf.Core().V1().Pods().Informer().AddEventHandler(cache.ResourceEventHandlerFuncs{
		AddFunc:    func(o any) { go k.sync(ctx, o.(*corev1.Pod)) },
		UpdateFunc: func(_, o any) { go k.sync(ctx, o.(*corev1.Pod)) },
		DeleteFunc: func(o any) {
			if d, ok := o.(cache.DeletedFinalStateUnknown); ok {
				o = d.Obj
			}
			k.kill(o.(*corev1.Pod).UID)
		},
	})
	must(err)
	_, err = inf.Core().V1().Services().Informer().AddEventHandler(cache.ResourceEventHandlerFuncs{
		AddFunc:    func(o any) { go k.balance(ctx, o.(*corev1.Service)) },
		UpdateFunc: func(_, o any) { go k.balance(ctx, o.(*corev1.Service)) },
	})
	must(err)
	inf.Start(ctx.Done())
	inf.WaitForCacheSync(ctx.Done())
}

// A pool hands out the addresses of a range one after another, never one twice. The first sixteen are for other uses.
type pool struct {
	cidr netip.Prefix
	next netip.Addr
}

func newPool(cidr string) *pool {
	p, err := netip.ParsePrefix(cidr)
	must(err)
	at := p.Addr()
	for range 15 {
		at = at.Next()
	}
	return &pool{p, at}
}

func (p *pool) take() netip.Addr {
	p.next = p.next.Next()
	if !p.cidr.Contains(p.next) {
		log.Fatalf("no more pod addresses in %s", p.cidr)
	}
	return p.next
}

func must(err error) {
	if err != nil {
		log.Fatal(err)
	}
}

// An object that changed or went meanwhile is no error: its next event is on the way.
func ignore(err error) {
	if err != nil && !apierrors.IsNotFound(err) && !apierrors.IsConflict(err) {
		log.Print(err)
	}
}
