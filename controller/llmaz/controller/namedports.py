"""The ports that probes and hooks name -> what an agent knows: `http`, or a number.

`http` is the engine's own port, whichever it gets on its node. A name that is no port of the
container's stays, and the agent says that it knows none of that name.
"""

from collections.abc import Sequence
from dataclasses import replace
from typing import TypeVar

from llmaz.api.pod import Lifecycle, LifecycleHandler, Probe
from llmaz.api.podtemplate import ContainerPort

_OWN = "http"
_Asking = TypeVar("_Asking", Probe, LifecycleHandler)


def with_numbers(asking: _Asking | None, ports: Sequence[ContainerPort]) -> _Asking | None:
    """Return a probe, or what a hook does, without the names of a container's ports."""
    if asking is None:
        return None
    http, tcp = asking.http_get, asking.tcp_socket
    return replace(
        asking,
        http_get=http and replace(http, port=_known(http.port, ports)),
        tcp_socket=tcp and replace(tcp, port=_known(tcp.port, ports)),
    )


def hooks_with_numbers(hooks: Lifecycle | None, ports: Sequence[ContainerPort]) -> Lifecycle | None:
    """Return hooks without the names of a container's ports."""
    if hooks is None:
        return None
    return replace(
        hooks,
        post_start=with_numbers(hooks.post_start, ports),
        pre_stop=with_numbers(hooks.pre_stop, ports),
    )


def _known(port: int | str, ports: Sequence[ContainerPort]) -> int | str:
    if port == _OWN or isinstance(port, int):
        return port
    if ports and ports[0].name == port:  # the first is the engine's
        return _OWN
    return next((one.container_port for one in ports if one.name == port), port)
