"""What the agent keeps of an engine on disk, so that the next agent can go on as if it were this.

No variable's value from a Secret is in it: an assignment only names the Secret.
"""

import contextlib
import errno
import json
import logging
import os
import re
import shutil
from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import datetime
from pathlib import Path

from llmaz.agent.engines.errors import EngineError
from llmaz.agent.engines.state import Fault
from llmaz.api.manifest import UnknownFieldError, decode, encode
from llmaz.api.node import AssignedEngine
from llmaz.api.sleep import SleepCalls
from llmaz.shim.crash import Effects

logger = logging.getLogger(__name__)

FILE = "engine.json"
FORMER = "engine.json.former"  # the one before, for when a disk has spoiled the other
_ID = re.compile(r"[a-z0-9]([-a-z0-9.]*[a-z0-9])?/[a-z0-9]([-a-z0-9.]*[a-z0-9])?")


@dataclass(frozen=True, slots=True, kw_only=True)
class Stopping:
    """A stop under way, so that the next agent goes on with it."""

    since: datetime
    reason: str
    fault: Fault | None = None  # it is stopped for not being alive, which counts as a failure
    drained: bool = False  # no request runs that could be waited for: it hangs, or never was ready
    within: float | None = None  # seconds; shortens the engine's own grace


@dataclass(frozen=True, slots=True, kw_only=True)
class EngineRecord:
    """One engine's record."""

    assignment: AssignedEngine
    fingerprint: str
    model_path: str = ""
    draft_model_path: str = ""
    programs: str = ""  # where those of its Python environment lie
    port: int | None = None
    runs_counted: int = 0  # the shim's run whose end is in `failures`
    failures: int = 0
    restarted: Mapping[str, int] = field(default_factory=dict)  # by the reason of the end before
    fault: Fault | None = None  # of the last end
    ended_at: datetime | None = None
    ready_run: int = 0  # the shim's run that became ready, at `ready_at`
    ready_at: datetime | None = None
    stopping: Stopping | None = None
    asleep: SleepCalls | None = None  # how it was told to sleep, before it was


def directory_of(root: Path, engine_id: str) -> Path:
    """Return where an engine's files are; its id is part of a path, so it has to be well-formed."""
    if not _ID.fullmatch(engine_id):
        raise EngineError(f"{engine_id!r} is not an engine's id, which is <namespace>/<name>")
    return root / engine_id.replace("/", "_")  # no name in Kubernetes has an underscore


def id_of(directory: Path) -> str:
    """Return the id of the engine whose files are in a directory."""
    return directory.name.replace("_", "/", 1)


def read(directory: Path) -> EngineRecord | None:
    """Return a directory's record; None where there is none that can be read.

    One that is spoiled is no reason to end an engine: the one before it names the same engine, and
    what is missing in it the shim and the engine tell again.
    """
    for name in (FILE, FORMER):
        try:
            return _read(directory / name)
        except (FileNotFoundError, NotADirectoryError):
            return None
        except (OSError, ValueError) as error:
            if isinstance(error, OSError) and error.errno != errno.EIO:
                raise  # such as too many open files, which says nothing of the record
            logger.error("%s: %s can't be read: %s", directory, name, error)  # known
    return None


def _read(file: Path) -> EngineRecord:
    """Read a record; fields of a newer agent are passed over: to go back to an older ends none."""
    kept = json.loads(file.read_bytes())
    while True:
        try:
            return decode(EngineRecord, kept)
        except UnknownFieldError as error:
            _drop(kept, re.findall(r"[^.\[\]]+", error.path))  # assignment.env[0].name


def _drop(value: object, way: list[str]) -> None:
    """Remove what `way` leads to."""
    match value:
        case dict() if len(way) == 1:
            del value[way[0]]
        case dict():
            _drop(value[way[0]], way[1:])
        case list():
            _drop(value[int(way[0])], way[1:])


def write(directory: Path, record: EngineRecord, effects: Effects) -> None:
    """Replace a directory's record, all of it or not at all."""
    effects.announce("write the record")
    beside = directory / f"{FILE}.new"
    with beside.open("wb") as file:
        file.write(json.dumps(encode(record)).encode())
        file.flush()
        os.fsync(file.fileno())
    effects.announce("rename the record")
    _set_aside(directory)
    beside.rename(directory / FILE)


def _set_aside(directory: Path) -> None:
    """Give the record that is about to be replaced a second name, where the disk knows such."""
    with contextlib.suppress(OSError):  # then a spoiled record costs a restart
        (directory / FORMER).unlink(missing_ok=True)
        os.link(directory / FILE, directory / FORMER)


class Book:
    """One engine's record, in memory and on disk."""

    def __init__(self, directory: Path, record: EngineRecord, effects: Effects) -> None:
        self.record = record
        self._directory = directory
        self._effects = effects

    def open(self, record: EngineRecord) -> None:
        """Write the record of a run that is about to begin: without one it does not."""
        self.record = record
        write(self._directory, record, self._effects)

    def keep(self, record: EngineRecord) -> None:
        """Write what has happened; a full disk costs what the shim's journal can tell again."""
        former, self.record = self.record, record
        try:
            if record != former:
                write(self._directory, record, self._effects)
        except OSError as error:
            logger.error("engine %s: its record: %s", record.assignment.id, error)  # known

    def remove(self) -> None:
        """Remove the engine's files."""
        remove(self._directory, self._effects)


def remove(directory: Path, effects: Effects) -> None:
    """Remove an engine's files, its record first: without one the rest is only rubbish to clear."""
    effects.announce("remove the record")
    (directory / FILE).unlink(missing_ok=True)
    effects.announce("remove the directory")
    shutil.rmtree(directory, ignore_errors=True)
