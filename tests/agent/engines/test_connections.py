"""The kernel tells who is connected to an engine."""

import socket
from contextlib import closing
from pathlib import Path

import pytest

from llmaz.agent.engines.connections import connections_to
from support.shims import wait_until


def test_clients_are_counted_until_they_leave() -> None:
    with socket.create_server(("127.0.0.1", 0)) as engine:
        port = engine.getsockname()[1]
        assert connections_to(port) == 0
        with closing(socket.create_connection(("127.0.0.1", port))) as first:
            served, _ = engine.accept()
            with closing(socket.create_connection(("127.0.0.1", port))):
                wait_until(lambda: connections_to(port) == 2, "both are there")
            # What is not answered any more is no connection, though the engine has it open.
            wait_until(lambda: connections_to(port) == 1, "the second has left")
            assert first.getsockname()[1] != port
        wait_until(lambda: connections_to(port) == 0, "both have left")
        served.close()


@pytest.mark.skipif(not socket.has_dualstack_ipv6(), reason="this machine has no IPv6")
def test_an_engine_that_listens_on_both_protocols_is_counted_once() -> None:
    with socket.create_server(("::", 0), family=socket.AF_INET6, dualstack_ipv6=True) as engine:
        port = engine.getsockname()[1]
        with closing(socket.create_connection(("127.0.0.1", port))):
            wait_until(lambda: connections_to(port) == 1, "it is there")


def test_a_kernel_without_the_newer_protocol_tells_of_the_older(tmp_path: Path) -> None:
    row = "   0: 0100007F:1F40 0100007F:C350 01 00000000:00000000 00:00000000 00000000 0 0 1 1"
    (tmp_path / "tcp").write_text(f"  sl  local_address rem_address st\n{row}\n")
    assert connections_to(8000, tables=tmp_path) == 1


def test_where_the_kernel_tells_nothing_nobody_knows(tmp_path: Path) -> None:
    assert connections_to(8000, tables=tmp_path) is None
