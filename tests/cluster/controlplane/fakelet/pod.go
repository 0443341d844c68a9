package fakelet

import (
	"context"
	"log"
	"net"
	"net/http"
	"net/netip"
	"strconv"
	"sync"
	"syscall"
	"time"

	corev1 "k8s.io/api/core/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/types"
)

type pod struct {
	ips     []netip.Addr
	servers []*http.Server
	env     map[string]string // of all containers: a pod here has one
	readyAt time.Time
	ending  bool
}

func (k *kubelet) sync(ctx context.Context, p *corev1.Pod) {
	_, mine := k.node(p.Spec.NodeName)
	switch {
	case p.Spec.NodeName == "" && p.DeletionTimestamp == nil:
		k.bind(ctx, p)
	case !mine:
	case p.DeletionTimestamp != nil:
		k.terminate(ctx, p)
	default:
		k.start(ctx, p)
	}
}

func (k *kubelet) start(ctx context.Context, p *corev1.Pod) {
	k.mu.Lock()
	st := k.pods[p.UID]
	if st == nil {
		st = k.run(p)
		k.pods[p.UID] = st
		if wait := time.Until(st.readyAt); wait > 0 {
			time.AfterFunc(wait, func() {
				if q, err := k.cs.CoreV1().Pods(p.Namespace).Get(ctx, p.Name, metav1.GetOptions{}); err == nil && q.UID == p.UID {
					k.sync(ctx, q)
				}
			})
		}
	}
	ready := p.Annotations[annotation+"ready"] != "false" && !time.Now().Before(st.readyAt)
	k.mu.Unlock()
	k.report(ctx, p, st, ready)
}

// Gives the pod its addresses and opens its ports.
func (k *kubelet) run(p *corev1.Pod) *pod {
	st := &pod{ips: []netip.Addr{k.ipv4.take()}, env: environ(p)}
	if k.ipv6 != nil {
		st.ips = append(st.ips, k.ipv6.take())
	}
	for _, c := range p.Spec.Containers {
		for _, port := range c.Ports {
			srv := &http.Server{Handler: echo(p, st.env, k.seen)}
			st.servers = append(st.servers, srv)
			for _, ip := range st.ips {
				l, err := listen(netip.AddrPortFrom(ip, uint16(port.ContainerPort)).String())
				if err != nil {
					log.Printf("%s/%s: %v", p.Namespace, p.Name, err)
					continue
				}
				go srv.Serve(l)
			}
		}
	}
	wait, err := time.ParseDuration(st.env["FAKE_READY_AFTER"])
	if err != nil {
		wait = *startDelay
	}
	if wait > 0 {
		st.readyAt = time.Now().Add(wait)
	}
	return st
}

func environ(p *corev1.Pod) map[string]string {
	env := map[string]string{"NAMESPACE": p.Namespace, "POD_NAME": p.Name}
	for _, c := range p.Spec.Containers {
		for _, e := range c.Env {
			if e.ValueFrom == nil {
				env[e.Name] = e.Value
			}
		}
	}
	return env
}

// Says so in the pod's status, unless it says so already.
func (k *kubelet) report(ctx context.Context, p *corev1.Pod, st *pod, ready bool) {
	want := corev1.ConditionFalse
	if ready {
		want = corev1.ConditionTrue
	}
	for _, c := range p.Status.Conditions {
		if c.Type == corev1.PodReady && c.Status == want && p.Status.PodIP == st.ips[0].String() {
			return
		}
	}
	now := metav1.Now()
	n, _ := k.node(p.Spec.NodeName)
	q := p.DeepCopy()
	q.Status.Phase = corev1.PodRunning
	q.Status.HostIP, q.Status.HostIPs = n.internal, []corev1.HostIP{{IP: n.internal}}
	q.Status.PodIP, q.Status.PodIPs = st.ips[0].String(), nil
	for _, ip := range st.ips {
		q.Status.PodIPs = append(q.Status.PodIPs, corev1.PodIP{IP: ip.String()})
	}
	if q.Status.StartTime == nil {
		q.Status.StartTime = &now
	}
	q.Status.Conditions = nil
	for _, t := range []corev1.PodConditionType{corev1.PodScheduled, corev1.PodInitialized, corev1.ContainersReady, corev1.PodReady} {
		s := want
		if t == corev1.PodScheduled || t == corev1.PodInitialized {
			s = corev1.ConditionTrue
		}
		q.Status.Conditions = append(q.Status.Conditions, corev1.PodCondition{Type: t, Status: s, LastTransitionTime: now})
	}
	q.Status.ContainerStatuses = nil
	for _, c := range p.Spec.Containers {
		q.Status.ContainerStatuses = append(q.Status.ContainerStatuses, corev1.ContainerStatus{Name: c.Name, Image: c.Image,
			ImageID: c.Image, Ready: ready, State: corev1.ContainerState{Running: &corev1.ContainerStateRunning{StartedAt: now}}})
	}
	_, err := k.cs.CoreV1().Pods(p.Namespace).UpdateStatus(ctx, q, metav1.UpdateOptions{})
	ignore(err)
}

// What SIGTERM does to the pod, and SIGKILL at the end of its grace period.
func (k *kubelet) terminate(ctx context.Context, p *corev1.Pod) {
	k.mu.Lock()
	st := k.pods[p.UID]
	if st == nil {
		st = &pod{}
		k.pods[p.UID] = st
	}
	first := !st.ending
	st.ending = true
	k.mu.Unlock()
	if !first {
		return
	}
	var exited sync.Once
	exit := func() {
		exited.Do(func() {
			k.kill(p.UID)
			zero := int64(0)
			ignore(k.cs.CoreV1().Pods(p.Namespace).Delete(ctx, p.Name, metav1.DeleteOptions{GracePeriodSeconds: &zero,
				Preconditions: &metav1.Preconditions{UID: &p.UID}}))
		})
	}
	switch st.env["FAKE_ON_TERM"] {
	case "close":
		done := make(chan struct{}, len(st.servers))
		for _, s := range st.servers {
			go func() { s.Shutdown(ctx); done <- struct{}{} }()
		}
		go func() {
			for range st.servers {
				<-done
			}
			exit()
		}()
	case "die":
		exit()
	}
	time.AfterFunc(grace(p, st), exit)
}

func grace(p *corev1.Pod, st *pod) time.Duration {
	chosen := *maxGrace
	for _, text := range []string{st.env["FAKE_GRACE"], p.Annotations[annotation+"grace"]} {
		if d, err := time.ParseDuration(text); err == nil {
			chosen = d
		}
	}
	if s := p.DeletionGracePeriodSeconds; s != nil {
		chosen = min(chosen, time.Duration(*s)*time.Second)
	}
	return chosen
}

func (k *kubelet) kill(uid types.UID) {
	k.mu.Lock()
	st := k.pods[uid]
	delete(k.pods, uid)
	k.mu.Unlock()
	if st == nil {
		return
	}
	for _, s := range st.servers {
		s.Close()
	}
}

// Listens at an address that is local by a route only, which IPv6 must be told to accept.
func listen(address string) (net.Listener, error) {
	free := net.ListenConfig{Control: func(network, _ string, c syscall.RawConn) error {
		if network != "tcp6" {
			return nil
		}
		const ipv6FreeBind = 78
		var failed error
		if err := c.Control(func(fd uintptr) { failed = syscall.SetsockoptInt(int(fd), syscall.IPPROTO_IPV6, ipv6FreeBind, 1) }); err != nil {
			return err
		}
		return failed
	}}
	return free.Listen(context.Background(), "tcp", address)
}

func hostOf(address string) string {
	if at, err := netip.ParseAddrPort(address); err == nil {
		return at.Addr().String()
	}
	return strconv.Quote(address)
}
