"""Brings one range of a file over one connection, and says what came of it."""

import threading
import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field, replace
from datetime import UTC, datetime

from llmaz.agent.cache import spans
from llmaz.agent.cache.adapt import LONGEST_RETRY_AFTER_SECONDS
from llmaz.agent.cache.partial import Partial
from llmaz.agent.cache.patience import asked_wait
from llmaz.agent.cache.remote import RemoteFile, Source, Target
from llmaz.agent.cache.sources.answers import refusal, strong
from llmaz.agent.cache.wire import Answer, CutError, NetworkError, Wire

_SLICE = 2**16  # is read before a connection counts as alive: more of a quick one, as each costs
_QUICK_SECONDS = 0.1
PARTIAL_CONTENT, OK, CHANGED = 206, 200, 412
_BUSY = (429, 503)
_PASSING = (408, 429)
_EXPIRED = (401, 403, 404, 410)


@dataclass
class Download:
    """One file whose ranges come over several connections."""

    file: RemoteFile
    partial: Partial
    moved: Callable[[RemoteFile, int], None]
    failure: Exception | None = None
    shortcut: str | None = field(default=None, repr=False)  # where the source's redirects led
    streaming: bool = False  # the server knows no ranges: one connection brings the whole file
    elsewhere: bool = False  # its bytes are left to something that is no connection of this fetch
    running: int = 0  # how many connections bring a range of it now
    lock: threading.Lock = field(default_factory=threading.Lock)

    def fail(self, error: Exception) -> None:
        if self.failure is None:
            self.failure = error

    def leave_elsewhere(self, elsewhere: bool) -> None:
        with self.lock:
            self.elsewhere = elsewhere

    def is_left_alone(self) -> bool:
        """Tell whether its bytes are left to something else, and no connection brings any now."""
        with self.lock:
            return self.elsewhere and self.running == 0

    def begins(self) -> bool:
        """Count a connection in, unless the bytes are left to something else."""
        with self.lock:
            if self.elsewhere:
                return False
            self.running += 1
            return True

    def ends(self) -> None:
        with self.lock:
            self.running -= 1


@dataclass(frozen=True, slots=True, kw_only=True)
class Failed:
    """What is left of a segment, and why."""

    segment: "Segment"
    final: Exception  # what the file fails with where no further try is made
    brought: bool  # some bytes came before
    is_bearable: bool = True
    is_refusal: bool = False  # the server asks for fewer requests
    asked_wait: float | None = None  # seconds


class _Answered(Exception):  # never leaves this module
    """The server answered with a status that is none of bytes, or as if with another."""

    def __init__(self, answer: Answer, status: int | None = None) -> None:
        super().__init__(f"HTTP {status or answer.status}")
        self.status = status or answer.status
        self.headers = answer.headers


@dataclass(frozen=True)
class Segment:
    """A range of a file that is to be brought."""

    download: Download
    start: int
    end: int
    failures: int = 0
    ended: Callable[[Exception | None], None] | None = None  # told once, instead of the file

    def run(
        self, wire: Wire, source: Source, buffer: memoryview, alive: Callable[[], None]
    ) -> Failed | None:
        """Bring the range as far as it comes; None when nothing is left to do."""
        download = self.download
        if download.failure is not None or not download.partial.lacks(self.start, self.end):
            return None
        if not download.begins():
            return None
        reader = _Reader(wire, download, buffer, alive, self.start, self.end)
        try:
            reader.bring(source)
        except _Answered as answered:
            return self._after_status(answered, reader, source)
        except NetworkError as error:
            return self._left(reader, error)
        finally:
            reader.close()
            download.ends()
        return None

    def _left(self, reader: "_Reader", error: NetworkError) -> Failed:
        brought = reader.at > self.start
        if not brought:
            self.download.shortcut = None  # where it leads may be gone
        left = replace(self, start=reader.at, end=reader.end)
        return Failed(segment=left, final=error, brought=brought)

    def _after_status(self, answered: _Answered, reader: "_Reader", source: Source) -> Failed:
        status = answered.status
        asked = asked_wait(answered.headers, datetime.now(UTC))
        self.download.shortcut = None
        patient = (asked or 0.0) <= LONGEST_RETRY_AFTER_SECONDS
        expired = reader.by_shortcut and status in _EXPIRED
        return Failed(
            segment=self,
            final=source.why(status, answered.headers) or refusal(status, self.download.file.path),
            brought=False,
            is_bearable=patient and (expired or status in _PASSING or status >= 500),
            is_refusal=status in _BUSY,
            asked_wait=asked,
        )


def segments_of(download: Download, segment_bytes: int) -> Iterator[Segment]:
    """Cut what a file lacks into ranges."""
    for start, end in spans.missing(download.partial.there, download.file.size):
        for at in range(start, end, segment_bytes):
            yield Segment(download, at, min(end, at + segment_bytes))


class _Reader:
    """One request for one range."""

    def __init__(
        self,
        wire: Wire,
        download: Download,
        buffer: memoryview,
        alive: Callable[[], None],
        start: int,
        end: int,
    ) -> None:
        self._wire, self._download, self._alive = wire, download, alive
        self._buffer = buffer[: spans.piece_of(download.file.size)]
        self._answer: Answer | None = None
        self._streams = False
        self._slice = _SLICE
        self.at, self.end = start, end
        self.by_shortcut = False

    def bring(self, source: Source) -> None:
        self._answer = self._asked(source)
        if not self._is_range(self._answer) and not self._may_stream():
            self.at = self.end  # another connection brings the whole file
            return
        while self.at < self.end and not self._download.elsewhere:
            self._piece(self._answer)

    def close(self) -> None:
        if self._streams:
            self._download.streaming = False
        if self._answer is not None:
            self._wire.finish(self._answer)

    def _asked(self, source: Source) -> Answer:
        file = self._download.file
        target = source.target(file)
        shortcut = self._download.shortcut
        self.by_shortcut = shortcut is not None
        if shortcut is not None:
            target = Target(url=shortcut)
        extra = {"Range": f"bytes={self.at}-{self.end - 1}"}
        if file.etag is not None:
            extra["If-Match"] = file.etag
        answer = self._wire.ask(target, extra)
        if answer.status not in (OK, PARTIAL_CONTENT):
            self._answer = answer
            raise _Answered(answer)
        if answer.url != target.url and shortcut is None:
            self._download.shortcut = answer.url
        self._check_head(answer)
        return answer

    def _check_head(self, answer: Answer) -> None:
        file = self._download.file
        version = strong(answer.headers.get("ETag"))
        if file.etag is not None and version not in (file.etag, None):  # it knows no If-Match
            self._answer = answer
            raise _Answered(answer, CHANGED)
        length = answer.headers.get("Content-Length")
        is_range = self._is_range(answer)
        expected = self.end - self.at if is_range else file.size
        if length is not None and length != str(expected):
            self._answer = answer
            raise CutError(f"{file.path} has {length} bytes where {expected} were expected")
        if is_range and answer.headers.get("Content-Range") not in (self._span(), None):
            self._answer = answer
            raise CutError(f"{file.path}: other bytes were sent than {self._span()}")

    def _is_range(self, answer: Answer) -> bool:
        """Tell whether the range comes, or the whole file; some stores say the former as OK."""
        told = answer.headers.get("Content-Range")
        return answer.status == PARTIAL_CONTENT or told == self._span()

    def _span(self) -> str:
        return f"bytes {self.at}-{self.end - 1}/{self._download.file.size}"

    def _may_stream(self) -> bool:
        """Take the whole file over this connection, unless another one does."""
        with self._download.lock:
            if self._download.streaming:
                return False
            self._download.streaming = self._streams = True
        self.at, self.end = 0, self._download.file.size
        return True

    def _piece(self, answer: Answer) -> None:
        piece = self._buffer[: min(len(self._buffer), self.end - self.at)]
        filled = 0
        while filled < len(piece):
            want = min(self._slice, len(piece) - filled)
            begun = time.monotonic()
            got = self._wire.read_into(answer, piece[filled : filled + want])
            filled += got
            self._alive()
            if got < want:
                break
            is_quick = time.monotonic() - begun < _QUICK_SECONDS
            self._slice = min(2 * self._slice, len(self._buffer)) if is_quick else _SLICE
        new = self._download.partial.write(self.at, piece[:filled])
        self._download.moved(self._download.file, new)
        self.at += filled
        if filled < len(piece):
            raise CutError(f"{self._download.file.path} was cut off at {self.at} of {self.end}")
