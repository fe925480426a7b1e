{{/* Names are those that the programs know, and not the release's: a cluster has one Epiphyte. */}}

{{/* Labels of every object. Uninstalling and the audit go by them. */}}
{{- define "epiphyte.labels" -}}
app.kubernetes.io/part-of: epiphyte
{{- end }}

{{/* Labels of what hooks make. Helm labels its own objects itself, and hooks not; without it uninstalling would remove its own rights. */}}
{{- define "epiphyte.hookLabels" -}}
{{ include "epiphyte.labels" . }}
app.kubernetes.io/managed-by: {{ .Release.Service }}
{{- end }}

{{/* The reference of an image: (list $ "operator"). */}}
{{- define "epiphyte.image" -}}
{{- $root := index . 0 }}
{{- $images := $root.Values.images }}
{{- $image := index $images (index . 1) }}
{{- $repository := $image.repository }}
{{- with $images.registry }}{{ $repository = printf "%s/%s" (trimSuffix "/" .) $repository }}{{ end }}
{{- if $image.digest }}{{ $repository }}@{{ $image.digest }}
{{- else }}{{ $repository }}:{{ $image.tag | default $images.tag | default $root.Chart.AppVersion }}
{{- end }}
{{- end }}

{{/* The fields of a container about its image: (list $ "operator"). */}}
{{- define "epiphyte.containerImage" -}}
image: {{ include "epiphyte.image" . }}
{{- with (index . 0).Values.images.pullPolicy }}
imagePullPolicy: {{ . }}
{{- end }}
{{- end }}

{{/* The fields of a pod about pulling its images. */}}
{{- define "epiphyte.pullSecrets" -}}
{{- with .Values.imagePullSecrets }}
imagePullSecrets:
{{ toYaml . }}
{{- end }}
{{- end }}

{{/* The fields of a pod about its nodes: (list $ "nodeAgent"). What a component has of its own stands in the place of what all have. */}}
{{- define "epiphyte.nodes" -}}
{{- $values := (index . 0).Values }}
{{- $component := index . 1 }}
{{- $selector := index $values.nodeSelector $component | default $values.nodeSelector.global }}
nodeSelector:
{{ toYaml (merge (dict "kubernetes.io/os" "linux") $selector) | indent 2 }}
{{- with index $values.tolerations $component | default $values.tolerations.global }}
tolerations:
{{ toYaml . }}
{{- end }}
{{- end }}

{{/* Arguments of every program. */}}
{{- define "epiphyte.logArguments" -}}
{{- with .Values.log.level }}, {{ printf "--log=%s" . | quote }}{{ end }}
{{- with .Values.log.format }}, --log-format={{ . }}{{ end }}
{{- end }}

{{/* What a container may be under restricted Pod Security; the pod says the rest. */}}
{{- define "epiphyte.restrictedContainer" -}}
allowPrivilegeEscalation: false
readOnlyRootFilesystem: true
capabilities:
  drop: [ALL]
{{- end }}

{{- define "epiphyte.restrictedPod" -}}
runAsNonRoot: true
runAsUser: 65532
runAsGroup: 65532
seccompProfile:
  type: RuntimeDefault
{{- end }}

{{/* Where telemetry is taken: (list $ port). */}}
{{- define "epiphyte.proxy" -}}
http://epiphyte-telemetry-proxy.{{ (index . 0).Release.Namespace }}.svc:{{ index . 1 }}
{{- end }}

{{/* The namespaces that are ours. */}}
{{- define "epiphyte.ownNamespaces" -}}
{{ list .Release.Namespace .Values.nodeAgent.namespace.name | uniq | toJson }}
{{- end }}

{{/* The metadata of an object of a hook: (list $ name events weight). A failed one stays to be looked at, until the next. */}}
{{- define "epiphyte.hook" -}}
name: {{ index . 1 }}
labels:
{{ include "epiphyte.hookLabels" (index . 0) | indent 2 }}
annotations:
  helm.sh/hook: {{ index . 2 }}
  helm.sh/hook-weight: {{ index . 3 | quote }}
  helm.sh/hook-delete-policy: before-hook-creation,hook-succeeded
{{- end }}
