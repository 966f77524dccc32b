"""The child program that reads one file by hf_xet: `python -m llmaz.agent.cache.xetchild`.

It is a process of its own: hf_xet can't be interrupted, holds memory by the gigabyte, and connects
to wherever its store says. It is given a token for reading this repository's chunks that ends by
itself, and never the hub's. It writes into the file that it was handed, says each range when that
is written, and goes on when it is told.
"""

import json
import os
import sys
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import timedelta

from llmaz.agent.cache.spans import Span
from llmaz.agent.children import die_with_parent
from llmaz.api.manifest import decode

_CONNECT_SECONDS, _SILENCE_SECONDS, _RETRY_SECONDS = 10, 30, 20
_LARGEST_WRITE = 4 * 2**20  # of a piece, so that a limit of the rate holds it back in small steps


@dataclass(frozen=True, slots=True, kw_only=True)
class Order:
    """What to read where. `buffer` is what hf_xet may hold of it."""

    endpoint: str
    token: str = field(repr=False)
    expires: int
    name: str
    size: int
    spans: Sequence[Sequence[int]]
    buffer: int
    descriptor: int


def settings_of(buffer: int) -> Mapping[str, object]:
    """Return hf_xet's settings: bounded memory, short patience, and no reports to anybody."""
    return {
        "reconstruction.download_buffer_size": buffer,
        "reconstruction.download_buffer_limit": buffer,
        "reconstruction.download_buffer_perfile_size": buffer // 2,
        "reconstruction.min_prefetch_buffer": buffer // 2,
        "telemetry.enabled": False,
        "client.connect_timeout": timedelta(seconds=_CONNECT_SECONDS),
        "client.read_timeout": timedelta(seconds=_SILENCE_SECONDS),
        "client.retry_max_attempts": 3,
        "client.retry_base_delay": timedelta(seconds=1),
        "client.retry_max_duration": timedelta(seconds=_RETRY_SECONDS),
    }


def main() -> None:
    die_with_parent()
    order = decode(Order, json.loads(sys.stdin.readline()))
    for start, end in order.spans:
        at = start
        for piece in _pieces(order, (start, end)):
            for begin in range(0, len(piece), _LARGEST_WRITE):
                _write(order.descriptor, at, piece[begin : begin + _LARGEST_WRITE], end)
                at += len(piece[begin : begin + _LARGEST_WRITE])
        if at != end:
            raise SystemExit(f"{at - start} bytes came of {end - start}")


def _pieces(order: Order, span: Span) -> Iterator[memoryview]:
    import hf_xet  # type: ignore[import-untyped]  # noqa: PLC0415  # Rust, without types; only here

    config = hf_xet.XetConfig().with_config(settings_of(order.buffer))
    group = hf_xet.XetSession(config=config).new_download_stream_group(
        endpoint=order.endpoint, token=order.token, token_expiry_unix_secs=order.expires
    )
    info = hf_xet.XetFileInfo(order.name, order.size)
    for piece in group.download_stream(info, start=span[0], end=span[1]):
        yield memoryview(piece)


def _write(descriptor: int, at: int, piece: memoryview, end: int) -> None:
    """Write what lies within the range, say so, and wait for leave to go on."""
    if at + len(piece) > end:
        raise SystemExit("more bytes came than were asked for")
    written = 0
    while written < len(piece):
        written += os.pwrite(descriptor, piece[written:], at + written)
    sys.stdout.write(f"{at} {at + written}\n")
    sys.stdout.flush()
    if not sys.stdin.readline():
        raise SystemExit("nobody waits for it any more")


if __name__ == "__main__":
    main()
