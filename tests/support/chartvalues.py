"""Every value of the chart, set to something that a rendering can be searched for."""

from support.chart import Json

PEER = [{"podSelector": {"matchLabels": {"marked": "peer"}}}]
TERM = {"nodeSelectorTerms": [{"matchExpressions": [{"key": "marked", "operator": "Exists"}]}]}
AFFINITY = {"nodeAffinity": {"requiredDuringSchedulingIgnoredDuringExecution": TERM}}
TOLERATIONS = [{"key": "marked", "operator": "Exists"}]
RESOURCES = {"requests": {"cpu": "123m"}}

# A value, and what appears in the rendering with it and not without it. With no text,
# there are fewer objects.
_OF_ONE: dict[str, tuple[Json, str]] = {
    "image.registry": ("registry.test", '"image": "registry.test/llmaz-agent:0.1.0"'),
    "image.tag": ("9.9", '"image": "llmaz-agent:9.9"'),
    "image.pullPolicy": ("Always", '"imagePullPolicy": "Always"'),
    "image.pullSecrets": (["registry"], '"imagePullSecrets": [{"name": "registry"}]'),
    "logFormat": ("text", '"--log-format=text"'),
    "controller.replicas": (5, '"replicas": 5'),
    "agent.hostPath": ("/data", '"hostPath": {"path": "/data/agent"'),
    "agent.sharedMemory": ("7Gi", '"sizeLimit": "7Gi"'),
    "agent.hostNetwork": (True, '"hostNetwork": true'),
    "agent.drainSeconds": (77, '"--stop-engines-within=77"'),
    "agent.runtimeClassName": ("nvidia", '"runtimeClassName": "nvidia"'),
    "agent.nvidia.devices": ("mounts", '"/var/run/nvidia-container-devices/all"'),
    "agent.nvidia.capabilities": ("utility", '"value": "utility"'),
    "agent.user": (1234, '"runAsUser": 1234'),
    "agent.supplementalGroups": ([44], '"supplementalGroups": [44]'),
    "agent.env": ([{"name": "MARKED", "value": "yes"}], '{"name": "MARKED", "value": "yes"}'),
    "agent.volumes": ([{"name": "marked", "emptyDir": {}}], '{"emptyDir": {}, "name": "marked"}'),
    "agent.volumeMounts": ([{"name": "marked", "mountPath": "/m"}], '"mountPath": "/m"'),
    "agent.secretNames": (["marked"], '"resourceNames": ["marked"]'),
    "agent.secretNamespaces": (["marked"], '"namespace": "marked"'),
    "gateway.url": ("https://llm.test/v1", '"--gateway-url=https://llm.test/v1"'),
    "gateway.autoscaling.enabled": (False, ""),
    "gateway.autoscaling.minReplicas": (3, '"minReplicas": 3'),
    "gateway.autoscaling.maxReplicas": (33, '"maxReplicas": 33'),
    "gateway.autoscaling.targetCPUUtilizationPercentage": (55, '"averageUtilization": 55'),
    "gateway.service.type": ("LoadBalancer", '"type": "LoadBalancer"'),
    "gateway.service.port": (81, '"port": 81'),
    "gateway.service.annotations": ({"marked": "yes"}, '"annotations": {"marked": "yes"}'),
    "gateway.maxBodyMiB": (65, '"--max-body-mib=65"'),
    "gateway.drainSeconds": (31, '"sleep": {"seconds": 31}'),
    "networkPolicy.enabled": (False, ""),
    "networkPolicy.apiServerPorts": ([6445], '"port": 6445'),
    "networkPolicy.gatewayFrom": (PEER, '"marked": "peer"'),
    "networkPolicy.enginesFrom": (PEER, '"marked": "peer"'),
    "networkPolicy.metricsFrom": (PEER, '"marked": "peer"'),
    "admissionPolicy.enabled": (False, ""),
    "priorityClass.create": (True, '"kind": "PriorityClass"'),
    "monitoring.monitors": (True, '"kind": "PodMonitor"'),
    "monitoring.rules": ("PrometheusRule", '"kind": "PrometheusRule"'),
    "monitoring.dashboard.enabled": (True, '"name": "llmaz-dashboard"'),
    "tests.image": ("python:3", '"image": "python:3"'),
}
_OF_EACH: dict[str, tuple[Json, str]] = {
    "image.repository": ("marked", '"image": "marked:0.1.0"'),
    "resources": (RESOURCES, '"cpu": "123m"'),
    "nodeSelector": ({"marked": "yes"}, '"marked": "yes"'),
    "tolerations": (TOLERATIONS, '{"key": "marked", "operator": "Exists"}'),
    "affinity": (AFFINITY, '"affinity": {"nodeAffinity"'),
    "podAnnotations": ({"marked": "yes"}, '"marked": "yes"'),
    "priorityClassName": ("marked", '"priorityClassName": "marked"'),
}
CASES = _OF_ONE | {
    f"{program}.{key}": case
    for program in ("controller", "agent", "gateway")
    for key, case in _OF_EACH.items()
}
# What needs another value to be seen.
TOGETHER: dict[str, tuple[dict[str, Json], str]] = {
    "gateway.replicas": (
        {"gateway.autoscaling.enabled": False, "gateway.replicas": 4},
        '"replicas": 4',
    ),
    "priorityClass.name": (
        {"priorityClass.create": True, "priorityClass.name": "marked"},
        '"priorityClassName": "marked"',
    ),
    "priorityClass.value": (
        {"priorityClass.create": True, "priorityClass.value": 77},
        '"value": 77',
    ),
    "monitoring.labels": (
        {"monitoring.monitors": True, "monitoring.labels": {"marked": "yes"}},
        '"marked": "yes"',
    ),
    "monitoring.dashboard.labels": (
        {"monitoring.dashboard.enabled": True, "monitoring.dashboard.labels": {"marked": "yes"}},
        '"marked": "yes"',
    ),
}
