"""Probes and hooks name ports as pods do; agents know numbers, and the engine's own as http."""

import pytest

from llmaz.api.pod import Exec, HttpGet, Lifecycle, LifecycleHandler, Probe, TcpSocket
from llmaz.api.podtemplate import ContainerPort
from llmaz.controller.namedports import hooks_with_numbers, with_numbers

PORTS = (
    ContainerPort(container_port=8080, name="serve"),
    ContainerPort(container_port=9000, name="metrics"),
)


@pytest.mark.parametrize(
    ("named", "known"),
    [("serve", "http"), ("metrics", 9000), ("http", "http"), (8080, 8080), ("x", "x")],
)
def test_a_port_of_the_container_is_known_by_its_name(named: int | str, known: int | str) -> None:
    http = with_numbers(Probe(http_get=HttpGet(port=named, path="/up")), PORTS)
    assert http == Probe(http_get=HttpGet(port=known, path="/up"))
    tcp = Lifecycle(pre_stop=LifecycleHandler(tcp_socket=TcpSocket(port=named)), stop_signal="X")
    assert hooks_with_numbers(tcp, PORTS) == Lifecycle(
        pre_stop=LifecycleHandler(tcp_socket=TcpSocket(port=known)), stop_signal="X"
    )


def test_what_names_no_port_stays() -> None:
    probe = Probe(exec=Exec(command=("true",)))
    assert with_numbers(probe, PORTS) == probe
    assert with_numbers(None, PORTS) is None
    assert hooks_with_numbers(None, PORTS) is None
