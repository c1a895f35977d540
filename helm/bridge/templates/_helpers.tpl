{{- define "bridge.name" -}}
{{- if contains .Chart.Name .Release.Name -}}
{{- .Release.Name | trunc 63 | trimSuffix "-" -}}
{{- else -}}
{{- printf "%s-%s" .Release.Name .Chart.Name | trunc 63 | trimSuffix "-" -}}
{{- end -}}
{{- end }}

{{- define "bridge.selector" -}}
app.kubernetes.io/name: {{ .Chart.Name }}
app.kubernetes.io/instance: {{ .Release.Name }}
{{- end }}

{{- define "bridge.sandboxSelector" -}}
app.kubernetes.io/name: {{ .Chart.Name }}-sandbox
app.kubernetes.io/instance: {{ .Release.Name }}
{{- end }}

{{- define "bridge.labels" -}}
helm.sh/chart: {{ printf "%s-%s" .Chart.Name .Chart.Version | replace "+" "_" }}
{{ include "bridge.selector" . }}
app.kubernetes.io/version: {{ .Chart.AppVersion | quote }}
app.kubernetes.io/managed-by: {{ .Release.Service }}
{{- end }}

{{- define "bridge.serviceAccount" -}}
{{- if .Values.serviceAccount.create -}}
{{- .Values.serviceAccount.name | default (include "bridge.name" .) -}}
{{- else -}}
{{- required "serviceAccount.name: which one, when it is not created here?" .Values.serviceAccount.name -}}
{{- end -}}
{{- end }}

{{- define "bridge.image" -}}
{{- if .Values.image.digest -}}
{{ .Values.image.repository }}@{{ .Values.image.digest }}
{{- else -}}
{{ .Values.image.repository }}:{{ .Values.image.tag | default .Chart.AppVersion }}
{{- end -}}
{{- end }}

{{- define "bridge.ownership" -}}
{{- .Values.config.ownership | default "kafka" -}}
{{- end }}

{{- /* Whether more than one pod may run at a time. */ -}}
{{- define "bridge.isGroup" -}}
{{- if or (gt (int .Values.replicas) 1) .Values.autoscaling.enabled }}yes{{ end -}}
{{- end }}

{{- /* The file: what was given, and what only the chart knows. The admin server stands where the kubelet finds it. */ -}}
{{- define "bridge.config" -}}
{{- $ours := dict "ownership" (include "bridge.ownership" .) "admin" (dict "host" "0.0.0.0" "port" 8080) -}}
{{- toYaml (mergeOverwrite (deepCopy .Values.config) $ours) -}}
{{- end }}

{{- /* Topics that the rules name, each once. */ -}}
{{- define "bridge.topics" -}}
{{- $topics := dict -}}
{{- $defaults := .Values.config.defaults | default dict -}}
{{- range .Values.config.triggers -}}
{{- range .routes }}{{ if not .shadow }}{{ $_ := set $topics .topic true }}{{ end }}{{ end -}}
{{- range list (.unmatched | default $defaults.unmatched) (.dead_letter | default $defaults.dead_letter) -}}
{{- if kindIs "map" . }}{{ $_ := set $topics .topic true }}{{ end -}}
{{- end -}}
{{- end -}}
{{- keys $topics | sortAlpha | toJson -}}
{{- end }}

{{- define "bridge.podSecurity" -}}
runAsNonRoot: true
runAsUser: 10001
runAsGroup: 10001
fsGroup: 10001
seccompProfile: {type: RuntimeDefault}
{{- end }}

{{- define "bridge.containerSecurity" -}}
allowPrivilegeEscalation: false
readOnlyRootFilesystem: true
capabilities: {drop: [ALL]}
{{- end }}

{{- /* What the configuration file stands on: environment, its own mount, the mounted secrets. */ -}}
{{- define "bridge.env" -}}
{{- range .Values.secretEnv }}
- name: {{ .name }}
  valueFrom:
    secretKeyRef: {name: {{ .secret }}, key: {{ .key }}}
{{- end }}
{{- range $name, $value := .Values.env }}
- name: {{ $name }}
  value: {{ $value | quote }}
{{- end }}
{{- end }}

{{- define "bridge.mounts" -}}
- {name: config, mountPath: /etc/bridge, readOnly: true}
- {name: tmp, mountPath: /tmp}
{{- range $index, $mount := .Values.secretMounts }}
- {name: secret-{{ $index }}, mountPath: {{ $mount.mountPath }}, readOnly: true}
{{- end }}
{{- end }}

{{- define "bridge.volumes" -}}
- name: config
  configMap: {name: {{ include "bridge.name" . }}}
- name: tmp
  emptyDir: {sizeLimit: 64Mi}
{{- range $index, $mount := .Values.secretMounts }}
- name: secret-{{ $index }}
  secret: {secretName: {{ $mount.secret }}, defaultMode: 0440}
{{- end }}
{{- end }}

{{- /* What one value says about another, which the schema cannot check. */ -}}
{{- define "bridge.check" -}}
{{- if not .Values.config -}}
{{- fail "config: the service needs its configuration file here" -}}
{{- end -}}
{{- if and (include "bridge.isGroup" .) (ne (include "bridge.ownership" .) "kafka") -}}
{{- fail "replicas: more than one needs config.ownership: kafka, or two would work on one trigger" -}}
{{- end -}}
{{- if and .Values.autoscaling.enabled (not .Values.autoscaling.prometheus) -}}
{{- fail "autoscaling.prometheus: the address to ask for the lag is needed" -}}
{{- end -}}
{{- if and .Values.strimzi.enabled (not .Values.strimzi.cluster) -}}
{{- fail "strimzi.cluster: the name of the Kafka resource is needed" -}}
{{- end -}}
{{- $stop := .Values.config.stop_timeout | default "30s" | toString -}}
{{- $unit := regexFind "[a-z]+$" $stop -}}
{{- $factor := get (dict "s" 1 "m" 60 "h" 3600) $unit -}}
{{- if and $factor (ge (mul (trimSuffix $unit $stop | int) $factor) (int64 .Values.terminationGracePeriodSeconds)) -}}
{{- fail "terminationGracePeriodSeconds: must be longer than config.stop_timeout, or batches in flight are cut off" -}}
{{- end -}}
{{- end }}
