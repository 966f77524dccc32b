"""The part of Kubernetes' pod vocabulary for one container: variables, probes, hooks, resources."""

from collections.abc import Mapping
from dataclasses import dataclass, field

from llmaz.api.fields import bounds
from llmaz.api.manifest import at
from llmaz.api.quantity import Quantity, check_counts


@dataclass(frozen=True, slots=True, kw_only=True)
class KeySelector:
    """One key of a Secret or ConfigMap in the object's own namespace.

    name: the Secret or ConfigMap
    key: the key whose value is read
    optional: whether the variable stays unset where the object or key is missing, without an error
    """

    name: str = ""
    key: str
    optional: bool = False


@dataclass(frozen=True, slots=True, kw_only=True)
class FieldSelector:
    """A field of the pod.

    field_path: a path such as metadata.namespace or metadata.labels['x']
    api_version: the version of the schema that the path is written in
    """

    field_path: str
    api_version: str = "v1"


@dataclass(frozen=True, slots=True, kw_only=True)
class EnvVarSource:
    """Where a variable's value comes from; exactly one is set.

    field_ref: a field of the pod
    secret_key_ref: a key of a Secret
    config_map_key_ref: a key of a ConfigMap
    """

    field_ref: FieldSelector | None = None
    secret_key_ref: KeySelector | None = None
    config_map_key_ref: KeySelector | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class EnvVar:
    """An environment variable.

    name: the variable's name
    value: the variable's text, in which $(OTHER) refers to a variable above it
    value_from: where the value comes from instead
    """

    name: str = field(metadata=bounds(shortest=1))
    value: str = ""
    value_from: EnvVarSource | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class Resources:
    """What a container asks for and may not exceed, by resource name.

    limits: the most that may be used
    requests: what is set aside; what is left out is taken from limits
    """

    limits: Mapping[str, Quantity] = field(default_factory=dict, metadata=bounds(longest=32))
    requests: Mapping[str, Quantity] = field(default_factory=dict, metadata=bounds(longest=32))

    def check(self, path: str) -> None:
        """Refuse a part of a device."""
        check_counts(self.limits, at(path, "limits"))
        check_counts(self.requests, at(path, "requests"))


@dataclass(frozen=True, slots=True, kw_only=True)
class HttpHeader:
    """A header of a probe's request.

    name: the header's name
    value: the header's text
    """

    name: str
    value: str


@dataclass(frozen=True, slots=True, kw_only=True)
class HttpGet:
    """Ask an HTTP path; a status from 200 to 399 is a success.

    path: the path that is asked for
    port: a number, or the name of one of the container's ports
    host: the address to ask, if it is not the container's own
    scheme: HTTP or HTTPS
    http_headers: headers to send along
    """

    path: str = "/"
    port: int | str
    host: str = ""
    scheme: str = "HTTP"
    http_headers: tuple[HttpHeader, ...] = ()


@dataclass(frozen=True, slots=True, kw_only=True)
class TcpSocket:
    """Open a TCP connection.

    port: a number, or the name of one of the container's ports
    host: the address to connect to, if it is not the container's own
    """

    port: int | str
    host: str = ""


@dataclass(frozen=True, slots=True, kw_only=True)
class Exec:
    """Run a command without a shell; exit code 0 is a success.

    command: the program and its arguments
    """

    command: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True, kw_only=True)
class Sleep:
    """Wait.

    seconds: how long to wait
    """

    seconds: int = field(metadata=bounds(minimum=0))


@dataclass(frozen=True, slots=True, kw_only=True)
class Grpc:
    """Ask the gRPC health service.

    port: the number of the port
    service: the name to ask about
    """

    port: int
    service: str = ""


@dataclass(frozen=True, slots=True, kw_only=True)
class Probe:
    """A question that is asked of a container again and again; the defaults are the kubelet's.

    http_get: ask an HTTP path
    tcp_socket: open a TCP connection
    exec: run a command
    grpc: ask the gRPC health service
    initial_delay_seconds: seconds from the container's start to the first question
    period_seconds: seconds from one question to the next
    timeout_seconds: seconds after which no answer is a failure
    success_threshold: how many successes in a row make it good after a failure
    failure_threshold: how many failures in a row make it bad
    termination_grace_period_seconds: seconds from SIGTERM to SIGKILL when it fails for good
    """

    http_get: HttpGet | None = None
    tcp_socket: TcpSocket | None = None
    exec: Exec | None = None
    grpc: Grpc | None = None
    initial_delay_seconds: int = field(default=0, metadata=bounds(minimum=0))
    period_seconds: int = field(default=10, metadata=bounds(minimum=1))
    timeout_seconds: int = field(default=1, metadata=bounds(minimum=1))
    success_threshold: int = field(default=1, metadata=bounds(minimum=1))
    failure_threshold: int = field(default=3, metadata=bounds(minimum=1))
    termination_grace_period_seconds: int | None = field(default=None, metadata=bounds(minimum=1))


@dataclass(frozen=True, slots=True, kw_only=True)
class LifecycleHandler:
    """What a hook does; exactly one is set.

    exec: run a command
    http_get: ask an HTTP path
    tcp_socket: open a TCP connection
    sleep: wait
    """

    exec: Exec | None = None
    http_get: HttpGet | None = None
    tcp_socket: TcpSocket | None = None
    sleep: Sleep | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class Lifecycle:
    """Hooks of a container.

    post_start: what is done right after the start
    pre_stop: what is done before SIGTERM, within the grace period
    stop_signal: the signal in place of SIGTERM
    """

    post_start: LifecycleHandler | None = None
    pre_stop: LifecycleHandler | None = None
    stop_signal: str | None = None
