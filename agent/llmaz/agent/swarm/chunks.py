"""How a file is cut: the same on every node, since it follows from the file's size alone. Pure."""

import itertools

SMALLEST_CHUNK = 2**20
LARGEST_CHUNK = 16 * 2**20
_CHUNKS_AIMED_AT = 512
_SMALLEST_PART = 2**18
_LARGEST_STRIPE = 64 * 2**20
_STRIPES_AIMED_AT = 128


def chunk_size(size: int) -> int:
    """Return the bytes of each chunk but the last: a power of two."""
    wanted = max(1, -(-size // _CHUNKS_AIMED_AT))
    return max(SMALLEST_CHUNK, min(LARGEST_CHUNK, 1 << (wanted - 1).bit_length()))


def chunk_count(size: int) -> int:
    return -(-size // chunk_size(size))


def span_of(chunk: int, size: int) -> tuple[int, int]:
    """Return where a chunk starts and ends."""
    step = chunk_size(size)
    return chunk * step, min(size, (chunk + 1) * step)


def chunks_of_stripe(size: int) -> int:
    """Return how many chunks in a row one node brings: many stripes, so that shares are even."""
    most = _LARGEST_STRIPE // chunk_size(size)
    return max(1, min(most, chunk_count(size) // _STRIPES_AIMED_AT))


def cut(span: tuple[int, int], parts: int) -> list[tuple[int, int]]:
    """Cut a range into so many of about the same size, or into fewer that are still worth it."""
    start, end = span
    count = max(1, min(parts, (end - start) // _SMALLEST_PART))
    edges = [start + (end - start) * part // count for part in range(count + 1)]
    return list(itertools.pairwise(edges))
