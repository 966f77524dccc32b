"""Every value of the chart, set to something that a rendering can be searched for.

A case is a value, and the JSON that appears with it and not without. The cases of one batch are
rendered at once: helm takes a while.
"""

import json
from typing import TypeAlias

from support.chart import Json

Cases: TypeAlias = dict[str, tuple[Json, str]]
_TERM = {"nodeSelectorTerms": [{"matchExpressions": [{"key": "marked", "operator": "Exists"}]}]}
_AFFINITY = {"nodeAffinity": {"requiredDuringSchedulingIgnoredDuringExecution": _TERM}}


def _peer(name: str) -> Json:
    return [{"podSelector": {"matchLabels": {"peer": name}}}]


def _said(text: str) -> str:
    """Return JSON as it stands in an argument: a text in a text."""
    return json.dumps(text)[1:-1]


_POOL: Json = {
    "playground": "chat",
    "namespace": "team",
    "port": 8081,
    "endpointPicker": {"name": "picker", "port": 9003, "failureMode": "FailOpen"},
    "parentRefs": [{"name": "entry"}],
    "hostnames": ["chat.test"],
}
_ANYTHING: Cases = {
    "image.registry": ("registry.test", '"image": "registry.test/llmaz-agent:'),
    "image.tag": ("9.9", 'llmaz-agent:9.9"'),
    "image.pullPolicy": ("Always", '"imagePullPolicy": "Always"'),
    "image.pullSecrets": (["registry"], '"imagePullSecrets": [{"name": "registry"}]'),
    "logFormat": ("text", '"--log-format=text"'),
    "launcher": ("process", '"updateStrategy": {"type": "OnDelete"}'),
    **{
        f"slots.{key}": (value, _said(shown))
        for key, value, shown in (
            ("fallbackSeconds", 33, '"fallbackSeconds":33'),
            ("lostSeconds", 61, '"lostSeconds":61'),
            ("disruptionBudget", False, '"disruptionBudget":false'),
            ("drainSeconds", 62, '"drainSeconds":62'),
            ("warm", 2, '"warm":2'),
            ("resources", {"requests": {"cpu": "321m"}}, '"cpu":"321m"'),
            ("env", [{"name": "SLOT", "value": "yes"}], '{"name":"SLOT","value":"yes"}'),
            ("volumes", [{"name": "slot", "emptyDir": {}}], '{"emptyDir":{},"name":"slot"}'),
            ("volumeMounts", [{"name": "slot", "mountPath": "/s"}], '"mountPath":"/s"'),
            ("tolerations", [{"key": "slot"}], '{"key":"slot"}'),
            ("runtimeClassName", "slots", '"runtimeClassName":"slots"'),
            ("priorityClassName", "slots", '"priorityClassName":"slots"'),
            ("schedulerName", "slots", '"schedulerName":"slots"'),
            ("pullSecrets", ["slots"], '"imagePullSecrets":["slots"]'),
            ("deviceClaims", {"nvidia.com/gpu": "gpu"}, '"deviceClaims":{"nvidia.com/gpu":"gpu"}'),
        )
    },
    "controller.nodeLabels": ("nfd", '"--node-features"'),
    "controller.progressEnds": (True, '"--progress-ends"'),
    "controller.replicas": (5, '"replicas": 5'),
    "agent.hostPath": ("/data", '"hostPath": {"path": "/data/agent"'),
    "agent.sharedMemory": ("7Gi", '"sizeLimit": "7Gi"'),
    "agent.hostNetwork": (True, '"hostNetwork": true'),
    "agent.sharing.tokenSecret": ("peers", '"--peer-token-file=/etc/llmaz/peers/token"'),
    "agent.sharing.tlsSecret": ("tls", '"--peer-tls-key=/etc/llmaz/peer-tls/tls.key"'),
    "agent.cache.quota": ("80%", '"--cache-quota=80%"'),
    "agent.cache.reserve": ("50Gi", '"--cache-reserve=50Gi"'),
    "agent.cache.fetchRate": ("200Mi", '"--fetch-rate=200Mi"'),
    "agent.cache.xet": ("never", '"--xet=never"'),
    "agent.cache.jit": ("20Gi", '"--jit-cache=20Gi"'),
    "agent.cache.jitPeers": (True, '"--jit-cache-peers"'),
    "agent.cache.scrubRate": ("off", '"--scrub-rate=off"'),
    "agent.cache.readAhead": ("off", '"--read-ahead=off"'),
    "agent.args": (["--refuse-pickle"], '"--refuse-pickle"'),
    "agent.drainSeconds": (77, '"--stop-engines-within=77"'),
    "agent.runtimeClassName": ("nvidia", '"runtimeClassName": "nvidia"'),
    "agent.nvidia.devices": ("mounts", '"/var/run/nvidia-container-devices/all"'),
    "agent.nvidia.capabilities": ("utility", '"value": "utility"'),
    "agent.podResources.enabled": (True, '"--devices-socket=/run/llmaz/devices/told"'),
    "agent.podResources.path": ("/k3s/pods", '"hostPath": {"path": "/k3s/pods"'),
    "agent.user": (1234, '"runAsUser": 1234'),
    "agent.supplementalGroups": ([44], '"supplementalGroups": [44]'),
    "agent.env": ([{"name": "MARKED", "value": "yes"}], '{"name": "MARKED", "value": "yes"}'),
    "agent.volumes": ([{"name": "marked", "emptyDir": {}}], '{"emptyDir": {}, "name": "marked"}'),
    "agent.volumeMounts": ([{"name": "marked", "mountPath": "/m"}], '"mountPath": "/m"'),
    "agent.secretNames": (["marked"], '"resourceNames": ["marked"]'),
    "agent.secretNamespaces": (["marked"], '"namespace": "marked"'),
    "gateway.url": ("https://llm.test/v1", '"--gateway-url=https://llm.test/v1"'),
    "gateway.autoscaling.minReplicas": (3, '"minReplicas": 3'),
    "gateway.autoscaling.maxReplicas": (33, '"maxReplicas": 33'),
    "gateway.autoscaling.targetCPUUtilizationPercentage": (55, '"averageUtilization": 55'),
    "gateway.service.type": ("LoadBalancer", '"type": "LoadBalancer"'),
    "gateway.service.port": (81, '"port": 81'),
    "gateway.service.annotations": ({"service": "yes"}, '"annotations": {"service": "yes"}'),
    "gateway.maxBodyMiB": (65, '"--max-body-mib=65"'),
    "gateway.apiKeysSecret": ("marked", '"--api-keys=/etc/llmaz/api-keys/keys"'),
    "gateway.drainSeconds": (31, '"sleep": {"seconds": 31}'),
    "gateway.httpRoute.enabled": (True, '"kind": "HTTPRoute"'),
    "gateway.httpRoute.parentRefs": ([{"name": "entry"}], '"parentRefs": [{"name": "entry"}]'),
    "gateway.httpRoute.hostnames": (["llm.test"], '"hostnames": ["llm.test"]'),
    "gateway.httpRoute.annotations": ({"route": "yes"}, '"annotations": {"route": "yes"}'),
    "inferencePools": ([_POOL], '"failureMode": "FailOpen"'),
    **{
        f"openWebUI.{key}": (value, shown)
        for key, value, shown in (
            ("enabled", True, '"name": "llmaz-open-webui"'),
            ("image.repository", "webui.test/ui", '"image": "webui.test/ui:'),
            ("image.tag", "v9", ':v9"'),
            ("persistentVolumeClaim", "chats", '"claimName": "chats"'),
            ("keySecret", "signing", '"secretKeyRef": {"name": "signing", "key": "key"}'),
            ("service.type", "NodePort", '"type": "NodePort"'),
            ("service.port", 82, '"port": 82'),
            ("env", [{"name": "UI", "value": "yes"}], '{"name": "UI", "value": "yes"}'),
            ("allowEgress", [{"to": _peer("sign-on")}], '"peer": "sign-on"'),
            ("resources", {"requests": {"cpu": "432m"}}, '"cpu": "432m"'),
            ("nodeSelector", {"webui": "yes"}, '"webui": "yes"'),
            ("tolerations", [{"key": "webui"}], '{"key": "webui"}'),
        )
    },
    "networkPolicy.apiServerPorts": ([6445], '"port": 6445'),
    "networkPolicy.gatewayFrom": (_peer("gateway"), '"peer": "gateway"'),
    "networkPolicy.enginesFrom": (_peer("engines"), '"peer": "engines"'),
    "networkPolicy.metricsFrom": (_peer("metrics"), '"peer": "metrics"'),
    "priorityClass.create": (True, '"kind": "PriorityClass"'),
    "priorityClass.name": ("high", '"priorityClassName": "high"'),
    "priorityClass.value": (123, '"value": 123'),
    "monitoring.monitors": (True, '"kind": "PodMonitor"'),
    "monitoring.labels": ({"monitored": "yes"}, '"monitored": "yes"'),
    "monitoring.rules": ("PrometheusRule", '"kind": "PrometheusRule"'),
    "monitoring.dashboard.enabled": (True, '"name": "llmaz-dashboard"'),
    "monitoring.dashboard.labels": ({"shown": "yes"}, '"shown": "yes"'),
    "tests.image": ("python:3", '"image": "python:3"'),
}
_WITHOUT_AUTOSCALING: Cases = {
    "gateway.autoscaling.enabled": (False, '"spec": {"replicas": 4'),
    "gateway.replicas": (4, '"replicas": 4'),
    # The path says nothing where engines are processes, as they are in the others.
    "agent.cache.memory": ("64Gi", '"--warm-quota=64Gi"'),
    "agent.cache.memoryPath": ("/run/copies", '"hostPath": {"path": "/run/copies"'),
    # It says nothing beside `agent.hostNetwork`, which is among the others.
    "agent.sharing.hostPort": (9499, '"hostPort": 9499'),
}


def _of(program: str) -> Cases:
    cases: Cases = {
        "image.repository": ("marked", '"image": "marked:0.1.0"'),
        "resources": ({"requests": {"cpu": "123m"}}, '"cpu": "123m"'),
        "nodeSelector": ({"selected": "yes"}, '"selected": "yes"'),
        "tolerations": ([{"key": "tolerated"}], '{"key": "tolerated"}'),
        "affinity": (_AFFINITY, '"affinity": {"nodeAffinity"'),
        "podAnnotations": ({"annotated": "yes"}, '"annotated": "yes"'),
        "priorityClassName": ("marked", '"priorityClassName": "marked"'),
    }
    return {f"{program}.{key}": case for key, case in cases.items()}


BATCHES: dict[str, Cases] = {
    "anything": _ANYTHING,
    "without autoscaling": _WITHOUT_AUTOSCALING,
    **{program: _of(program) for program in ("controller", "agent", "gateway")},
}
# A switch, and the kind of which there are no objects without it.
SWITCHES = {
    "networkPolicy.enabled": "NetworkPolicy",
    "admissionPolicy.enabled": "ValidatingAdmissionPolicy",
    "gateway.autoscaling.enabled": "HorizontalPodAutoscaler",
    "definitions.upgrade": "Job",
}
