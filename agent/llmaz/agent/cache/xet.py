"""Brings files of a hub by Xet, where that is the way: one file at a time, in a child program.

A file never comes both ways at once: what was hashed could else be written again. Whatever fails
by Xet comes by plain ranges, from where Xet left off, and nothing of that fetch goes by Xet again.
"""

import json
import os
import select
import subprocess
import sys
import threading
import time
from collections.abc import Callable, Mapping
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path

import psutil

from llmaz.agent.cache import spans
from llmaz.agent.cache.destinations import Forbidden
from llmaz.agent.cache.detour import SMALLEST_FILE, buffer_bytes, first_way, judged
from llmaz.agent.cache.download import Download, Segment, segments_of
from llmaz.agent.cache.partial import Partial
from llmaz.agent.cache.policy import XetMode
from llmaz.agent.cache.remote import Refused, RemoteFile
from llmaz.agent.cache.sources.xetdoor import Door
from llmaz.agent.cache.tally import Counted
from llmaz.agent.cache.transfer import SEGMENT_BYTES
from llmaz.agent.cache.wire import NetworkError
from llmaz.agent.cache.xetchild import Order
from llmaz.api.manifest import encode

XET_PROGRAM = (sys.executable, "-m", "llmaz.agent.cache.xetchild")
STALL_SECONDS = 45.0  # hf_xet's own patience is less
_TICK_SECONDS = 1.0
# What a program that fetches by itself needs; nothing of it is a credential but a proxy's own.
_PASSED = (
    *("PATH", "LANG", "LC_ALL", "LD_LIBRARY_PATH", "TMPDIR", "VIRTUAL_ENV", "PYTHONPATH"),
    *("HTTP_PROXY", "HTTPS_PROXY", "NO_PROXY", "http_proxy", "https_proxy", "no_proxy"),
    *("SSL_CERT_FILE", "SSL_CERT_DIR"),
)


@dataclass(frozen=True)
class _Wanted:
    """A file under way, and where plain ranges of it are put."""

    download: Download
    outside: Callable[[Segment], None]


class XetWay:
    """The files of one fetch that a hub keeps in Xet; takes the place of other nodes.

    `door` asks the hub for leave to read; `brought` counts the bytes of the fetch.
    """

    blamed: Counted = "wrong_from_origin"

    def __init__(
        self,
        door: Callable[[], Door],
        mode: XetMode,
        *,
        scratch: Path,
        brought: Callable[[], int],
        environ: Mapping[str, str],
    ) -> None:
        self._door, self._brought, self._scratch = door, brought, scratch
        self._environ = {name: environ[name] for name in _PASSED if name in environ}
        self._way = first_way(mode, now=time.monotonic())
        self._wanted: dict[str, _Wanted] = {}
        self._child: subprocess.Popen[str] | None = None
        self._carried: str | None = None
        self._changed = threading.Condition()
        self._ended = False
        self._thread = threading.Thread(target=self._run, daemon=True)
        self._thread.start()

    def takes(self, key: str, file: RemoteFile) -> bool:  # noqa: ARG002  # as other nodes do
        """Tell whether a file can come by Xet; without a digest nobody could judge it."""
        return file.xet is not None and file.sha256 is not None and file.size >= SMALLEST_FILE

    def join(self, key: str, download: Download, outside: Callable[[Segment], None]) -> None:
        """Begin with a file, by the way that is taken now."""
        wanted = _Wanted(download, outside)
        with self._changed:
            self._wanted[key] = wanted
            if self._way.by_xet:
                download.leave_elsewhere(True)
            else:
                _go_plain(wanted)
            self._changed.notify_all()

    def leave(self, key: str) -> None:
        """End with a file: when this returns, nothing more is written into it."""
        with self._changed:
            self._wanted.pop(key, None)
            while self._carried == key:
                self._kill()
                self._changed.wait(_TICK_SECONDS)

    def seal(self, key: str, file: RemoteFile, partial: Partial, sha256: str) -> None:
        """Tell nobody."""

    def close(self) -> None:
        """End the thread and its child."""
        with self._changed:
            self._ended = True
            self._kill()
            self._changed.notify_all()
        self._thread.join()

    def _run(self) -> None:
        while not self._ended:
            self._judge()
            key = self._next()
            if key is None:
                continue
            try:
                complete = self._carry(self._wanted[key].download)
            except Exception:  # whatever it is: plain ranges bring the file, or say why they can't
                complete = False
            with self._changed:
                self._carried = None
                if not complete and key in self._wanted:
                    self._give_up()
                self._changed.notify_all()

    def _next(self) -> str | None:
        """Wait a while for a file that is to come by Xet and no other way any more."""
        with self._changed:
            for key, wanted in sorted(self._wanted.items()):
                download = wanted.download
                if download.is_left_alone() and _lacking(download):
                    self._carried = key
                    return key
            self._changed.wait(_TICK_SECONDS / 4)
            return None

    def _judge(self) -> None:
        with self._changed:
            left = sum(spans.total(_lacking(each.download)) for each in self._wanted.values())
            way = judged(self._way, now=time.monotonic(), brought=self._brought(), left=left)
            changed, self._way = way.by_xet != self._way.by_xet, way
            if not changed:
                return
            if way.by_xet:
                for wanted in self._wanted.values():
                    wanted.download.leave_elsewhere(True)
            elif self._carried is None:
                self._give_up()
            else:
                self._kill()

    def _give_up(self) -> None:
        """Go on by plain ranges, to the end of this fetch."""
        self._way = first_way("never", now=time.monotonic())
        for wanted in self._wanted.values():
            if wanted.download.elsewhere:
                _go_plain(wanted)

    def _carry(self, download: Download) -> bool:
        """Bring what a file lacks; a door that closed meanwhile is asked for anew."""
        while lacking := _lacking(download):
            before = spans.total(lacking)
            self._once(download, lacking)
            if self._is_unwanted(download) or spans.total(_lacking(download)) == before:
                return not _lacking(download)
        return True

    def _once(self, download: Download, lacking: spans.Spans) -> None:
        try:
            door = self._door()
        except (Forbidden, NetworkError, Refused):
            return
        descriptor = download.partial.lent()
        try:
            order = Order(
                endpoint=door.endpoint,
                token=door.token,
                expires=door.expires,
                name=download.file.xet or "",
                size=download.file.size,
                spans=lacking,
                buffer=buffer_bytes(psutil.virtual_memory().available),
                descriptor=descriptor,
            )
            self._converse(download, order)
        finally:
            os.close(descriptor)

    def _converse(self, download: Download, order: Order) -> None:
        self._scratch.mkdir(parents=True, exist_ok=True)
        child = subprocess.Popen(
            XET_PROGRAM,
            env=self._environ | _quiet(self._scratch),
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            stderr=subprocess.DEVNULL,  # it may show addresses that are signed
            pass_fds=(order.descriptor,),
            text=True,
            bufsize=1,
        )
        try:
            with self._changed:
                self._child = child
                if self._ended:
                    return
            with suppress(BrokenPipeError):
                _say(child, json.dumps(encode(order)))
                while (span := _heard(child)) is not None and not self._is_unwanted(download):
                    download.moved(download.file, download.partial.note_written(span))
                    self._judge()
                    _say(child, "on")
        finally:
            child.kill()
            child.wait()
            with self._changed:
                self._child = None

    def _is_unwanted(self, download: Download) -> bool:
        with self._changed:
            still = any(each.download is download for each in self._wanted.values())
            return self._ended or not still or not self._way.by_xet

    def _kill(self) -> None:
        if self._child is not None:
            self._child.kill()


def _go_plain(wanted: _Wanted) -> None:
    wanted.download.leave_elsewhere(False)
    for segment in segments_of(wanted.download, SEGMENT_BYTES):
        wanted.outside(segment)


def _lacking(download: Download) -> spans.Spans:
    return spans.missing(download.partial.there, download.file.size)


def _quiet(scratch: Path) -> dict[str, str]:
    """Return what keeps hf_xet from writing anywhere but into a directory of ours."""
    return {
        "HOME": str(scratch),
        "HF_XET_CACHE": str(scratch),
        "HF_XET_LOG_DEST": os.devnull,
        "HF_HUB_DISABLE_TELEMETRY": "1",
    }


def _say(child: subprocess.Popen[str], line: str) -> None:
    assert child.stdin is not None
    child.stdin.write(f"{line}\n")
    child.stdin.flush()


def _heard(child: subprocess.Popen[str]) -> spans.Span | None:
    """Wait for the next range that was written; None at the end, or where none comes."""
    assert child.stdout is not None
    if not select.select([child.stdout], [], [], STALL_SECONDS)[0]:
        return None
    start, _, end = child.stdout.readline().partition(" ")
    return (int(start), int(end)) if end else None
