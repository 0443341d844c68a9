{{/*
The rules at one place: `namespace`, or, with an empty one, all of them and what has none. They are those of `fastingress rbac`
for the same flags, which a test compares; the reasons are in docs/permissions.md. `chart` is the root.
*/}}
{{- define "fastingress.rules" -}}
{{- $values := .chart.Values -}}
{{- $wide := empty $values.watchNamespaces -}}
{{- $watched := ternary $wide (has .namespace $values.watchNamespaces) (empty .namespace) -}}
{{- $own := eq .namespace .chart.Release.Namespace -}}
{{- $nodes := ne $values.status.nodeAddresses "off" -}}
{{- $updates := eq (include "fastingress.updates" .chart) "true" -}}
{{- $elects := or $updates $values.events -}}
{{- if $watched }}
- apiGroups: [networking.k8s.io]
  resources: [ingresses]
  verbs: [list, watch]
- apiGroups: [""]
  resources: [services]
  verbs: [list, watch]
- apiGroups: [discovery.k8s.io]
  resources: [endpointslices]
  verbs: [list, watch]
{{- if eq $values.secretAccess "watch" }}
- apiGroups: [""]
  resources: [secrets]
  verbs: [list, watch, get]
{{- end }}
{{- if $updates }}
- apiGroups: [networking.k8s.io]
  resources: [ingresses/status]
  verbs: [patch]
{{- end }}
{{- if $values.events }}
- apiGroups: [events.k8s.io]
  resources: [events]
  verbs: [create, patch]
{{- end }}
{{- end }}
{{- if empty .namespace }}
- apiGroups: [networking.k8s.io]
  resources: [ingressclasses]
  verbs: [list, watch]
- apiGroups: [""]
  resources: [namespaces]
  {{- with $values.watchNamespaces }}
  resourceNames:
    {{- toYaml . | nindent 4 }}
  verbs: [get, watch]
  {{- else }}
  verbs: [list, watch]
  {{- end }}
{{- if $nodes }}
- apiGroups: [""]
  resources: [nodes]
  verbs: [list, watch]
{{- else if $values.topologyAwareRouting }}
- apiGroups: [""]
  resources: [nodes]
  verbs: [get, watch]
{{- end }}
{{- end }}
{{- $secrets := get (include "fastingress.secretNames" .chart | fromYaml) .namespace }}
{{- $outside := not (or $wide $watched) }}
{{- if and $secrets (or (eq $values.secretAccess "named") $outside) }}
- apiGroups: [""]
  resources: [secrets]
  resourceNames:
    {{- toYaml $secrets | nindent 4 }}
  verbs: [get, watch]
{{- end }}
{{- $configMaps := get (include "fastingress.configMapNames" .chart | fromYaml) .namespace }}
{{- if or $configMaps (and (empty $values.configMapNames) (or $watched (and $own $outside))) }}
- apiGroups: [""]
  resources: [configmaps]
  {{- with $configMaps }}
  resourceNames:
    {{- toYaml . | nindent 4 }}
  {{- end }}
  verbs: [get, watch]
{{- end }}
{{- $published := include "fastingress.published" .chart }}
{{- if and $published (or $outside $values.watchNamespaceSelector) (eq .namespace (splitList "/" $published | first)) }}
- apiGroups: [""]
  resources: [services]
  resourceNames: [{{ splitList "/" $published | last }}]
  verbs: [get, watch]
{{- end }}
{{- if and $own $nodes }}
- apiGroups: [""]
  resources: [pods]
  verbs: [list, watch]
{{- end }}
{{- if and $own $elects }}
- apiGroups: [coordination.k8s.io]
  resources: [leases]
  verbs: [create]
- apiGroups: [coordination.k8s.io]
  resources: [leases]
  resourceNames: [{{ include "fastingress.election" .chart }}]
  verbs: [get, update]
{{- end }}
{{- end -}}

{{/* Secrets to grant by name: `secretNames`, and what `config` names. */}}
{{- define "fastingress.secretNames" -}}
{{- $names := deepCopy .Values.secretNames -}}
{{- range list "default-ssl-certificate" "ssl-session-ticket-secret" -}}
{{- with index $.Values.config . -}}
{{- $parts := splitList "/" . -}}
{{- $_ := set $names (first $parts) (append (default list (get $names (first $parts))) (last $parts) | uniq) -}}
{{- end -}}
{{- end -}}
{{- toYaml $names -}}
{{- end -}}

{{/* ConfigMaps to grant by name: none if `configMapNames` is empty, else those of the TCP and UDP services too. */}}
{{- define "fastingress.configMapNames" -}}
{{- $names := deepCopy .Values.configMapNames -}}
{{- $own := .Release.Namespace -}}
{{- range $layer := list "tcp" "udp" -}}
{{- if and $.Values.configMapNames (index $.Values $layer) -}}
{{- $name := include "fastingress.streamsName" (list $ $layer) -}}
{{- $_ := set $names $own (append (default list (get $names $own)) $name | uniq) -}}
{{- end -}}
{{- end -}}
{{- toYaml $names -}}
{{- end -}}
