{{/* The name all objects begin with: the release's, with the chart's where it does not hold that. */}}
{{- define "fastingress.fullname" -}}
{{- $name := default .Chart.Name .Values.nameOverride -}}
{{- if .Values.fullnameOverride -}}
{{- .Values.fullnameOverride | trunc 50 | trimSuffix "-" -}}
{{- else if contains $name .Release.Name -}}
{{- .Release.Name | trunc 50 | trimSuffix "-" -}}
{{- else -}}
{{- printf "%s-%s" .Release.Name $name | trunc 50 | trimSuffix "-" -}}
{{- end -}}
{{- end -}}

{{/* What the replicas are selected by; never changes for a release. */}}
{{- define "fastingress.selector" -}}
app.kubernetes.io/name: {{ default .Chart.Name .Values.nameOverride | trunc 63 | trimSuffix "-" }}
app.kubernetes.io/instance: {{ .Release.Name }}
{{- end -}}

{{- define "fastingress.labels" -}}
{{ include "fastingress.selector" . }}
app.kubernetes.io/version: {{ .Chart.AppVersion | quote }}
{{- end -}}

{{- define "fastingress.account" -}}
{{- default (ternary (include "fastingress.fullname" .) "default" .Values.serviceAccount.create) .Values.serviceAccount.name -}}
{{- end -}}

{{- define "fastingress.image" -}}
{{- with .Values.image -}}
{{- if .digest -}}
{{- printf "%s@%s" .repository .digest -}}
{{- else -}}
{{- printf "%s:%s" .repository (default $.Chart.AppVersion .tag) -}}
{{- end -}}
{{- end -}}
{{- end -}}

{{/* The Service whose addresses are published, or nothing. */}}
{{- define "fastingress.published" -}}
{{- if .Values.status.publishService -}}
{{- .Values.status.publishService -}}
{{- else if and (eq .Values.service.type "LoadBalancer") (not .Values.status.addresses) (eq .Values.status.nodeAddresses "off") -}}
{{- printf "%s/%s" .Release.Namespace (include "fastingress.fullname" .) -}}
{{- end -}}
{{- end -}}

{{/* Whether status is written: not without an address to write. */}}
{{- define "fastingress.updates" -}}
{{- $values := .Values.status -}}
{{- and $values.update (or (ne $values.nodeAddresses "off") (not (empty $values.addresses)) (not (empty (include "fastingress.published" .)))) -}}
{{- end -}}

{{/* The Lease that decides which replica writes; one per release. */}}
{{- define "fastingress.election" -}}
{{- include "fastingress.fullname" . }}-leader
{{- end -}}
