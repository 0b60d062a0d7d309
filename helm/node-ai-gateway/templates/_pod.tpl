{{- /* Variables of the gateway. Keys of clients come as files, so that a change is seen without a restart. */}}
{{- define "gateway.env" -}}
- name: GATEWAY_CONFIG
  value: /etc/node-ai-gateway/config/gateway.yaml
- name: PORT
  value: {{ .Values.containerPort | quote }}
{{- if .Values.auth.allowAnonymous }}
- name: ALLOW_ANONYMOUS
  value: 'true'
{{- if not (dig "server" "host" "" .Values.config) }}
- name: HOST
  value: 0.0.0.0
{{- end }}
{{- else }}
{{- with .Values.auth.secretKeys }}
{{- range $name, $entry := dict "AUTH_KEY_FILE" .key "API_KEYS_FILE" .keys "ADMIN_KEY_FILE" .adminKey "KEY_FILE" .keyFile "KEY_HASH_SECRET_FILE" .hashSecret }}
{{- if $entry }}
- name: {{ $name }}
  value: /etc/node-ai-gateway/auth/{{ $entry }}
{{- end }}
{{- end }}
{{- end }}
{{- end }}
{{- if .Values.admin.port }}
- name: ADMIN_PORT
  value: {{ .Values.admin.port | quote }}
- name: ADMIN_HOST
  value: {{ dig "server" "host" "0.0.0.0" .Values.config | quote }}
{{- end }}
{{- if .Values.usage.enabled }}
- name: USAGE_DIR
  value: /data
{{- else }}
- name: USAGE_ENABLED
  value: 'false'
{{- end }}
{{- if .Values.tls.existingSecret }}
- name: TLS_CERT_FILE
  value: /etc/node-ai-gateway/tls/tls.crt
- name: TLS_KEY_FILE
  value: /etc/node-ai-gateway/tls/tls.key
{{- end }}
{{- include "gateway.redisEnv" . }}
{{- with .Values.tracing.endpoint }}
- name: OTEL_EXPORTER_OTLP_ENDPOINT
  value: {{ . }}
{{- end }}
{{- with .Values.extraEnv }}
{{ toYaml . }}
{{- end }}
{{- end }}

{{- define "gateway.redisEnv" -}}
{{- if .Values.redis.existingSecret }}
- name: REDIS_URL
  valueFrom:
    secretKeyRef:
      name: {{ .Values.redis.existingSecret }}
      key: {{ .Values.redis.secretKey }}
{{- else if .Values.redis.url }}
- name: REDIS_URL
  value: {{ .Values.redis.url }}
{{- else if .Values.valkey.enabled }}
{{- $host := printf "%s.%s.svc:6379" (include "valkey.name" (dict "Release" .Release)) .Release.Namespace }}
{{- with .Values.valkey.auth }}
{{- if .existingSecret }}
- name: VALKEY_PASSWORD
  valueFrom:
    secretKeyRef:
      name: {{ .existingSecret }}
      key: {{ .secretKey }}
{{- end }}
- name: REDIS_URL
  value: redis://{{ if .existingSecret }}:$(VALKEY_PASSWORD)@{{ end }}{{ $host }}
{{- end }}
{{- end }}
{{- if and .Values.redis.failClosed (or .Values.redis.existingSecret .Values.redis.url .Values.valkey.enabled) }}
- name: REDIS_FAIL_CLOSED
  value: 'true'
{{- end }}
{{- end }}

{{- define "gateway.volumeMounts" -}}
- name: config
  mountPath: /etc/node-ai-gateway/config
  readOnly: true
{{- if not .Values.auth.allowAnonymous }}
- name: auth
  mountPath: /etc/node-ai-gateway/auth
  readOnly: true
{{- end }}
{{- if .Values.tls.existingSecret }}
- name: tls
  mountPath: /etc/node-ai-gateway/tls
  readOnly: true
{{- end }}
{{- if .Values.usage.enabled }}
- name: usage
  mountPath: /data
{{- end }}
- name: tmp
  mountPath: /tmp
{{- with .Values.extraVolumeMounts }}
{{ toYaml . }}
{{- end }}
{{- end }}

{{- /* Folders and not single files: only those follow a change of the ConfigMap or Secret. */}}
{{- define "gateway.volumes" -}}
- name: config
  configMap:
    name: {{ include "gateway.fullname" . }}
{{- if not .Values.auth.allowAnonymous }}
- name: auth
  secret:
    secretName: {{ include "gateway.authSecret" . }}
    # 0440
    defaultMode: 288
{{- end }}
{{- with .Values.tls.existingSecret }}
- name: tls
  secret:
    secretName: {{ . }}
    # 0440
    defaultMode: 288
{{- end }}
{{- if .Values.usage.enabled }}
- name: usage
  {{- toYaml (.Values.usage.volume | default (dict "emptyDir" dict)) | nindent 2 }}
{{- end }}
- name: tmp
  emptyDir: {}
{{- with .Values.extraVolumes }}
{{ toYaml . }}
{{- end }}
{{- end }}

{{- /* A probe of the values, over TLS when the gateway speaks it: dict "root" $ "probe" PROBE. */}}
{{- define "gateway.probe" -}}
{{- $probe := deepCopy .probe }}
{{- if $probe.httpGet }}
{{- $_ := set $probe.httpGet "scheme" ($probe.httpGet.scheme | default (include "gateway.scheme" .root)) }}
{{- end }}
{{- toYaml $probe }}
{{- end }}

{{- define "gateway.topologySpread" -}}
{{- if .Values.topologySpreadConstraints }}
{{- toYaml .Values.topologySpreadConstraints }}
{{- else }}
{{- range list "topology.kubernetes.io/zone" "kubernetes.io/hostname" }}
- topologyKey: {{ . }}
  maxSkew: 1
  whenUnsatisfiable: ScheduleAnyway
  # Only pods of one version count: at a rollout the old ones are about to go.
  matchLabelKeys: [pod-template-hash]
  labelSelector:
    matchLabels: {{- include "gateway.selector" $ | nindent 6 }}
{{- end }}
{{- end }}
{{- end }}
