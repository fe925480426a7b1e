{{- define "epiphyte.proxySettings" -}}
{{- $values := .Values }}
{{- $settings := dict }}
{{- with $values.cluster.name }}{{ $_ := set $settings "cluster" (dict "name" .) }}{{ end }}
{{- $otlp := dict }}
{{- range $key, $url := $values.endpoint.otlp }}{{ if $url }}{{ $_ := set $otlp $key $url }}{{ end }}{{ end }}
{{- $_ := set $settings "endpoint" (dict "otlp" $otlp) }}
{{- if ne (int $values.telemetryProxy.queueSizeMib) 256 }}{{ $_ := set $settings "queue" (dict "sizeMib" (int $values.telemetryProxy.queueSizeMib)) }}{{ end }}
{{- with $values.telemetryProxy.tokenless }}
{{- if .url }}
{{- $tokenless := dict "url" .url }}
{{- if .authorization.secretName }}{{ $_ := set $tokenless "authorizationFile" "/etc/epiphyte-tokenless/header" }}{{ end }}
{{- $_ := set $settings "tokenless" $tokenless }}
{{- end }}
{{- end }}
{{- with $values.telemetryProxy.extra }}{{ $_ := set $settings "extra" . }}{{ end }}
{{- toYaml $settings }}
{{- end }}
