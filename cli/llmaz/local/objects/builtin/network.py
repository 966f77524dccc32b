"""Schemas of what leads to a server: Service and EndpointSlice."""

from llmaz.local.objects.builtin.core import OBJECT_REFERENCE
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
    pointer,
    port_or_name,
    record,
    set_flag,
    text,
)

_SERVICE_PORT = record(
    "One port of the service.",
    required=("port",),
    name=text("The port's name, needed if there are several."),
    appProtocol=pointer(text("What is spoken on the port.")),
    nodePort=count("The port on every node."),
    port=integer("The port's number."),
    protocol=text("TCP, UDP or SCTP.", default="TCP"),
    targetPort=port_or_name("The port behind the service: a number, or a name of the pod's."),
)
_INGRESS = record(
    "One address of a load balancer.",
    ip=text("Its IP address."),
    ipMode=pointer(text("How the address is reached.")),
    hostname=text("Its name."),
    ports=atomic(anything(), "Its ports."),
)
SERVICE = kind(
    "A name and an address for a set of servers.",
    spec=always(
        record(
            "What the service should be.",
            allocateLoadBalancerNodePorts=flag("Whether a load balancer needs ports of nodes."),
            clusterIP=text("The service's address; None for a service without one."),
            clusterIPs=atomic(text(), "The service's addresses, one a family."),
            externalIPs=atomic(text(), "Addresses outside the cluster's care that lead here."),
            externalName=text("The name that an ExternalName service stands for."),
            externalTrafficPolicy=text("Cluster or Local."),
            healthCheckNodePort=count("The port of the health check of nodes."),
            internalTrafficPolicy=pointer(text("Cluster or Local.")),
            ipFamilies=atomic(text(), "IPv4, IPv6 or both."),
            ipFamilyPolicy=pointer(text("SingleStack, PreferDualStack or RequireDualStack.")),
            loadBalancerClass=pointer(text("The kind of load balancer.")),
            loadBalancerIP=text("The address asked of the load balancer."),
            loadBalancerSourceRanges=atomic(text(), "Who may use the load balancer."),
            ports=keyed_list(
                _SERVICE_PORT, "port", "protocol", description="The ports served.", merge="port"
            ),
            publishNotReadyAddresses=set_flag("Whether servers count that are not ready."),
            selector={
                **mapping({"type": "string"}, "Labels of the pods behind the service."),
                "x-kubernetes-map-type": "atomic",
            },
            sessionAffinity=text("None or ClientIP.", default="None"),
            sessionAffinityConfig=anything("How long a client keeps its server."),
            trafficDistribution=pointer(text("Which servers are preferred.")),
            type=text(
                "ClusterIP, NodePort, LoadBalancer or ExternalName.",
                choices=("ClusterIP", "ExternalName", "LoadBalancer", "NodePort"),
                default="ClusterIP",
            ),
        ),
        {},
    ),
    status=always(
        record(
            "What the service is.",
            conditions=keyed_list(
                condition(), "type", description="What is observed of the service."
            ),
            loadBalancer=always(
                record("The load balancer.", ingress=atomic(_INGRESS, "Where it is reached.")), {}
            ),
        ),
        {},
    ),
)

_ENDPOINT = record(
    "One server and how it does.",
    required=("addresses",),
    addresses=pointer(atomic(text(), "Its addresses.")),
    conditions=always(
        record(
            "Its state.",
            ready=flag("Whether it takes requests."),
            serving=flag("Whether it answers, even while it stops."),
            terminating=flag("Whether it stops."),
        ),
        {},
    ),
    deprecatedTopology=mapping({"type": "string"}, "No longer used."),
    hints=anything("Who should use it."),
    hostname=pointer(text("Its name.")),
    nodeName=pointer(text("Its node.")),
    targetRef=OBJECT_REFERENCE,
    zone=pointer(text("Its zone.")),
)
ENDPOINT_SLICE = kind(
    "Some of the servers behind a service.",
    required=("addressType", "endpoints"),
    addressType=text("What the addresses are.", choices=("FQDN", "IPv4", "IPv6")),
    endpoints=always(atomic(_ENDPOINT, "The servers."), None),
    ports=always(
        atomic(
            record(
                "One port.",
                appProtocol=pointer(text("What is spoken on the port.")),
                name=pointer(text("Its name.", default="")),
                port=integer("Its number."),
                protocol=pointer(text("TCP, UDP or SCTP.", default="TCP")),
            ),
            "The ports of every server.",
        ),
        None,
    ),
)
