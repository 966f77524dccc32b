"""Work on a cache that dies, or is refused by the disk, at a chosen one of its effects.

What a program changes on the disk is counted, whether it is a name or bytes, and the count that was
asked for is its last one, or fails with an error. Names are told by the interpreter itself (its
audit events); bytes pass through functions of `os` of which nothing tells, so that here, in a
process of its own, others stand in for them.
"""

import errno
import json
import os
import subprocess
import sys
import threading
import traceback
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from llmaz.agent.cache import marks
from llmaz.agent.cache.failures import explained
from llmaz.agent.cache.fetch import fetch
from llmaz.agent.cache.limits import Limits
from llmaz.agent.cache.origin import HubRepository
from llmaz.agent.cache.outcome import Fetched
from llmaz.agent.cache.request import FetchRequest, Room
from llmaz.agent.cache.room import make_room
from llmaz.agent.cache.scrub import scrub
from llmaz.shim import crash

REPOSITORY = "acme/tiny"
KEY = "0123456789abcdef"  # under which a fetch is remembered
_NAMES = ("rename", "link", "symlink", "remove", "mkdir", "rmdir", "truncate", "chmod", "utime")
_BYTES = ("write", "pwrite", "fsync", "fdatasync", "posix_fallocate", "ftruncate", "fchmod")
_CHANGES = os.O_CREAT | os.O_TRUNC


@dataclass(frozen=True, slots=True, kw_only=True)
class Ended:
    """How the work went: the exit code, or the signal's negative number, and what it did."""

    code: int
    effects: int = 0
    outcome: str = ""  # empty: as it should


class Works:
    """Forks off a process for each piece of work: to start it anew would take ten times as long."""

    def __init__(self, hub_url: str = "") -> None:
        self._process = subprocess.Popen(
            (sys.executable, "-m", "support.disks"),
            env={
                **os.environ,
                "PYTHONPATH": str(Path(__file__).parents[1]),
                "HF_ENDPOINT": hub_url,
            },
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            text=True,
        )

    def do(
        self,
        work: str,
        cache_dir: Path,
        *,
        die_at: int = 0,
        refuse_at: int = 0,
        error: int = errno.ENOSPC,
        sync_at: int = 0,
        need: int = 0,
        quota: int | None = None,
    ) -> Ended:
        """Fetch, evict or scrub, and die or be refused at an effect, the first of which is 1.

        What came before the effect `sync_at` is flushed there, as a kernel does when it likes to.
        """
        asked = {
            "work": work,
            "dir": str(cache_dir),
            "die_at": die_at,
            "refuse_at": refuse_at,
            "error": error,
            "sync_at": sync_at,
            "need": need,
            "quota": quota,
        }
        assert self._process.stdin is not None
        assert self._process.stdout is not None
        self._process.stdin.write(json.dumps(asked) + "\n")
        self._process.stdin.flush()
        return Ended(**json.loads(self._process.stdout.readline()))

    def end(self) -> None:
        self._process.communicate()


class _Disk:
    """Counts what changes the disk; several threads do."""

    def __init__(self, asked: dict[str, Any]) -> None:
        self._deaths = crash.Effects("cache", f"cache:{asked['die_at']}")
        self._refuse_at, self._error = asked["refuse_at"], asked["error"]
        self._sync_at = asked["sync_at"]
        self._lock = threading.RLock()
        self.count = 0

    def stand_in(self) -> None:
        """Be told of every change from now on."""
        for name in _BYTES:
            setattr(os, name, self._told(name, getattr(os, name)))
        sys.addaudithook(self._hear)

    def _hear(self, event: str, arguments: tuple[Any, ...]) -> None:
        kind, _, name = event.partition(".")
        if event == "open":
            path, mode, flags = arguments
            named = isinstance(path, str) and not path.startswith("/dev/")
            if named and isinstance(flags, int) and flags & _CHANGES:
                self._comes(f"open {path} {mode or ''}")
        elif kind == "os" and name in _NAMES:
            self._comes(f"{name} {arguments[0]}")

    def _told(self, name: str, real: Callable[..., object]) -> Callable[..., object]:
        def told(descriptor: int, *arguments: object) -> object:
            if descriptor > 2:  # what is said is no effect on the disk
                self._comes(f"{name} {descriptor}")
            return real(descriptor, *arguments)

        return told

    def _comes(self, effect: str) -> None:
        with self._lock:
            self.count += 1
            if self.count == self._refuse_at:
                raise OSError(self._error, os.strerror(self._error))
            if self.count == self._sync_at:
                os.sync()
            self._deaths.announce(effect)


def _fetch(asked: dict[str, Any]) -> str:
    cache_dir = Path(asked["dir"])
    origin = HubRepository(repository=REPOSITORY, revision="main")
    request = FetchRequest(origin=origin, cache_dir=str(cache_dir))
    outcome = fetch(request, os.environ, lambda _: None, lambda _: Room())
    if not isinstance(outcome, Fetched):
        return f"{outcome.reason}: {outcome.message}"
    try:
        marks.remember(cache_dir, KEY, outcome)
    except OSError as error:  # of the agent's own last step, which it tells as it does a fetch's
        failed = explained(error, KEY)
        return f"{failed.reason}: {failed.message}"
    return ""


def _evict(asked: dict[str, Any]) -> str:
    limits = Limits(quota=asked["quota"], reserve=0)
    return make_room(Path(asked["dir"]), need=asked["need"], keep=(), limits=limits)[1] or ""


def _scrub(asked: dict[str, Any]) -> str:
    found = scrub(Path(asked["dir"]))
    return "\n".join(checked.problem for checked in found if checked.problem is not None)


def _work(asked: dict[str, Any], tell: int) -> None:
    disk = _Disk(asked)
    disk.stand_in()
    works = {"fetch": _fetch, "evict": _evict, "scrub": _scrub}
    try:
        outcome = works[asked["work"]](asked)
    except OSError as error:
        outcome = f"OSError: {error}"
    with os.fdopen(tell, "w") as pipe:
        pipe.write(json.dumps({"effects": disk.count, "outcome": outcome}))


def main() -> None:
    """Do a piece of work for each line of the input, and say how it ended."""
    for line in sys.stdin:
        hear, tell = os.pipe()
        child = os.fork()
        if child == 0:
            code = 1
            try:
                os.close(hear)
                _work(json.loads(line), tell)
                code = 0
            except BaseException:  # whatever it is, this process never goes on as the other one
                traceback.print_exc()
            finally:
                os._exit(code)
        os.close(tell)
        with os.fdopen(hear) as pipe:
            said = json.loads(pipe.read() or "{}")
        _, status = os.waitpid(child, 0)
        sys.stdout.write(json.dumps({"code": os.waitstatus_to_exitcode(status), **said}) + "\n")
        sys.stdout.flush()


if __name__ == "__main__":
    main()
