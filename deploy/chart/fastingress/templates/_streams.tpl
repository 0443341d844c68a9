{{/* The ConfigMap of the TCP or UDP services: takes the root and `tcp` or `udp`. */}}
{{- define "fastingress.streamsName" -}}
{{- printf "%s-%s" (include "fastingress.fullname" (first .)) (last .) -}}
{{- end -}}

{{/* Fails for a port that the Service or the container has already; both have the same number for a stream. */}}
{{- define "fastingress.checkStreams" -}}
{{- $service := .Values.service -}}
{{- $tcp := dict "8080" "the container's for HTTP" "8443" "the container's for TLS" "10254" "the admin port" -}}
{{- $_ := set $tcp (toString (int $service.httpPort)) "service.httpPort" -}}
{{- $_ := set $tcp (toString (int $service.httpsPort)) "service.httpsPort" -}}
{{- $udp := dict -}}
{{- if .Values.http3.enabled -}}
{{- $udp = dict "8443" "the container's for HTTP/3" (toString (int $service.httpsPort)) "that of HTTP/3" -}}
{{- end -}}
{{- range $layer, $taken := dict "tcp" $tcp "udp" $udp -}}
{{- range $port, $_ := index $.Values $layer -}}
{{- with get $taken $port -}}
{{- fail (printf "%s: port %s is %s" $layer $port .) -}}
{{- end -}}
{{- end -}}
{{- end -}}
{{- end -}}

{{/* Not empty if one of their ports is among those that a user other than root needs leave for. */}}
{{- define "fastingress.lowPort" -}}
{{- range $layer := list "tcp" "udp" -}}
{{- range $port, $_ := index $.Values $layer -}}
{{- if lt (int $port) 1024 -}}
{{- $port -}}
{{- end -}}
{{- end -}}
{{- end -}}
{{- end -}}
