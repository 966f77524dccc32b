"""Ports of engines are leased, and seen to be free; an engine keeps its own."""

import random
import socket

import pytest

from llmaz.agent.engines.errors import EngineError
from llmaz.agent.engines.ports import Leases

BAND = range(14000, 16000)  # no other test's, which could claim what is released for a moment


def leases(band: range = BAND, start_at: int | None = None) -> Leases:
    return Leases(band, start_at=random.randrange(len(BAND)) if start_at is None else start_at)


def test_two_engines_never_have_the_same_port_whichever_agents_they_are_of() -> None:
    start = random.randrange(len(BAND))
    one, other = leases(start_at=start), leases(start_at=start)
    ports = [one.lease("a"), one.lease("b"), other.lease("a"), other.lease("b")]
    assert len(set(ports)) == 4
    one.release_all()
    other.release_all()


def test_an_engine_keeps_its_port_over_its_restarts_and_those_of_its_agent() -> None:
    former = leases()
    port = former.lease("a")
    assert former.lease("a", port) == port
    former.release_all()
    successor = leases()
    successor.adopt("a", port)
    with pytest.raises(EngineError, match=f"no port from {port} to {port} is free"):
        leases(range(port, port + 1)).lease("b")  # though nobody listens there
    assert successor.lease("a", port) == port
    successor.release("a")
    third = leases(range(port, port + 1))
    assert third.lease("b") == port
    third.release_all()


def test_a_port_that_somebody_listens_on_is_not_leased() -> None:
    own = leases()
    port = own.lease("a")
    with socket.create_server(("127.0.0.1", port)):
        new = own.lease("a", port)
        assert new != port
        with pytest.raises(EngineError, match=f"no port from {port} to {port} is free"):
            leases(range(port, port + 1)).lease("b")
    own.release_all()


def test_an_engine_whose_port_was_in_use_gets_another() -> None:
    own = leases()
    port = own.lease("a")
    assert own.lease("a") != port
    own.release_all()


def test_a_port_of_an_engine_that_is_not_of_this_band_is_no_lease() -> None:
    own = leases()
    own.adopt("a", None)
    own.adopt("b", BAND.stop)
    assert own.lease("a") in BAND
    assert own.lease("b", BAND.stop) in BAND
    own.release_all()
