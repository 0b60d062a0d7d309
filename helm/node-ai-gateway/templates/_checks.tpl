{{- /* What the schema cannot see. Each complaint says how to mend it. */}}
{{- define "gateway.checks" -}}
{{- $preStop := mul .Values.preStopSleepSeconds 1000 }}
{{- $delay := include "gateway.drainSetting" (dict "root" $ "variable" "DRAIN_DELAY" "setting" "drainDelayMs" "default" 0) | int64 }}
{{- $timeout := include "gateway.drainSetting" (dict "root" $ "variable" "DRAIN_TIMEOUT" "setting" "drainTimeoutMs" "default" 30000) | int64 }}
{{- $needed := add $preStop $delay $timeout }}
{{- if le (mul .Values.terminationGracePeriodSeconds 1000) $needed }}
{{- fail (printf "terminationGracePeriodSeconds: %v s are not more than preStopSleepSeconds (%v s), the drain's delay (%v ms) and its timeout (%v ms) together, so streams would be killed. Set at least %v." .Values.terminationGracePeriodSeconds .Values.preStopSleepSeconds $delay $timeout (add 1 (div $needed 1000))) }}
{{- end }}
{{- $variables := list }}
{{- range .Values.extraEnv }}{{ $variables = append $variables .name }}{{ end }}
{{- $backendVariables := list "OLLAMA_BASE_URL" "VLLM_BASE_URL" "OPENAI_BASE_URL" }}
{{- $hasBackend := or .Values.config.backends .Values.ollama.enabled (not (empty .Values.extraEnvFrom)) }}
{{- range $backendVariables }}{{ if has . $variables }}{{ $hasBackend = true }}{{ end }}{{ end }}
{{- if not $hasBackend }}
{{- fail "config.backends: there is no backend. List one, such as --set config.backends[0].name=gpu,config.backends[0].kind=vllm,config.backends[0].url=http://vllm.models.svc:8000, or run Ollama with --set ollama.enabled=true." }}
{{- end }}
{{- if and .Values.auth.allowAnonymous .Values.auth.existingSecret }}
{{- fail "auth: with existingSecret clients need a key, with allowAnonymous they do not. Choose one." }}
{{- end }}
{{- with .Values.auth }}
{{- if not (or .allowAnonymous .existingSecret .secretKeys.key) }}
{{- fail "auth.secretKeys.key: the chart makes one key, and needs a name for it. Keys of your own are in auth.existingSecret." }}
{{- end }}
{{- if not (or .allowAnonymous .secretKeys.key .secretKeys.keys .secretKeys.keyFile $.Values.config.auth) }}
{{- fail "auth.secretKeys: no entry of the Secret is used, so everybody would be refused. Name key, keys or keyFile, or set auth.allowAnonymous." }}
{{- end }}
{{- end }}
{{- if eq (int .Values.admin.port) (int .Values.containerPort) }}
{{- fail "admin.port is the port of clients. Set another one, or 0 for one port." }}
{{- end }}
{{- if and .Values.autoscaling.enabled .Values.keda.enabled }}
{{- fail "autoscaling and keda would both set the number of pods. Choose one." }}
{{- end }}
{{- with .Values.autoscaling }}
{{- if and .enabled (not .targetCPUUtilizationPercentage) (not .targetActiveStreams) }}
{{- fail "autoscaling: there is nothing to aim at. Set targetCPUUtilizationPercentage or targetActiveStreams." }}
{{- end }}
{{- if gt (int .minReplicas) (int .maxReplicas) }}
{{- fail "autoscaling: minReplicas is above maxReplicas." }}
{{- end }}
{{- end }}
{{- if and .Values.metrics.serviceMonitor.enabled .Values.metrics.podMonitor.enabled }}
{{- fail "metrics: with serviceMonitor and podMonitor every pod would be scraped twice. Choose one." }}
{{- end }}
{{- if gt (len (compact (list .Values.redis.url .Values.redis.existingSecret (ternary "valkey" "" .Values.valkey.enabled)))) 1 }}
{{- fail "redis.url, redis.existingSecret and valkey.enabled each name a store. Choose one." }}
{{- end }}
{{- if and .Values.httpRoute.enabled (not .Values.httpRoute.parentRefs) }}
{{- fail "httpRoute.parentRefs: a route needs a Gateway, such as --set httpRoute.parentRefs[0].name=public." }}
{{- end }}
{{- end }}
