{{- /* gateway.yaml: the values' own, with the Ollama of this chart among the backends. */}}
{{- define "gateway.config" -}}
{{- $config := deepCopy .Values.config }}
{{- if .Values.ollama.enabled }}
{{- $url := printf "http://%s.%s.svc:11434" (include "ollama.name" (dict "Release" .Release)) .Release.Namespace }}
{{- $own := dict "name" "ollama" "kind" "ollama" "url" $url "discovery" "dns" }}
{{- $_ := set $config "backends" (append ($config.backends | default list) $own) }}
{{- end }}
{{- toYaml $config }}
{{- end }}

{{- /* What running pods cannot take over: of this the checksum is made that restarts them. */}}
{{- define "gateway.fixedSettings" -}}
{{- $config := include "gateway.config" . | fromYaml }}
{{- if .Values.restartOnConfigChange }}
{{- toYaml $config }}
{{- else }}
{{- range .Files.Get "files/restart-settings.json" | fromJsonArray }}
{{ join "." . }}: {{ dig (first .) (last .) "" $config | toJson }}
{{- end }}
{{- end }}
{{- end }}

{{- /* A time as the configuration knows it (a number of milliseconds, or 250ms, 1.5s, 10m, 1h), in milliseconds. */}}
{{- define "gateway.milliseconds" -}}
{{- $text := toString . }}
{{- if regexMatch "^[0-9.]+\\s*(ms|s|m|h)$" $text }}
{{- $factor := get (dict "ms" 1 "s" 1000 "m" 60000 "h" 3600000) (regexFind "[a-z]+$" $text) }}
{{- mulf (regexFind "^[0-9.]+" $text | float64) $factor | ceil | int64 }}
{{- else }}
{{- $text | float64 | ceil | int64 }}
{{- end }}
{{- end }}

{{- /* A setting of the drain in milliseconds: dict "root" $ "variable" NAME "setting" NAME "default" MS. */}}
{{- define "gateway.drainSetting" -}}
{{- $value := dig "server" .setting .default .root.Values.config }}
{{- range .root.Values.extraEnv }}
{{- if and (eq .name $.variable) .value }}
{{- $value = .value }}
{{- end }}
{{- end }}
{{- include "gateway.milliseconds" $value }}
{{- end }}

{{- /* Namespaces of backends that are found by Kubernetes, one a line: `vllm.models.svc` is in `models`. */}}
{{- define "gateway.discoveryNamespaces" -}}
{{- $namespaces := list }}
{{- range .Values.config.backends }}
{{- if eq (.discovery | default "none") "kubernetes" }}
{{- $labels := (urlParse .url).hostname | splitList "." }}
{{- $namespaces = append $namespaces (gt (len $labels) 1 | ternary (slice (append $labels "") 1 2 | first) $.Release.Namespace) }}
{{- end }}
{{- end }}
{{- $namespaces | uniq | sortAlpha | join "\n" }}
{{- end }}
