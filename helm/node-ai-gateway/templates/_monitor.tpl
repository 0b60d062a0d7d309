{{- /* How the gateway is scraped: dict "root" $ "monitor" VALUES. */}}
{{- define "gateway.endpoint" -}}
- port: {{ ternary "admin" "http" (gt (int .root.Values.admin.port) 0) }}
  path: {{ dig "metrics" "path" "/metrics" .root.Values.config }}
  scheme: {{ include "gateway.scheme" .root | lower }}
  interval: {{ .monitor.interval }}
  scrapeTimeout: {{ .monitor.scrapeTimeout }}
  {{- if .root.Values.tls.existingSecret }}
  tlsConfig:
    # Pods are called by their addresses, which no certificate has.
    insecureSkipVerify: true
  {{- end }}
  {{- with .monitor.metricRelabelings }}
  metricRelabelings: {{- toYaml . | nindent 4 }}
  {{- end }}
{{- end }}

{{- /* Metadata with the labels by which an operator finds the object: dict "root" $ "labels" LABELS. */}}
{{- define "gateway.labelledMetadata" -}}
name: {{ include "gateway.fullname" .root }}
namespace: {{ .root.Release.Namespace }}
labels:
  {{- include "gateway.labels" .root | nindent 2 }}
  {{- with .labels }}
  {{- toYaml . | nindent 2 }}
  {{- end }}
{{- end }}
