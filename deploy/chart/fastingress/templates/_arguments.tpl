{{/*
The arguments of the container. What the chart decides comes first, then `config` by the names of its flags, then
`extraArgs`.
*/}}
{{- define "fastingress.arguments" -}}
{{- if and .Values.watchNamespaces .Values.watchNamespaceSelector }}
{{- fail "watchNamespaces and watchNamespaceSelector exclude each other" }}
{{- end }}
{{- include "fastingress.checkStreams" . }}
# The pod's own address for probes and metrics, loopback for kubectl port-forward.
- --admin-bind=$(POD_IP)
- --admin-bind=127.0.0.1
- --controller-class={{ .Values.ingressClass.controller }}
- --ingress-class={{ .Values.ingressClass.name }}
- --election-id={{ include "fastingress.election" . }}
{{- range .Values.watchNamespaces }}
- --watch-namespace={{ . }}
{{- end }}
{{- with .Values.watchNamespaceSelector }}
- {{ printf "--watch-namespace-selector=%s" . | quote }}
{{- end }}
- --secret-access={{ .Values.secretAccess }}
- --update-status={{ include "fastingress.updates" . }}
{{- with include "fastingress.published" . }}
- --publish-service={{ . }}
{{- end }}
{{- range .Values.status.addresses }}
- --publish-status-address={{ . }}
{{- end }}
{{- if ne .Values.status.nodeAddresses "off" }}
- --publish-node-addresses={{ .Values.status.nodeAddresses }}
{{- end }}
- --publish-events={{ .Values.events }}
{{- if .Values.topologyAwareRouting }}
- --topology-aware-routing=true
{{- end }}
{{- if .Values.http3.enabled }}
- --http3=true
- --http3-advertise-port={{ .Values.http3.advertisePort | default .Values.service.httpsPort }}
{{- end }}
{{- range $layer := list "tcp" "udp" }}
{{- if index $.Values $layer }}
- --{{ $layer }}-services-configmap={{ $.Release.Namespace }}/{{ include "fastingress.streamsName" (list $ $layer) }}
{{- end }}
{{- end }}
- --shutdown-delay={{ int .Values.drain.delaySeconds }}s
- --drain-timeout={{ int .Values.drain.timeoutSeconds }}s
{{- range $name, $value := .Values.config }}
{{- range $one := ternary $value (list $value) (kindIs "slice" $value) }}
- {{ printf "--%s=%v" $name (include "fastingress.value" $one) | quote }}
{{- end }}
{{- end }}
{{- with .Values.extraArgs }}
{{ toYaml . }}
{{- end }}
{{- end -}}

{{/* A value as text: whole numbers come as floats, and large ones would be written with an exponent. */}}
{{- define "fastingress.value" -}}
{{- if kindIs "float64" . -}}
{{- int64 . -}}
{{- else -}}
{{- . -}}
{{- end -}}
{{- end -}}
