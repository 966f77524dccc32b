"""Hosts of several addresses, of which some swallow what they are sent."""

import socket
import time
from collections.abc import Iterator
from contextlib import ExitStack, closing

import pytest

from llmaz.agent.cache.dial import Dialler

Info = tuple[socket.AddressFamily, socket.SocketKind, int, str, tuple[str, int]]


def _listener(stack: ExitStack, host: str, backlog: int) -> Info:
    sock = stack.enter_context(closing(socket.socket()))
    sock.bind((host, 0))
    sock.listen(backlog)
    return socket.AF_INET, socket.SOCK_STREAM, 0, "", (host, sock.getsockname()[1])


@pytest.fixture
def good() -> Iterator[Info]:
    with ExitStack() as stack:
        yield _listener(stack, "127.0.0.1", 16)


@pytest.fixture
def hole() -> Iterator[Info]:
    """A place that drops what asks for a connection: its queue is full, and nobody empties it."""
    with ExitStack() as stack:
        info = _listener(stack, "127.0.0.2", 0)
        for _ in range(64):
            sock = stack.enter_context(closing(socket.socket()))
            sock.settimeout(0.3)
            try:
                sock.connect(info[4])
            except TimeoutError:
                yield info
                return
        pytest.skip("this kernel's queues do not fill")


def test_an_address_that_swallows_all_costs_little_and_is_tried_last_from_then_on(
    good: Info, hole: Info
) -> None:
    order: list[Info] = [hole, good]
    dialler = Dialler(lambda *_: order, first_seconds=0.3)
    begun = time.monotonic()
    with closing(dialler.connect(("hub.example", 443), 110)) as sock:
        assert sock.getpeername() == good[4]
    assert time.monotonic() - begun < 100
    order.append((*good[:4], ("127.0.0.3", 1)))  # refuses: were the silent one asked before it,
    order.remove(good)  # it would not be the last, whose error is told
    with pytest.raises(TimeoutError):
        dialler.connect(("hub.example", 443), 0.3)


def test_a_host_whose_every_address_is_silent_is_a_timeout(hole: Info) -> None:
    with pytest.raises(TimeoutError):
        Dialler(lambda *_: [hole, hole], first_seconds=0.1).connect(("hub.example", 443), 0.2)


def test_a_host_without_an_address_is_said() -> None:
    with pytest.raises(OSError, match=r"hub\.example has no address"):
        Dialler(lambda *_: []).connect(("hub.example", 443), 1)
