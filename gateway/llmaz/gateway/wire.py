"""HTTP/1.1 as engines answer it: the head of an answer, and where its body ends. Pure.

What a body says is nobody's business here: only its framing is looked at.
"""

import re
from collections.abc import Iterable
from dataclasses import dataclass
from enum import Enum, auto
from typing import Protocol

HEAD_END = b"\r\n\r\n"
MOST_HEAD_BYTES = 64 * 1024
_CRLF = b"\r\n"
_VERSIONS = (b"HTTP/1.1", b"HTTP/1.0")
_BODILESS = frozenset({204, 304})
_SWITCHED = 101
_STRAY = re.compile(rb"[\r\n\0]")
_HEADER = re.compile(rb"([!#$%&'*+.^_`|~0-9A-Za-z-]+):[ \t]*([^\r\n\0]*)")
_FRAMING = (b"content-length", b"transfer-encoding")
_CHUNK_SIZE = re.compile(rb"([0-9a-fA-F]{1,15})[ \t]*(?:;.*)?")
_MOST_LINE_BYTES = 8 * 1024  # a chunk's size with what may stand behind it, or a trailer


class WireError(Exception):
    """An answer that is not HTTP/1.1 as its RFC has it."""


@dataclass(frozen=True, slots=True)
class Head:
    """The status and the headers of an answer, and how its body is framed."""

    status: int
    reason: bytes
    headers: tuple[tuple[bytes, bytes], ...]
    length: int | None  # of the body; None where it is not said ahead
    chunked: bool
    lasting: bool  # whether the connection may carry another request

    @property
    def content_type(self) -> bytes:
        return next((value for name, value in self.headers if name.lower() == b"content-type"), b"")


def read_head(text: bytes) -> Head:
    """Read a head without its empty line; raise WireError where two readers might differ."""
    first, *lines = text.split(_CRLF)
    version, _, rest = first.partition(b" ")
    code, _, reason = rest.partition(b" ")
    if version not in _VERSIONS or len(code) != 3 or not code.isdigit() or _STRAY.search(reason):
        raise WireError(f"its answer begins with {first[:80]!r}")
    status = int(code)
    if status == _SWITCHED:
        raise WireError("it changed to another protocol, which nobody asked for")
    headers = tuple(_header(line) for line in lines)
    known: dict[bytes, bytes] = {}
    for name, value in headers:
        lowered = name.lower()
        if lowered in _FRAMING and lowered in known:
            raise WireError(f"its answer has two headers {name.decode()}")
        known[lowered] = value
    coding = known.get(b"transfer-encoding")
    if coding is not None and coding.lower() != b"chunked":
        raise WireError(f"its answer has the transfer encoding {coding[:80]!r}")
    lasting = version == _VERSIONS[0] and not _closes(headers)
    length = None if coding else _length(status, known.get(b"content-length"))
    return Head(status, reason, headers, length, bool(coding), lasting)


def _header(line: bytes) -> tuple[bytes, bytes]:
    found = _HEADER.fullmatch(line)
    if found is None:
        raise WireError(f"a header of its answer is {line[:80]!r}")
    return found[1], found[2].rstrip(b" \t")


def _closes(headers: Iterable[tuple[bytes, bytes]]) -> bool:
    said = (value for name, value in headers if name.lower() == b"connection")
    return any(b"close" in value.lower().replace(b" ", b"").split(b",") for value in said)


def _length(status: int, said: bytes | None) -> int | None:
    if status in _BODILESS or status < 200:
        return 0
    if said is None:
        return None
    if not said.isdigit() or len(said) > 15:
        raise WireError(f"the length of its answer is {said[:80]!r}")
    return int(said)


class Body(Protocol):
    """Finds the body in what an engine sends."""

    over: bool
    clean: bool  # whether nothing came behind its end

    def take(self, data: bytes) -> bytes:
        """Return what of `data` belongs to the body."""
        ...


def body_of(head: Head) -> Body:
    """Return what finds the body after a head."""
    if head.chunked:
        return Chunked()
    return Endless() if head.length is None else Sized(head.length)


class Sized:
    """A body whose length was said."""

    def __init__(self, length: int) -> None:
        self._left = length
        self.over = not length
        self.clean = True

    def take(self, data: bytes) -> bytes:
        payload = data[: self._left]
        self._left -= len(payload)
        self.over = not self._left
        self.clean = len(payload) == len(data)
        return payload


class Endless:
    """A body that ends with its connection."""

    over = False
    clean = True

    def take(self, data: bytes) -> bytes:
        return data


class _Line(Enum):
    """What the next line of a body in chunks is."""

    SIZE = auto()
    CHUNK_END = auto()  # an empty one
    TRAILER = auto()


class Chunked:
    """A body in chunks; a token is nearly always one, which came whole."""

    def __init__(self) -> None:
        self._left = 0  # bytes of the chunk that is being read
        self._next = _Line.SIZE
        self._begun = b""  # a line that has not come whole
        self.over = False
        self.clean = True

    def take(self, data: bytes) -> bytes:
        pieces = []
        if self._begun:
            data, self._begun = self._begun + data, b""
        at = 0
        while at < len(data) and not self.over:
            if self._left:
                piece = data[at : at + self._left]
                pieces.append(piece)
                self._left -= len(piece)
                at += len(piece)
                continue
            end = data.find(_CRLF, at)
            if end < 0:
                self._keep(data[at:])
                break
            self._read(data[at:end])
            at = end + 2
        self.clean = not self.over or at == len(data)
        return pieces[0] if len(pieces) == 1 else b"".join(pieces)

    def _keep(self, begun: bytes) -> None:
        if len(begun) > _MOST_LINE_BYTES:
            raise WireError("a chunk of its answer has no size")
        self._begun = begun

    def _read(self, line: bytes) -> None:
        if self._next is _Line.TRAILER:
            self.over = not line  # trailers are dropped, as their header is
        elif self._next is _Line.CHUNK_END:
            if line:
                raise WireError("a chunk of its answer is longer than its size")
            self._next = _Line.SIZE
        else:
            size = _CHUNK_SIZE.fullmatch(line)
            if size is None:
                raise WireError(f"a chunk of its answer has the size {line[:80]!r}")
            self._left = int(size[1], 16)
            self._next = _Line.CHUNK_END if self._left else _Line.TRAILER
