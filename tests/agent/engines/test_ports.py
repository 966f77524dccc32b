"""Ports of engines are leased, and seen to be free."""

import socket

import pytest

from llmaz.agent.engines.errors import EngineError
from llmaz.agent.engines.ports import is_free, lease


def test_a_port_that_somebody_listens_on_is_not_leased() -> None:
    with socket.create_server(("127.0.0.1", 0)) as listener:
        port = listener.getsockname()[1]
        assert not is_free(port)
        with pytest.raises(EngineError, match=f"no port from {port} to {port} is free"):
            lease(range(port, port + 1), ())


def test_a_port_that_another_engine_has_is_not_leased() -> None:
    with socket.create_server(("127.0.0.1", 0)) as listener:
        port = listener.getsockname()[1]
    with pytest.raises(EngineError):
        lease(range(port, port + 1), {port})
