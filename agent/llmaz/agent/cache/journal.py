"""What a journal of a partial file says. Pure.

    size 1048576
    boot 4c6ad2...        once for each run of the machine
    0 65536               these bytes were written
    claim 4               the fifth chunk is being fetched from outside, for others to know
    chunk 4 9f86d0...     the fifth chunk is there, with this sha256
    flushed 3             the lines before the third from the start on were on the disk by then

A kill loses nothing that was written, for the kernel keeps the pages; what was not flushed before
the machine went down may be lost.
"""

from collections.abc import Mapping
from dataclasses import dataclass, field

from llmaz.agent.cache import spans
from llmaz.agent.cache.spans import Span, Spans

_DIGITS = 64  # of a sha256


@dataclass(frozen=True, slots=True, kw_only=True)
class Replayed:
    """What can be believed of a journal, and where to go on writing it."""

    there: Spans = ()
    doubted: int = 0  # bytes that were written, and may have been lost
    chunks: Mapping[int, str] = field(default_factory=dict)  # their digests
    boot: str = ""  # of the last line
    lines: int = 0
    length: int = 0  # of the text that makes sense


def replayed(text: str, *, size: int, boot: str) -> Replayed:
    """Read a journal of a file of `size`; a torn line, and one that can't be, ends it."""
    noted: list[tuple[int, Span]] = []
    ever: Spans = ()
    digests: list[tuple[int, int, str]] = []
    last_boot, lines, length, flushed = "", 0, 0, 0
    for line in text.split("\n")[:-1]:
        word, _, value = line.partition(" ")
        if lines == 0 and line != f"size {size}":
            break
        if word == "boot":
            noted = [entry for entry in noted if entry[0] < flushed]
            digests = [entry for entry in digests if entry[0] < flushed]
            last_boot = value
        elif word == "flushed" and value.isdecimal():
            flushed = int(value)
        elif word == "chunk" and lines > 0:
            chunk, _, digest = value.partition(" ")
            if not chunk.isdecimal() or len(digest) != _DIGITS:
                break
            digests.append((lines, int(chunk), digest))
        elif lines > 0 and word != "claim":
            span = _span(word, value, size)
            if span is None:
                break
            noted.append((lines, span))
            ever = spans.joined(ever, span)
        lines += 1
        length += len(line) + 1
    there: Spans = ()
    for at, span in noted:
        if last_boot == boot or at < flushed:
            there = spans.joined(there, span)
    chunks = {chunk: digest for at, chunk, digest in digests if last_boot == boot or at < flushed}
    return Replayed(
        there=there,
        doubted=spans.total(ever) - spans.total(there),
        chunks=chunks,
        boot=last_boot,
        lines=lines,
        length=length,
    )


def _span(first: str, second: str, size: int) -> Span | None:
    if not first.isdecimal() or not second.isdecimal():
        return None
    start, end = int(first), int(second)
    return (start, end) if start < end <= size else None
