package fakelet

import (
	"encoding/json"
	"fmt"
	"io"
	"net/http"
	"strconv"
	"sync"
	"time"

	corev1 "k8s.io/api/core/v1"
)

// The HTTP server in a pod. It answers JSON: path, host, method, proto, headers, bodyLength, namespace, ingress, service,
// pod, node, podIP (the address it was asked at) and remote. Env steers it: NAMESPACE, INGRESS_NAME, SERVICE_NAME and
// POD_NAME are answered; FAKE_DELAY=50ms delays every answer, as ?delay=50ms does one; FAKE_STATUS=503 fixes the status.
func echo(p *corev1.Pod, env map[string]string, seen *registry) http.Handler {
	always, _ := time.ParseDuration(env["FAKE_DELAY"])
	status, _ := strconv.Atoi(env["FAKE_STATUS"])
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		if id := r.Header.Get("X-Id"); id != "" {
			seen.note(p.Namespace, id, p.Name)
		}
		n, _ := io.Copy(io.Discard, r.Body)
		once, _ := time.ParseDuration(r.URL.Query().Get("delay"))
		time.Sleep(always + once)
		at := ""
		if local, ok := r.Context().Value(http.LocalAddrContextKey).(interface{ String() string }); ok {
			at = local.String()
		}
		body, _ := json.MarshalIndent(map[string]any{
			"path": r.RequestURI, "host": r.Host, "method": r.Method, "proto": r.Proto, "headers": r.Header, "bodyLength": n,
			"namespace": env["NAMESPACE"], "ingress": env["INGRESS_NAME"], "service": env["SERVICE_NAME"], "pod": env["POD_NAME"],
			"node": p.Spec.NodeName, "podIP": hostOf(at), "remote": r.RemoteAddr}, "", " ")
		w.Header().Set("Content-Type", "application/json")
		w.Header().Set("X-Content-Type-Options", "nosniff")
		w.Header().Set("Content-Length", fmt.Sprint(len(body)))
		if status != 0 {
			w.WriteHeader(status)
		}
		w.Write(body)
	})
}

// A registry knows which pods saw which requests: those with a header X-Id, noted when their head has arrived, so that a
// request that was sent to two pods is seen here twice, whatever became of it.
//
//	GET /seen?namespace=NAMESPACE     {"ID": ["pod", ...], ...}
//	DELETE /seen?namespace=NAMESPACE  forgets them
type registry struct {
	mu   sync.Mutex
	pods map[string]map[string][]string
}

func newRegistry() *registry { return &registry{pods: map[string]map[string][]string{}} }

func (s *registry) note(namespace, id, pod string) {
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.pods[namespace] == nil {
		s.pods[namespace] = map[string][]string{}
	}
	s.pods[namespace][id] = append(s.pods[namespace][id], pod)
}

func (s *registry) serve(address string) error {
	l, err := listen(address)
	if err != nil {
		return err
	}
	go http.Serve(l, s)
	return nil
}

func (s *registry) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	s.mu.Lock()
	defer s.mu.Unlock()
	namespace := r.URL.Query().Get("namespace")
	found := s.pods[namespace]
	if found == nil {
		found = map[string][]string{}
	}
	if r.Method == http.MethodDelete {
		delete(s.pods, namespace)
	}
	body, _ := json.Marshal(found)
	w.Header().Set("Content-Type", "application/json")
	w.Header().Set("Content-Length", fmt.Sprint(len(body)))
	w.Write(body)
}
