"""Brings the bytes of files: many ranges at once, each verified file whole or not at all.

A thread for each file under way holds its lock, and hashes it behind the connections, out of the
page cache. Threads for connections take segments of all those files from one queue. What a segment
could not bring goes back to the queue.
"""

import random
import threading
import time
from collections.abc import Callable, Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor, as_completed
from dataclasses import dataclass, replace
from typing import Protocol

from llmaz.agent.cache import spans
from llmaz.agent.cache.adapt import FIRST_CONNECTIONS, MOST_CONNECTIONS, Pace, paced, wait_after
from llmaz.agent.cache.download import Download, Failed, Segment, segments_of
from llmaz.agent.cache.partial import Partial
from llmaz.agent.cache.remote import Refused, RemoteFile, Source
from llmaz.agent.cache.store import Digests, Store
from llmaz.agent.cache.tally import Counted, Tallying
from llmaz.agent.cache.waiting import Waiting
from llmaz.agent.cache.wire import Wire

FILES_AT_ONCE = 8
SEGMENT_BYTES = 16 * 2**20
STREAMED_SEGMENT_BYTES = 2 * 2**20  # so that what comes side by side is soon a whole front
MOST_FAILURES = 6  # of one segment in a row, without a byte
ATTEMPTS_AT_GENUINE_BYTES = 2
STALL_SECONDS = 15.0
_SHARED_CONNECTIONS = 4  # where nodes share: as many as each of their chunks is cut for
_TICK_SECONDS = 1.0
_HASH_BLOCK = 2**20
_END_SECONDS = 2.0


@dataclass
class _Worker:
    """What the watch over a connection's thread needs to see."""

    wire: Wire
    busy: bool = False
    moved_at: float = 0.0


class Sharing(Protocol):
    """What brings a file otherwise than over this fetch's connections alone, as other nodes do."""

    @property
    def blamed(self) -> Counted: ...  # where wrong bytes came from

    def takes(self, key: str, file: RemoteFile) -> bool: ...

    def join(self, key: str, download: Download, outside: Callable[[Segment], None]) -> None: ...

    def leave(self, key: str) -> None: ...

    def seal(self, key: str, file: RemoteFile, partial: Partial, sha256: str) -> None: ...


class Transfer:
    """One fetch's threads.

    `moved` is told of each count of bytes, as they come or are lost; `spend` may hold back the
    connection that brought so many.
    """

    def __init__(
        self,
        source: Source,
        store: Store,
        moved: Callable[[RemoteFile, int], None],
        *,
        spend: Callable[[int, Callable[[], None]], None] = lambda _count, _alive: None,
        stall_seconds: float = STALL_SECONDS,
        sharing: Sharing | None = None,
        tally: Tallying | None = None,
        segment_bytes: int = SEGMENT_BYTES,
        window: int | None = None,
    ) -> None:
        self._segment_bytes = segment_bytes
        self._tally = tally or Tallying()
        self._sharing = sharing
        self._spend = spend
        self._stall_seconds = stall_seconds
        self._source = source
        self._store = store
        self._moved = moved
        least = FIRST_CONNECTIONS if sharing is None else _SHARED_CONNECTIONS
        self._pace = Pace(connections=least, least=least)
        self._waiting = Waiting[Segment](self._pace.connections)
        self._counting = threading.Lock()
        self._refusals = 0
        self._bytes = 0
        self._ended = threading.Event()
        self._of_thread = threading.local()
        self._workers = [_Worker(Wire(window=window)) for _ in range(MOST_CONNECTIONS)]

    def bring(self, files: Sequence[RemoteFile], keys: Mapping[str, str]) -> dict[str, str]:
        """Bring files into the store; return the sha256 of each by its path."""
        threads = [
            threading.Thread(target=self._work, args=(index,), daemon=True)
            for index in range(MOST_CONNECTIONS)
        ]
        threads.append(threading.Thread(target=self._watch, daemon=True))
        for thread in threads:
            thread.start()
        pool = ThreadPoolExecutor(FILES_AT_ONCE)
        try:
            futures = {file.path: pool.submit(self._file, file, keys[file.path]) for file in files}
            for future in as_completed(futures.values()):
                future.result()  # the first failure ends them all
            return {path: future.result() for path, future in futures.items()}
        finally:
            self._ended.set()
            self._waiting.end()
            pool.shutdown(wait=True, cancel_futures=True)
            for worker in self._workers:
                worker.wire.cut()
            for thread in threads:
                thread.join(_END_SECONDS)

    def _file(self, file: RemoteFile, key: str) -> str:
        complaint = ""
        for attempt in range(ATTEMPTS_AT_GENUINE_BYTES):
            # What others sent was wrong although each chunk was what they said: outside is asked.
            sharing = self._sharing if attempt == 0 else None
            if sharing is not None and not sharing.takes(key, file):
                sharing = None
            with self._store.partial(key, file.size) as partial:
                if file.sha256 is not None and self._store.holds(file.sha256, file.size):
                    partial.discard()  # another process brought it meanwhile
                    self._moved(file, file.size)
                    return file.sha256
                self._tally.add("doubted", partial.doubted)
                self._moved(file, spans.total(partial.there))
                digests = self._download(key, file, partial, sharing)
                complaint = digests.complaint() or ""
                if not complaint:
                    if sharing is not None:
                        sharing.seal(key, file, partial, digests.sha256)
                    if self._store.holds(digests.sha256, file.size):
                        partial.discard()  # another source had the same: trees share one file
                    else:
                        partial.seal(self._store.path(digests.sha256))
                    if file.sha256 is None and file.version is not None:
                        self._store.learn(key, digests.sha256)
                    return digests.sha256
                partial.discard()
                self._tally.add("wrong_from_origin" if sharing is None else sharing.blamed)
                self._moved(file, -file.size)
        words = f"{file.path} arrived with bytes other than the source's: {complaint}"
        raise Refused("CorruptDownload", words, passing=True)

    def _download(
        self, key: str, file: RemoteFile, partial: Partial, sharing: Sharing | None
    ) -> Digests:
        download = Download(file, partial, self._count)
        if sharing is not None:
            sharing.join(key, download, self._waiting.put)
            try:
                return self._hashed(file, partial, download)
            finally:
                sharing.leave(key)
        for segment in segments_of(download, self._segment_bytes):
            self._waiting.put(segment)
        return self._hashed(file, partial, download)

    def _hashed(self, file: RemoteFile, partial: Partial, download: Download) -> Digests:
        """Digest the bytes behind the connections, and wait for the last of them."""
        digests = Digests(file)
        view, hashed = memoryview(bytearray(_HASH_BLOCK)), 0
        while hashed < file.size:
            front = partial.front_beyond(hashed, 0.5)
            self._check(download)
            while hashed < front:
                size = partial.read_into(hashed, view[: min(_HASH_BLOCK, front - hashed)])
                digests.update(view[:size])
                hashed += size
        return digests

    def _check(self, download: Download) -> None:
        if download.failure is not None:
            raise download.failure
        if self._ended.is_set():
            raise Refused("FetchFailed", "another file of the model failed", passing=True)

    def _count(self, file: RemoteFile, size: int) -> None:
        self._moved(file, size)
        self._tally.add("brought", size)
        with self._counting:
            self._bytes += size
        self._spend(size, getattr(self._of_thread, "alive", _nothing))

    def _work(self, index: int) -> None:
        worker = self._workers[index]
        buffer = memoryview(bytearray(spans.LARGEST_PIECE))

        def alive() -> None:
            worker.moved_at = time.monotonic()

        self._of_thread.alive = alive
        while (segment := self._waiting.take(index)) is not None:
            alive()
            worker.busy = True
            try:
                failed = segment.run(worker.wire, self._source, buffer, alive)
            except Exception as error:  # a thread's outermost border: the file tells it
                segment.download.fail(error)
            else:
                if failed is not None:
                    self._again(failed)
                elif segment.ended is not None:
                    segment.ended(None)
            finally:
                worker.busy = False
        worker.wire.close()

    def _again(self, failed: Failed) -> None:
        segment = failed.segment
        failures = 1 if failed.brought else segment.failures + 1
        wait = wait_after(failures, failed.asked_wait, random.random())  # noqa: S311  # no secret
        if failures >= MOST_FAILURES or not failed.is_bearable:
            if segment.ended is not None:
                segment.ended(failed.final)
            else:
                segment.download.fail(failed.final)
            return
        if failed.is_refusal:
            self._tally.add("refusals")
            with self._counting:
                self._refusals += 1
        self._waiting.put(replace(segment, failures=failures), wait)

    def _watch(self) -> None:
        """Judge the pace, and cut connections on which nothing moves."""
        seen, at = 0, time.monotonic()
        while not self._ended.wait(_TICK_SECONDS):
            now = time.monotonic()
            with self._counting:
                rate = (self._bytes - seen) / (now - at)
                self._pace = paced(self._pace, rate=rate, refusals=self._refusals)
                seen, at, self._refusals = self._bytes, now, 0
            self._waiting.allow(self._pace.connections)
            for worker in self._workers:
                if worker.busy and now - worker.moved_at > self._stall_seconds:
                    worker.moved_at = now  # it is cut once
                    self._tally.add("stalls")
                    worker.wire.cut()


def _nothing() -> None:
    """A thread that no connection of this transfer belongs to is watched by nobody."""
