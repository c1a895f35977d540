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

{{- /* The file: what was given, and the admin server where the kubelet and the Service find it. */ -}}
{{- define "bridge.config" -}}
{{- $admin := dict "admin" (dict "host" "0.0.0.0" "port" 8080) -}}
{{- toYaml (mergeOverwrite (deepCopy .Values.config) $admin) -}}
{{- end }}

{{- /* What one value says about another, which the schema cannot check. */ -}}
{{- define "bridge.check" -}}
{{- if not .Values.config -}}
{{- fail "config: the service needs its configuration file here" -}}
{{- end -}}
{{- if and (gt (int .Values.replicas) 1) (ne (.Values.config.ownership | default "kafka") "kafka") -}}
{{- fail "replicas: more than one needs config.ownership: kafka, or two would work on one trigger" -}}
{{- end -}}
{{- $stop := .Values.config.stop_timeout | default "30s" | toString -}}
{{- $unit := regexFind "[a-z]+$" $stop -}}
{{- $factor := get (dict "s" 1 "m" 60 "h" 3600) $unit -}}
{{- if and $factor (ge (mul (trimSuffix $unit $stop | int) $factor) (int64 .Values.terminationGracePeriodSeconds)) -}}
{{- fail "terminationGracePeriodSeconds: must be longer than config.stop_timeout, or batches in flight are cut off" -}}
{{- end -}}
{{- end }}
