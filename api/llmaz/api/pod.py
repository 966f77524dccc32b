"""The part of Kubernetes' pod vocabulary that manifests of ours use: variables, probes, hooks, resources."""

from collections.abc import Mapping
from dataclasses import dataclass, field

from llmaz.api.manifest import named
from llmaz.api.quantity import Quantity


@dataclass(frozen=True, slots=True, kw_only=True)
class KeySelector:
    """One key of a Secret or ConfigMap in the object's own namespace."""

    name: str = ""
    key: str
    optional: bool = False


@dataclass(frozen=True, slots=True, kw_only=True)
class FieldSelector:
    """A field of the pod, such as `metadata.namespace` or `metadata.labels['x']`."""

    field_path: str
    api_version: str = "v1"


@dataclass(frozen=True, slots=True, kw_only=True)
class EnvVarSource:
    """Where a variable's value comes from; exactly one is set."""

    field_ref: FieldSelector | None = None
    secret_key_ref: KeySelector | None = None
    config_map_key_ref: KeySelector | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class EnvVar:
    """An environment variable; `$(OTHER)` in its value refers to a variable above it."""

    name: str
    value: str = ""
    value_from: EnvVarSource | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class Resources:
    """What a container asks for and may not exceed, by resource name."""

    limits: Mapping[str, Quantity] = field(default_factory=dict)
    requests: Mapping[str, Quantity] = field(default_factory=dict)


@dataclass(frozen=True, slots=True, kw_only=True)
class HttpHeader:
    """A header of a probe's request."""

    name: str
    value: str


@dataclass(frozen=True, slots=True, kw_only=True)
class HttpGet:
    """Ask an HTTP path; a status from 200 to 399 is a success."""

    path: str = "/"
    port: int | str
    host: str = ""
    scheme: str = "HTTP"
    http_headers: tuple[HttpHeader, ...] = ()


@dataclass(frozen=True, slots=True, kw_only=True)
class TcpSocket:
    """Open a TCP connection."""

    port: int | str
    host: str = ""


@dataclass(frozen=True, slots=True, kw_only=True)
class Exec:
    """Run a command without a shell; exit code 0 is a success."""

    command: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True, kw_only=True)
class Sleep:
    """Wait."""

    seconds: int


@dataclass(frozen=True, slots=True, kw_only=True)
class Grpc:
    """Ask the gRPC health service."""

    port: int
    service: str = ""


@dataclass(frozen=True, slots=True, kw_only=True)
class Probe:
    """A question that is asked of a container again and again; the defaults are the kubelet's."""

    http_get: HttpGet | None = None
    tcp_socket: TcpSocket | None = None
    exec: Exec | None = None
    grpc: Grpc | None = None
    initial_delay_seconds: int = 0
    period_seconds: int = 10
    timeout_seconds: int = 1
    success_threshold: int = 1
    failure_threshold: int = 3
    termination_grace_period_seconds: int | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class LifecycleHandler:
    """What a hook does; exactly one is set."""

    exec: Exec | None = None
    http_get: HttpGet | None = None
    tcp_socket: TcpSocket | None = None
    sleep: Sleep | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class Lifecycle:
    """Hooks after the start and before the stop of a container."""

    post_start: LifecycleHandler | None = None
    pre_stop: LifecycleHandler | None = None
    stop_signal: str | None = field(default=None, metadata=named("stopSignal"))
