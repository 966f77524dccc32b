"""Schemas of the core group's plain kinds: Namespace, Node, Secret, ConfigMap, ServiceAccount."""

from llmaz.local.objects.builtin.words import (
    always,
    anything,
    atomic,
    condition,
    flag,
    integer,
    keyed_list,
    kind,
    mapping,
    patched_by,
    pointer,
    quantity,
    record,
    record_of,
    set_flag,
    text,
    time,
    unique,
    whole,
)

OBJECT_REFERENCE = whole(
    record(
        "Another object.",
        apiVersion=text("Its API version."),
        kind=text("Its kind."),
        namespace=text("Its namespace."),
        name=text("Its name."),
        uid=text("Its identity, which a later object of the same name does not share."),
        resourceVersion=text("The version of it that is meant."),
        fieldPath=text("The part of it that is meant."),
    )
)
LOCAL_REFERENCE = whole(
    record("An object in the same namespace.", name=pointer(text("Its name.", default="")))
)

NAMESPACE = kind(
    "A part of the cluster in which names are unique.",
    spec=always(
        record(
            "What the namespace should be.",
            finalizers=atomic(text(), "What must happen before the namespace goes."),
        ),
        {},
    ),
    status=always(
        record(
            "What the namespace is.",
            phase=text("Active or Terminating."),
            conditions=keyed_list(
                condition(), "type", description="What is observed of the namespace."
            ),
        ),
        {},
    ),
)

_TAINT = record(
    "A mark that keeps pods away which do not tolerate it.",
    required=("key", "effect"),
    key=text("What the mark is called."),
    value=text("What the mark says."),
    effect=text("NoSchedule, PreferNoSchedule or NoExecute."),
    timeAdded=time("When the mark was set."),
)
_NODE_INFO_TEXTS = (
    "architecture",
    "bootID",
    "containerRuntimeVersion",
    "kernelVersion",
    "kubeProxyVersion",
    "kubeletVersion",
    "machineID",
    "operatingSystem",
    "osImage",
    "systemUUID",
)
_NODE_INFO = record_of(
    {
        **{name: always(text(), "") for name in _NODE_INFO_TEXTS},
        "swap": record("Swap space.", capacity=integer("Its size in bytes.", form="int64")),
    },
    "The machine and what runs on it.",
)
NODE = kind(
    "A machine of the cluster.",
    spec=always(
        record(
            "What the node should be.",
            podCIDR=text("The range of addresses of its pods."),
            podCIDRs=unique(text(), "The ranges of addresses of its pods, one a family."),
            providerID=text("What the cloud provider calls the machine."),
            unschedulable=set_flag("Whether new pods stay away."),
            taints=atomic(_TAINT, "Marks that keep pods away."),
            configSource=anything("No longer used."),
            externalID=text("No longer used."),
        ),
        {},
    ),
    status=always(
        record(
            "What the node is.",
            addresses=patched_by(
                "type",
                keyed_list(
                    record(
                        "One address.",
                        required=("type", "address"),
                        type=text("InternalIP, ExternalIP, Hostname, ..."),
                        address=text("The address."),
                    ),
                    "type",
                    description="Where the node is reached.",
                ),
            ),
            allocatable=mapping(quantity(), "What pods may use of the node."),
            capacity=mapping(quantity(), "What the node has."),
            conditions=keyed_list(
                condition(lastHeartbeatTime=time("When it was last looked at.")),
                "type",
                description="What is observed of the node.",
            ),
            config=anything("The kubelet's configuration."),
            daemonEndpoints=always(
                record(
                    "Ports of the node's daemons.",
                    kubeletEndpoint=always(
                        record("The kubelet.", Port=integer("Its port.", default=0)), {}
                    ),
                ),
                {},
            ),
            declaredFeatures=atomic(text(), "Features that the node has."),
            features=anything("Features of the container runtime."),
            images=atomic(anything(), "Container images on the node."),
            nodeInfo=always(_NODE_INFO, {}),
            phase=text("No longer used."),
            runtimeHandlers=atomic(anything(), "Container runtimes of the node."),
            volumesAttached=atomic(anything(), "Volumes attached to the node."),
            volumesInUse=atomic(text(), "Volumes mounted by the node."),
        ),
        {},
    ),
)

SECRET = kind(
    "Small data that few should read. Its values are base64.",
    data=mapping(
        {"type": "string", "format": "byte", "nullable": True},
        "The data, each value base64 encoded.",
    ),
    immutable=flag("Whether the data can no longer change."),
    stringData=mapping({"type": "string"}, "Data to write, not encoded; never read back."),
    type=text("What the data is for.", default="Opaque"),
)

CONFIG_MAP = kind(
    "Configuration as keys and texts.",
    binaryData=mapping(
        {"type": "string", "format": "byte"}, "Data that is no text, each value base64 encoded."
    ),
    data=mapping({"type": "string"}, "The texts."),
    immutable=flag("Whether the data can no longer change."),
)

SERVICE_ACCOUNT = kind(
    "A name under which pods talk to the API.",
    automountServiceAccountToken=flag("Whether pods find a token of the account."),
    imagePullSecrets=atomic(LOCAL_REFERENCE, "Secrets to pull images with."),
    secrets=keyed_list(
        OBJECT_REFERENCE, "name", description="Secrets that pods of the account may use."
    ),
)
