"""Which bytes of a file are there: sorted, disjoint, half-open ranges. Pure."""

from typing import TypeAlias

Span: TypeAlias = tuple[int, int]
Spans: TypeAlias = tuple[Span, ...]

SMALLEST_PIECE = 2**16
LARGEST_PIECE = 2**20


def joined(spans: Spans, new: Span) -> Spans:
    """Add a range; it swallows those that it touches."""
    start, end = new
    before = tuple(span for span in spans if span[1] < start)
    after = tuple(span for span in spans if span[0] > end)
    touched = spans[len(before) : len(spans) - len(after)]
    if touched:
        start, end = min(start, touched[0][0]), max(end, touched[-1][1])
    return (*before, (start, end), *after) if end > start else spans


def missing(spans: Spans, size: int) -> Spans:
    """Return what of the first `size` bytes is not there."""
    gaps, at = [], 0
    for start, end in spans:
        if start > at:
            gaps.append((at, min(start, size)))
        at = max(at, end)
    if at < size:
        gaps.append((at, size))
    return tuple(gap for gap in gaps if gap[0] < gap[1])


def front(spans: Spans) -> int:
    """Return how many bytes are there from the start on, without a gap."""
    return spans[0][1] if spans and spans[0][0] == 0 else 0


def total(spans: Spans) -> int:
    return sum(end - start for start, end in spans)


def piece_of(size: int) -> int:
    """Return after how many bytes a file's progress is written down.

    What a kill costs is at most one piece a connection: a small part of a file of any size.
    """
    return max(SMALLEST_PIECE, min(LARGEST_PIECE, size // 1024))
