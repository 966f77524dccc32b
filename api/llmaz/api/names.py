"""Every name that crosses a program's border: labels, annotations, variables, ports."""

# Labels and annotations of upstream llmaz, kept.
MODEL_NAME = "llmaz.io/model-name"
MODEL_FAMILY_NAME = "llmaz.io/model-family-name"
SKIP_MODEL_LOADER = "llmaz.io/skip-model-loader"
MODEL_PREHEAT = "llmaz.io/model-preheat"  # "true" on an OpenModel: hold its weights ahead

# Labels and annotations of ours.
PLAYGROUND_NAME = "llmaz.io/playground"
SERVICE_NAME = "llmaz.io/service"
RUNTIME_NAME = "llmaz.io/backend-runtime"
REQUIREMENTS = "llmaz.io/python-requirements"  # of the engines of a Service, one a line
QUEUE = "kueue.x-k8s.io/queue-name"  # on a Playground: the queue that its pods wait in
LAUNCHER = "llmaz.io/launcher"  # on a Service: process or slot, where it is not the default
SLEEPS = "llmaz.io/sleeps"  # "true" on a Service: its engines can sleep, and are told how
REVISION = "llmaz.io/revision"  # on a Playground or a Service: the revision that it keeps to
APPLIED = "llmaz.io/applied"  # on what the controller makes: a digest of what it last wrote there
OWNED_LABELS = "llmaz.io/owned-labels"  # on a Node: the label keys that the controller may remove
ACCELERATOR = (
    "llmaz.io/accelerator"  # prefix of accelerator.vendor, .model, .count, .memory-mib, ...
)
# On a Node: since when its agent has said nothing, and its labels are what was known then.
ACCELERATOR_STALE = f"{ACCELERATOR}.stale"
# On an OpenModel: the memory that a replica takes of its accelerators, all together.
ACCELERATOR_MEMORY = "llmaz.io/accelerator-memory"

# On an InferenceNode: how many engines share each of its accelerators.
ACCELERATOR_REPLICAS = "llmaz.io/accelerator-replicas"

# On an InferenceNode: its condition Ready while its agent lives, else Unknown.
READY = "llmaz.io/ready"
UNKNOWN = "Unknown"

# On a Node: replicas go elsewhere, one after another; the value may say why.
DRAIN = "llmaz.io/drain"

# Kubernetes' own.
HOSTNAME = "kubernetes.io/hostname"
ARCH = "kubernetes.io/arch"
OS = "kubernetes.io/os"
KUBERNETES_SERVICE_NAME = (
    "kubernetes.io/service-name"  # on an EndpointSlice: the Service it belongs to
)
MANAGED_BY = "endpointslice.kubernetes.io/managed-by"

# Where the system's own objects live, and who writes them (server-side apply field managers).
SYSTEM_NAMESPACE = "llmaz-system"
CONTROLLER = "llmaz-controller"
AGENT = "llmaz-agent"
AUTOSCALER = "llmaz-autoscaler"

# What an engine may be told of its pod by a fieldRef, though it is a process; an agent knows them.
POD_FIELDS = (
    "metadata.name",
    "metadata.namespace",
    "spec.nodeName",
    "status.hostIP",
    "status.podIP",
)

# Names inside a Service's pod template, which upstream manifests rely on.
MODEL_RUNNER = "model-runner"
ENGINE_PORT = 8080  # upstream's fixed port of every engine, and the port of `<service>-lb`
TERMINATION_GRACE_SECONDS = 130  # upstream's value for pods of a Playground

# What only the node knows: a placeholder such as `{{ .ModelPath }}` becomes a reference to a
# variable that the agent sets, so that the node's part of rendering is Kubernetes' own `$(VAR)`.
MODEL_PATH = "LLMAZ_MODEL_PATH"
DRAFT_MODEL_PATH = "LLMAZ_DRAFT_MODEL_PATH"
HOST = "LLMAZ_HOST"  # the address to listen on: of loopback where one machine is all there is
PORT = "LLMAZ_PORT"

# `{{ .TP }}` and `{{ .PP }}`, set by the controller from the flavor that a replica runs on.
TP = "LLMAZ_TP"
PP = "LLMAZ_PP"

# Variables of LeaderWorkerSet, which the seeds' scripts read.
LWS_LEADER_ADDRESS = "LWS_LEADER_ADDRESS"
LWS_GROUP_SIZE = "LWS_GROUP_SIZE"
LWS_WORKER_INDEX = "LWS_WORKER_INDEX"

# Of the members of a group besides: an IP of the member's own node, and a port of the leader's node
# where they may meet.
NODE_ADDRESS = "LLMAZ_NODE_ADDRESS"
GROUP_PORT = "LLMAZ_GROUP_PORT"

# Secrets of upstream, looked up in the Playground's namespace: name, then the keys that are read.
MODELHUB_SECRET = "modelhub-secret"  # noqa: S105  # the name of a Secret, not its content
HF_TOKEN = "HF_TOKEN"  # noqa: S105
OSS_SECRET = "oss-access-secret"  # noqa: S105
AWS_SECRET = "aws-access-secret"  # noqa: S105
