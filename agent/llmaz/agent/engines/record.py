"""What the agent keeps of an engine on disk, so that the next agent can go on as if it were this.

No variable's value from a Secret is in it: an assignment only names the Secret.
"""

import json
import os
import re
import shutil
from dataclasses import dataclass
from datetime import datetime
from pathlib import Path

from llmaz.agent.engines.errors import EngineError
from llmaz.agent.engines.state import Fault
from llmaz.api.manifest import ManifestError, decode, encode
from llmaz.api.node import AssignedEngine
from llmaz.shim.crash import Effects

FILE = "engine.json"
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
    port: int | None = None
    runs_counted: int = 0  # the shim's run whose end is in `failures`
    failures: int = 0
    restarts: int = 0
    fault: Fault | None = None  # of the last end
    ended_at: datetime | None = None
    ready_run: int = 0  # the shim's run that became ready, at `ready_at`
    ready_at: datetime | None = None
    stopping: Stopping | None = None


def directory_of(root: Path, engine_id: str) -> Path:
    """Return where an engine's files are; its id is part of a path, so it has to be well-formed."""
    if not _ID.fullmatch(engine_id):
        raise EngineError(f"{engine_id!r} is not an engine's id, which is <namespace>/<name>")
    return root / engine_id.replace("/", "_")  # no name in Kubernetes has an underscore


def read(directory: Path) -> EngineRecord | None:
    """Return a directory's record; None where there is none that can be read."""
    try:
        return decode(EngineRecord, json.loads((directory / FILE).read_bytes()))
    except (FileNotFoundError, NotADirectoryError, ValueError, ManifestError):
        return None


def write(directory: Path, record: EngineRecord, effects: Effects) -> None:
    """Replace a directory's record, all of it or not at all."""
    effects.announce("write the record")
    beside = directory / f"{FILE}.new"
    with beside.open("wb") as file:
        file.write(json.dumps(encode(record)).encode())
        file.flush()
        os.fsync(file.fileno())
    effects.announce("rename the record")
    beside.rename(directory / FILE)


def remove(directory: Path, effects: Effects) -> None:
    """Remove an engine's files, its record first: without one the rest is only rubbish to clear."""
    effects.announce("remove the record")
    (directory / FILE).unlink(missing_ok=True)
    effects.announce("remove the directory")
    shutil.rmtree(directory, ignore_errors=True)
