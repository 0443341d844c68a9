package fakelet

import (
	"context"
	"encoding/json"
	"fmt"
	"net/netip"
	"reflect"
	"strings"

	corev1 "k8s.io/api/core/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/types"
)

// Gives a Service of type LoadBalancer the addresses and host names that its annotation fake-kubelet/load-balancer lists
// ("192.0.2.7,lb.example", or "none"), and one of 192.0.2.0/24 of its own if it has no such annotation and no status.
func (k *kubelet) balance(ctx context.Context, s *corev1.Service) {
	if s.Spec.Type != corev1.ServiceTypeLoadBalancer || s.DeletionTimestamp != nil {
		return
	}
	listed, given := s.Annotations[annotation+"load-balancer"]
	if !given && len(s.Status.LoadBalancer.Ingress) > 0 {
		return // a test may have written it
	}
	if !given {
		listed = k.balancer(s.UID)
	}
	want := []corev1.LoadBalancerIngress{}
	for _, each := range strings.Split(listed, ",") {
		each = strings.TrimSpace(each)
		if _, err := netip.ParseAddr(each); err == nil {
			want = append(want, corev1.LoadBalancerIngress{IP: each})
		} else if each != "none" && each != "" {
			want = append(want, corev1.LoadBalancerIngress{Hostname: each})
		}
	}
	if same(want, s.Status.LoadBalancer.Ingress) {
		return
	}
	body, err := json.Marshal(map[string]any{"status": map[string]any{"loadBalancer": map[string]any{"ingress": want}}})
	must(err)
	_, err = k.cs.CoreV1().Services(s.Namespace).Patch(ctx, s.Name, types.MergePatchType, body, metav1.PatchOptions{}, "status")
	ignore(err)
}

func (k *kubelet) balancer(uid types.UID) string {
	k.mu.Lock()
	defer k.mu.Unlock()
	if k.lbs[uid] == "" {
		k.lbs[uid] = fmt.Sprintf("192.0.2.%d", len(k.lbs)%250+1)
	}
	return k.lbs[uid]
}

// The API adds an ipMode to addresses; it does not count.
func same(want, has []corev1.LoadBalancerIngress) bool {
	plain := []corev1.LoadBalancerIngress{}
	for _, each := range has {
		plain = append(plain, corev1.LoadBalancerIngress{IP: each.IP, Hostname: each.Hostname})
	}
	return reflect.DeepEqual(want, plain)
}
