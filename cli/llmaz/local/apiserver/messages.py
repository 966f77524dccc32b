"""The protobuf messages of the kinds that a stock kubectl sends in that form."""

from llmaz.local.apiserver.protobuf import Field, Message

_OWNER: Message = {
    1: Field("kind", "text"),
    3: Field("name", "text"),
    4: Field("uid", "text"),
    5: Field("apiVersion", "text"),
    6: Field("controller", "bool"),
    7: Field("blockOwnerDeletion", "bool"),
}
_META: Message = {
    1: Field("name", "text"),
    2: Field("generateName", "text"),
    3: Field("namespace", "text"),
    5: Field("uid", "text"),
    6: Field("resourceVersion", "text"),
    7: Field("generation", "int"),
    8: Field("creationTimestamp", "time"),
    11: Field("labels", "text", "map"),
    12: Field("annotations", "text", "map"),
    13: Field("ownerReferences", _OWNER, "list"),
    14: Field("finalizers", "text", "list"),
}
_REFERENCE: Message = {1: Field("name", "text")}
_OBJECT_REFERENCE: Message = {
    1: Field("kind", "text"),
    2: Field("namespace", "text"),
    3: Field("name", "text"),
}
_PORT: Message = {
    1: Field("name", "text"),
    2: Field("protocol", "text"),
    3: Field("port", "int"),
    4: Field("targetPort", "int-or-string"),
    5: Field("nodePort", "int"),
    6: Field("appProtocol", "text"),
}
_SERVICE_SPEC: Message = {
    1: Field("ports", _PORT, "list"),
    2: Field("selector", "text", "map"),
    3: Field("clusterIP", "text"),
    4: Field("type", "text"),
    5: Field("externalIPs", "text", "list"),
    7: Field("sessionAffinity", "text"),
    8: Field("loadBalancerIP", "text"),
    10: Field("externalName", "text"),
    11: Field("externalTrafficPolicy", "text"),
    13: Field("publishNotReadyAddresses", "bool"),
    17: Field("ipFamilyPolicy", "text"),
    18: Field("clusterIPs", "text", "list"),
    19: Field("ipFamilies", "text", "list"),
    22: Field("internalTrafficPolicy", "text"),
}
_RESOURCE_ATTRIBUTES: Message = {
    1: Field("namespace", "text"),
    2: Field("verb", "text"),
    3: Field("group", "text"),
    4: Field("version", "text"),
    5: Field("resource", "text"),
    6: Field("subresource", "text"),
    7: Field("name", "text"),
}
_PATH_ATTRIBUTES: Message = {1: Field("path", "text"), 2: Field("verb", "text")}
_ACCESS_SPEC: Message = {
    1: Field("resourceAttributes", _RESOURCE_ATTRIBUTES),
    2: Field("nonResourceAttributes", _PATH_ATTRIBUTES),
}
_METRIC_TARGET: Message = {
    1: Field("type", "text"),
    2: Field("value", "quantity"),
    3: Field("averageValue", "quantity"),
    4: Field("averageUtilization", "int"),
}
_RESOURCE_METRIC: Message = {1: Field("name", "text"), 2: Field("target", _METRIC_TARGET)}
_AUTOSCALER_SPEC: Message = {
    1: Field(
        "scaleTargetRef",
        {1: Field("kind", "text"), 2: Field("name", "text"), 3: Field("apiVersion", "text")},
    ),
    2: Field("minReplicas", "int"),
    3: Field("maxReplicas", "int"),
    4: Field("metrics", {1: Field("type", "text"), 4: Field("resource", _RESOURCE_METRIC)}, "list"),
}
_DELETE_OPTIONS: Message = {
    1: Field("gracePeriodSeconds", "int"),
    2: Field("preconditions", {1: Field("uid", "text"), 2: Field("resourceVersion", "text")}),
    3: Field("orphanDependents", "bool"),
    4: Field("propagationPolicy", "text"),
    5: Field("dryRun", "text", "list"),
}


def _kind(fields: Message) -> Message:
    return {1: Field("metadata", _META), **fields}


MESSAGES: dict[tuple[str, str], Message] = {
    ("v1", "ConfigMap"): _kind(
        {
            2: Field("data", "text", "map"),
            3: Field("binaryData", "bytes", "map"),
            4: Field("immutable", "bool"),
        }
    ),
    ("v1", "Namespace"): _kind({2: Field("spec", {1: Field("finalizers", "text", "list")})}),
    ("v1", "Secret"): _kind(
        {
            2: Field("data", "bytes", "map"),
            3: Field("type", "text"),
            4: Field("stringData", "text", "map"),
            5: Field("immutable", "bool"),
        }
    ),
    ("v1", "Service"): _kind({2: Field("spec", _SERVICE_SPEC)}),
    ("v1", "ServiceAccount"): _kind(
        {
            2: Field("secrets", _OBJECT_REFERENCE, "list"),
            3: Field("imagePullSecrets", _REFERENCE, "list"),
            4: Field("automountServiceAccountToken", "bool"),
        }
    ),
    ("autoscaling/v2", "HorizontalPodAutoscaler"): _kind({2: Field("spec", _AUTOSCALER_SPEC)}),
    ("v1", "DeleteOptions"): _DELETE_OPTIONS,
    ("authentication.k8s.io/v1", "SelfSubjectReview"): _kind({}),
    ("authorization.k8s.io/v1", "SelfSubjectAccessReview"): _kind({2: Field("spec", _ACCESS_SPEC)}),
    ("authorization.k8s.io/v1", "SelfSubjectRulesReview"): _kind(
        {2: Field("spec", {1: Field("namespace", "text")})}
    ),
}
