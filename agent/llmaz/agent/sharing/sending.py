"""Bytes of a file into a socket: the kernel copies them, mostly without a detour over the loop."""

import asyncio
import os
import socket
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from typing import BinaryIO


@contextmanager
def corked(transport: asyncio.WriteTransport) -> Iterator[None]:
    """Let the head of an answer travel with its first bytes: its reader is woken once for both."""
    sock = transport.get_extra_info("socket")
    sock.setsockopt(socket.IPPROTO_TCP, socket.TCP_CORK, 1)
    try:
        yield
    finally:
        with suppress(OSError):  # it was closed meanwhile
            sock.setsockopt(socket.IPPROTO_TCP, socket.TCP_CORK, 0)


async def send_file(
    transport: asyncio.WriteTransport, file: BinaryIO, start: int, end: int
) -> None:
    """Send a range of a file.

    A socket mostly takes a whole chunk at once; asking the event loop for each would cost a fifth
    of the sending.
    """
    if transport.get_write_buffer_size() == 0 and not transport.is_closing():
        with suppress(BlockingIOError):
            sock = transport.get_extra_info("socket")
            start += os.sendfile(sock.fileno(), file.fileno(), start, end - start)
    if start < end:
        await asyncio.get_running_loop().sendfile(transport, file, start, end - start)
