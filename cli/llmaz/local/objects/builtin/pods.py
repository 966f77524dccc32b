"""Schema of Pod: containers and volumes field by field; the rest is kept as it comes."""

from llmaz.local.objects.builtin.core import LOCAL_REFERENCE
from llmaz.local.objects.builtin.words import (
    always,
    anything,
    atomic,
    condition,
    count,
    flag,
    integer,
    keyed_list,
    kind,
    mapping,
    patched_by,
    pointer,
    port_or_name,
    quantity,
    record,
    record_of,
    set_flag,
    text,
    time,
    unique,
)
from llmaz.local.objects.values import Object


def _keyed(*keys: str, description: str) -> Object:
    """A list whose items are kept as they come, but for the keys that they are known by."""
    items = record_of({key: text() for key in keys}, required=keys)
    items["x-kubernetes-preserve-unknown-fields"] = True
    return keyed_list(items, *keys, description=description)


_RESOURCES = record(
    "Compute resources.",
    claims=keyed_list(
        record(
            "A resource claim.",
            required=("name",),
            name=text("Its name."),
            request=text("Which of its requests."),
        ),
        "name",
        description="Resource claims that are used.",
    ),
    limits=mapping(quantity(), "The most that may be used."),
    requests=mapping(quantity(), "What is set aside."),
)
_ENV = record(
    "One variable.",
    required=("name",),
    name=text("Its name."),
    value=text("Its value."),
    valueFrom=anything("Where its value comes from."),
)
_PORT = record(
    "One port.",
    required=("containerPort",),
    name=text("Its name."),
    containerPort=integer("Its number in the container."),
    hostIP=text("The node's address to bind."),
    hostPort=count("Its number on the node."),
    protocol=text("TCP, UDP or SCTP.", default="TCP"),
)
_MOUNT = record(
    "A volume's place in the container.",
    required=("name", "mountPath"),
    name=text("The volume."),
    mountPath=text("Its place."),
    mountPropagation=pointer(text("Which mounts are passed on.")),
    readOnly=set_flag("Whether it can't be written."),
    recursiveReadOnly=pointer(text("Whether mounts below it can't be written.")),
    subPath=text("The part of the volume that is mounted."),
    subPathExpr=text("The same, with variables."),
)


def _action(description: str) -> Object:
    header = record(
        "One header.",
        required=("name", "value"),
        name=text("Its name."),
        value=pointer(text("Its value.")),
    )
    return record(
        description,
        exec=record("A command.", command=atomic(text(), "The command line.")),
        grpc=record(
            "A gRPC health check.",
            port=integer("The port."),
            service=pointer(text("The service asked for.")),
        ),
        httpGet=record(
            "An HTTP request.",
            required=("port",),
            host=text("The host to ask."),
            httpHeaders=atomic(header, "Headers to send."),
            path=text("The path to ask for."),
            port=port_or_name("The port to ask."),
            scheme=text("HTTP or HTTPS."),
        ),
        sleep=record("A pause.", seconds=integer("Its length.", form="int64")),
        tcpSocket=record("A connection.", host=text("The host."), port=port_or_name("The port.")),
    )


def _probe(description: str) -> Object:
    probe = _action(description)
    probe["properties"] |= {
        "failureThreshold": count("Failures in a row until it counts as failed."),
        "initialDelaySeconds": count("Seconds before the first probe."),
        "periodSeconds": count("Seconds between probes."),
        "successThreshold": count("Successes in a row until it counts as good."),
        "terminationGracePeriodSeconds": integer("Seconds to stop after a failure.", form="int64"),
        "timeoutSeconds": count("Seconds until a probe has failed."),
    }
    return probe


_CONTAINER = record(
    "One container.",
    required=("name",),
    name=text("Its name."),
    image=text("Its image."),
    imagePullPolicy=text("Always, IfNotPresent or Never."),
    command=atomic(text(), "Its program, instead of the image's."),
    args=atomic(text(), "The program's arguments."),
    workingDir=text("Where the program starts."),
    env=keyed_list(_ENV, "name", description="Its environment."),
    envFrom=atomic(anything(), "Sources of its environment."),
    ports=keyed_list(_PORT, "containerPort", "protocol", description="Its ports."),
    resources=always(_RESOURCES, {}),
    resizePolicy=atomic(anything(), "What a change of resources needs."),
    restartPolicy=pointer(text("Whether it is restarted.")),
    restartPolicyRules=atomic(anything(), "When it is restarted."),
    volumeMounts=keyed_list(_MOUNT, "mountPath", description="Volumes it sees."),
    volumeDevices=_keyed("devicePath", description="Devices it sees."),
    livenessProbe=_probe("Whether it is alive; it is restarted if not."),
    readinessProbe=_probe("Whether it takes requests."),
    startupProbe=_probe("Whether it has started; other probes wait for that."),
    lifecycle=record(
        "What happens around its life.",
        postStart=_action("Done after it has started."),
        preStop=_action("Done before it is stopped."),
        stopSignal=pointer(text("The signal that stops it.")),
    ),
    securityContext=anything("What it may do."),
    stdin=set_flag("Whether it has an input."),
    stdinOnce=set_flag("Whether its input ends with the first client."),
    terminationMessagePath=text("The file with its last words."),
    terminationMessagePolicy=text("Where its last words come from."),
    tty=set_flag("Whether it has a terminal."),
)
_TOLERATION = record(
    "A taint that the pod does not mind.",
    key=text("The taint's key; empty for all."),
    operator=text("Exists or Equal."),
    value=text("The taint's value."),
    effect=text("The taint's effect; empty for all."),
    tolerationSeconds=integer("For how long.", form="int64"),
)
_VOLUME = {
    **record("One volume.", required=("name",), name=text("Its name.")),
    "x-kubernetes-preserve-unknown-fields": True,
}
_SPEC = record(
    "What the pod should be.",
    required=("containers",),
    activeDeadlineSeconds=integer("After how many seconds it is stopped.", form="int64"),
    affinity=anything("Nodes and pods to be near or far from."),
    automountServiceAccountToken=flag("Whether it finds a token of its account."),
    containers=pointer(keyed_list(_CONTAINER, "name", description="Its containers.")),
    dnsConfig=anything("How it resolves names."),
    dnsPolicy=text("Where it resolves names."),
    enableServiceLinks=flag("Whether services are in its environment."),
    ephemeralContainers=_keyed("name", description="Containers added for a look inside."),
    hostAliases=_keyed("ip", description="More names of hosts."),
    hostIPC=set_flag("Whether it shares the node's IPC."),
    hostNetwork=set_flag("Whether it shares the node's network."),
    hostPID=set_flag("Whether it sees the node's processes."),
    hostUsers=flag("Whether its users are the node's."),
    hostname=text("Its host name."),
    hostnameOverride=pointer(text("Its host name, whatever else says.")),
    imagePullSecrets=patched_by(
        "name", keyed_list(LOCAL_REFERENCE, "name", description="Secrets to pull images with.")
    ),
    initContainers=keyed_list(
        _CONTAINER, "name", description="Containers that run before the others."
    ),
    nodeName=text("The node it runs on."),
    nodeSelector={
        **mapping({"type": "string"}, "Labels of the nodes it may run on."),
        "x-kubernetes-map-type": "atomic",
    },
    os=anything("The system it needs."),
    overhead=mapping(quantity(), "What its runtime takes."),
    preemptionPolicy=pointer(text("Whether it pushes others away.")),
    priority=integer("How important it is."),
    priorityClassName=text("Its class of importance."),
    readinessGates=atomic(anything(), "More conditions of readiness."),
    resourceClaims=_keyed("name", description="Resource claims it uses."),
    resources=_RESOURCES,
    restartPolicy=text("Always, OnFailure or Never."),
    runtimeClassName=pointer(text("The runtime that runs it.")),
    schedulerName=text("Who finds its node."),
    schedulingGates=keyed_list(
        record("A gate.", required=("name",), name=text("Its name.")),
        "name",
        description="What must open before a node is sought.",
    ),
    securityContext=always(anything("What it may do."), {}),
    serviceAccount=text("No longer used."),
    serviceAccountName=text("The account it talks to the API with."),
    setHostnameAsFQDN=flag("Whether its host name is the full one."),
    shareProcessNamespace=flag("Whether its containers see each other's processes."),
    subdomain=text("The domain of its host name."),
    terminationGracePeriodSeconds=integer("Seconds it has to stop.", form="int64"),
    tolerations=atomic(_TOLERATION, "Taints that it does not mind."),
    topologySpreadConstraints=_keyed(
        "topologyKey", "whenUnsatisfiable", description="How it spreads."
    ),
    volumes=keyed_list(_VOLUME, "name", description="Its volumes."),
    workloadRef=anything("The workload it belongs to."),
)
_STATUS = record(
    "What the pod is.",
    conditions=keyed_list(
        condition(
            lastProbeTime={**time("When it was last looked at."), "nullable": True},
            observedGeneration=integer("The version it was observed of.", form="int64"),
        ),
        "type",
        description="What is observed of the pod.",
    ),
    containerStatuses=atomic(anything(), "What its containers are."),
    ephemeralContainerStatuses=atomic(anything(), "What its ephemeral containers are."),
    hostIP=text("Its node's address."),
    hostIPs=atomic(anything(), "Its node's addresses."),
    initContainerStatuses=atomic(anything(), "What its init containers are."),
    message=text("Why it is as it is, in a sentence."),
    nominatedNodeName=text("The node it waits for."),
    observedGeneration=integer("The version that was observed.", form="int64"),
    phase=text("Pending, Running, Succeeded, Failed or Unknown."),
    podIP=text("Its address."),
    podIPs=unique(record("An address.", ip=text("The address.")), "Its addresses."),
    qosClass=text("How its resources are guaranteed."),
    reason=text("Why it is as it is, in one word."),
    resize=text("Where a change of resources stands."),
    resourceClaimStatuses=atomic(anything(), "What its resource claims are."),
    startTime=time("When its node took it up."),
)

POD = kind(
    "Containers that run together on one node.", spec=always(_SPEC, {}), status=always(_STATUS, {})
)
