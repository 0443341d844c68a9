package fakelet

import (
	"context"
	"fmt"
	"log"
	"strings"

	corev1 "k8s.io/api/core/v1"
	apierrors "k8s.io/apimachinery/pkg/api/errors"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/labels"
)

// A node has made-up addresses: 10.0.0.11, .12 ... inside and 203.0.113.11, .12 ... outside.
type node struct {
	name, zone         string
	internal, external string
}

func parseNodes(text string) []node {
	var nodes []node
	for i, each := range strings.Split(text, ",") {
		name, zone, found := strings.Cut(each, "=")
		if !found {
			log.Fatalf("-nodes: %q is not NAME=ZONE", each)
		}
		nodes = append(nodes, node{name, zone, fmt.Sprintf("10.0.0.%d", 11+i), fmt.Sprintf("203.0.113.%d", 11+i)})
	}
	return nodes
}

func (n node) labels() labels.Set {
	return labels.Set{corev1.LabelHostname: n.name, corev1.LabelTopologyZone: n.zone, corev1.LabelOSStable: "linux"}
}

func (k *kubelet) node(name string) (node, bool) {
	for _, n := range k.nodes {
		if n.name == name {
			return n, true
		}
	}
	return node{}, false
}

func (k *kubelet) register(ctx context.Context, n node) error {
	o := &corev1.Node{ObjectMeta: metav1.ObjectMeta{Name: n.name, Labels: n.labels()}}
	o, err := k.cs.CoreV1().Nodes().Create(ctx, o, metav1.CreateOptions{})
	if apierrors.IsAlreadyExists(err) {
		return nil
	}
	if err != nil {
		return err
	}
	o.Status.Conditions = []corev1.NodeCondition{{Type: corev1.NodeReady, Status: corev1.ConditionTrue, Reason: "Fake",
		LastHeartbeatTime: metav1.Now(), LastTransitionTime: metav1.Now()}}
	o.Status.Addresses = []corev1.NodeAddress{{Type: corev1.NodeInternalIP, Address: n.internal},
		{Type: corev1.NodeExternalIP, Address: n.external}, {Type: corev1.NodeHostName, Address: n.name}}
	_, err = k.cs.CoreV1().Nodes().UpdateStatus(ctx, o, metav1.UpdateOptions{})
	return err
}

// Binds a pod to a node that has the labels it selects, those of one owner in turn. A pod that no node suits waits.
func (k *kubelet) bind(ctx context.Context, p *corev1.Pod) {
	var fit []node
	for _, n := range k.nodes {
		if labels.SelectorFromSet(p.Spec.NodeSelector).Matches(n.labels()) {
			fit = append(fit, n)
		}
	}
	if len(fit) == 0 {
		return
	}
	owner := p.UID
	if len(p.OwnerReferences) > 0 {
		owner = p.OwnerReferences[0].UID
	}
	k.mu.Lock()
	chosen := fit[k.turns[owner]%len(fit)]
	k.turns[owner]++
	k.mu.Unlock()
	ignore(k.cs.CoreV1().Pods(p.Namespace).Bind(ctx, &corev1.Binding{ObjectMeta: metav1.ObjectMeta{Name: p.Name},
		Target: corev1.ObjectReference{Kind: "Node", Name: chosen.name}}, metav1.CreateOptions{}))
}
