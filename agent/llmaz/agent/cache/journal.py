"""What a journal of a partial file says. Pure.

    size 1048576
    boot 4c6ad2...        once for each run of the machine
    0 65536               these bytes were written
    flushed 3             the lines before the third from the start on were on the disk by then

A kill loses nothing that was written, for the kernel keeps the pages; what was not flushed before
the machine went down may be lost.
"""

from dataclasses import dataclass

from llmaz.agent.cache import spans
from llmaz.agent.cache.spans import Span, Spans


@dataclass(frozen=True, slots=True, kw_only=True)
class Replayed:
    """What can be believed of a journal, and where to go on writing it."""

    there: Spans = ()
    boot: str = ""  # of the last line
    lines: int = 0
    length: int = 0  # of the text that makes sense


def replayed(text: str, *, size: int, boot: str) -> Replayed:
    """Read a journal of a file of `size`; a torn line, and one that can't be, ends it."""
    noted: list[tuple[int, Span]] = []
    last_boot, lines, length, flushed = "", 0, 0, 0
    for line in text.split("\n")[:-1]:
        word, _, value = line.partition(" ")
        if lines == 0 and line != f"size {size}":
            break
        if word == "boot":
            noted = [entry for entry in noted if entry[0] < flushed]
            last_boot = value
        elif word == "flushed" and value.isdecimal():
            flushed = int(value)
        elif lines > 0:
            span = _span(word, value, size)
            if span is None:
                break
            noted.append((lines, span))
        lines += 1
        length += len(line) + 1
    there: Spans = ()
    for at, span in noted:
        if last_boot == boot or at < flushed:
            there = spans.joined(there, span)
    return Replayed(there=there, boot=last_boot, lines=lines, length=length)


def _span(first: str, second: str, size: int) -> Span | None:
    if not first.isdecimal() or not second.isdecimal():
        return None
    start, end = int(first), int(second)
    return (start, end) if start < end <= size else None
