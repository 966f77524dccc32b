"""Connections of fsspec's drivers, as an audit hook of Python's sees them."""

from collections.abc import Callable

import pytest

from llmaz.agent.cache.destinations import Forbidden
from llmaz.agent.cache.sources.guard import Guard

METADATA = ("169.254.169.254", 80)


def watching(scheme: str) -> list[Callable[[str, tuple[object, ...]], None]]:
    hooks: list[Callable[[str, tuple[object, ...]], None]] = []
    Guard(scheme).watch(hooks.append)
    return hooks


@pytest.mark.parametrize("address", [METADATA, ("fe80::1%eth0", 80, 0, 1), ("100.100.100.200", 80)])
def test_a_connection_to_where_clouds_keep_credentials_is_refused(address: object) -> None:
    guard = Guard("sftp")
    with pytest.raises(Forbidden):
        guard.look("socket.connect", (None, address))
    assert guard.refused


@pytest.mark.parametrize("address", [("127.0.0.1", 80), ("localhost", 80), "/run/a.socket", b"\0a"])
def test_other_connections_are_left_alone(address: object) -> None:
    guard = Guard("sftp")
    guard.look("socket.connect", (None, address))
    guard.look("socket.bind", (None, METADATA))
    assert not guard.refused


def test_what_a_driver_makes_of_a_refusal_is_one_all_the_same() -> None:
    guard = Guard("sftp")
    with pytest.raises(Forbidden):
        guard.look("socket.connect", (None, METADATA))
    with pytest.raises(Forbidden), guard.telling():
        raise OSError("it went wrong")


def test_another_error_of_a_driver_stays_what_it_is() -> None:
    with pytest.raises(OSError, match="wrong"), Guard("sftp").telling():
        raise OSError("it went wrong")


def test_drivers_that_ask_the_machine_who_it_is_may() -> None:
    assert watching("sftp")
    assert not watching("az")
