{{/* The programs meet in one namespace, which their code names: Leases of nodes are there. */}}
{{- define "llmaz.namespace" -}}
{{- if ne .Release.Namespace "llmaz-system" -}}
{{- fail "llmaz belongs in the namespace llmaz-system: add --namespace llmaz-system --create-namespace" -}}
{{- end -}}
llmaz-system
{{- end -}}

{{- define "llmaz.selector" -}}
app.kubernetes.io/name: llmaz
app.kubernetes.io/component: {{ .component }}
{{- end -}}

{{- define "llmaz.labels" -}}
app.kubernetes.io/name: llmaz
{{- with .component }}
app.kubernetes.io/component: {{ . }}
{{- end }}
app.kubernetes.io/part-of: llmaz
app.kubernetes.io/instance: {{ .root.Release.Name }}
app.kubernetes.io/version: {{ .root.Chart.AppVersion | quote }}
app.kubernetes.io/managed-by: {{ .root.Release.Service }}
helm.sh/chart: {{ printf "%s-%s" .root.Chart.Name .root.Chart.Version }}
{{- end -}}

{{- define "llmaz.image" -}}
{{- $image := .root.Values.image -}}
{{- with $image.registry }}{{ . }}/{{ end }}{{ .repository }}:{{ $image.tag | default .root.Chart.AppVersion }}
{{- end -}}

{{/* What every pod has: given root, component and the program's values. */}}
{{- define "llmaz.pod" -}}
serviceAccountName: llmaz-{{ .component }}
enableServiceLinks: false
{{- with .root.Values.image.pullSecrets }}
imagePullSecrets:
  {{- range . }}
  - name: {{ . }}
  {{- end }}
{{- end }}
{{- /* A pod that runs before an upgrade can't have the class that the upgrade may be the first to create. */}}
{{- $created := and .root.Values.priorityClass.create (not .isBefore) }}
{{- with .program.priorityClassName | default (ternary .root.Values.priorityClass.name "" $created) }}
priorityClassName: {{ . }}
{{- end }}
nodeSelector:
  kubernetes.io/os: linux
  {{- with .program.nodeSelector }}
  {{- toYaml . | nindent 2 }}
  {{- end }}
{{- end -}}

{{/* What helm makes before an upgrade, in the order of its weight, and deletes when all is done. */}}
{{- define "llmaz.beforeUpgrade" -}}
helm.sh/hook: pre-upgrade
helm.sh/hook-weight: {{ . | quote }}
helm.sh/hook-delete-policy: before-hook-creation,hook-succeeded
{{- end -}}

{{/* Where slots and agents share copies of weights in memory; empty where they do not. */}}
{{- define "llmaz.sharedMemory" -}}
{{- if and .Values.agent.cache.memory (eq .Values.launcher "slot") -}}
{{- .Values.agent.cache.memoryPath -}}
{{- end -}}
{{- end -}}

{{/* How the controller makes the pods of engines. */}}
{{- define "llmaz.slots" -}}
{{- $slots := .Values.slots -}}
{{- dict
  "launcher" .Values.launcher
  "image" (include "llmaz.image" (dict "root" . "repository" .Values.agent.image.repository))
  "imagePullPolicy" .Values.image.pullPolicy
  "imagePullSecrets" $slots.pullSecrets
  "hostPath" .Values.agent.hostPath
  "memoryPath" (include "llmaz.sharedMemory" .)
  "user" (int .Values.agent.user)
  "supplementalGroups" .Values.agent.supplementalGroups
  "nodeSelector" .Values.agent.nodeSelector
  "tolerations" $slots.tolerations
  "resources" $slots.resources
  "env" $slots.env
  "volumes" $slots.volumes
  "volumeMounts" $slots.volumeMounts
  "runtimeClassName" $slots.runtimeClassName
  "priorityClassName" $slots.priorityClassName
  "schedulerName" $slots.schedulerName
  "fallbackSeconds" (int $slots.fallbackSeconds)
  "lostSeconds" (int $slots.lostSeconds)
  "disruptionBudget" $slots.disruptionBudget
  "drainSeconds" (int $slots.drainSeconds)
  "warm" (int $slots.warm)
  "deviceClaims" $slots.deviceClaims
  | toJson -}}
{{- end -}}

{{/* Where the pods of a Deployment go. */}}
{{- define "llmaz.placement" -}}
tolerations:
  # Kubernetes' own 300 seconds would be as long without any, where all of them were on a node that is lost.
  - {key: node.kubernetes.io/not-ready, operator: Exists, effect: NoExecute, tolerationSeconds: 30}
  - {key: node.kubernetes.io/unreachable, operator: Exists, effect: NoExecute, tolerationSeconds: 30}
  {{- with .program.tolerations }}
  {{- toYaml . | nindent 2 }}
  {{- end }}
affinity:
  {{- if .program.affinity }}
  {{- toYaml .program.affinity | nindent 2 }}
  {{- else }}
  podAntiAffinity:
    preferredDuringSchedulingIgnoredDuringExecution:
      - weight: 100
        podAffinityTerm:
          topologyKey: kubernetes.io/hostname
          # Else the pods of an upgrade keep away from those that they replace, and all meet on one node.
          matchLabelKeys: [pod-template-hash]
          labelSelector:
            matchLabels:
              {{- include "llmaz.selector" . | nindent 14 }}
  {{- end }}
{{- end -}}

{{/* How the pods of a Deployment are replaced, given the fewest that it has: one goes before the next is there, so that
     an upgrade ends on nodes that have no room for one more. The only one stays until there is another. */}}
{{- define "llmaz.replacing" -}}
strategy:
  rollingUpdate:
    maxUnavailable: {{ ternary 1 0 (gt (int .) 1) }}
    maxSurge: 25%
{{- end -}}

{{- define "llmaz.confined" -}}
allowPrivilegeEscalation: false
readOnlyRootFilesystem: true
capabilities:
  drop: [ALL]
{{- end -}}

{{- define "llmaz.probes" -}}
livenessProbe:
  httpGet: {path: /healthz, port: {{ . }}}
  periodSeconds: 20
  timeoutSeconds: 5
  failureThreshold: 6
readinessProbe:
  httpGet: {path: /readyz, port: {{ . }}}
  periodSeconds: 5
  timeoutSeconds: 5
{{- end -}}
