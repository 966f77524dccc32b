"""Python environments of engines: built once on a node from what a runtime requires, and shared.

A directory is named after what is in it. It can't be built beside and renamed, as its scripts name
their interpreter by its path: see shelf.py for what counts as built.
"""

import asyncio
import hashlib
import logging
import os
import re
import shutil
import sys
import time
from collections.abc import Callable, Collection, Mapping
from datetime import UTC, datetime, timedelta
from functools import partial
from pathlib import Path

from llmaz.agent.engines import backoff
from llmaz.agent.engines.install import install
from llmaz.agent.engines.shelf import Shelf
from llmaz.agent.engines.state import (
    Environment,
    EnvironmentBuilding,
    EnvironmentFailed,
    EnvironmentReady,
    Fault,
)
from llmaz.agent.engines.tasks import Tasks

logger = logging.getLogger(__name__)

Requirements = tuple[str, ...]

_TOLD_SECONDS = 2.0  # between two tellings of a build's progress
# The first that any line tells of: without an index an installer ends by saying it found nothing.
_FAULTS = (
    ("NoSpace", r"No space left on device"),
    (
        "IndexUnreachable",
        r"Max retries|NewConnectionError|[Nn]ame resolution|error sending request",
    ),
    ("RequirementNotFound", r"No matching distribution found|no version of|was not found in the"),
    (
        "RequirementsConflict",
        r"ResolutionImpossible|conflicting dependencies|are incompatible|are unsatisfiable",
    ),
    ("WheelBuildFailed", r"metadata-generation-failed|Failed (to build|building wheel)"),
)


class Environments:
    """The environments below one directory."""

    def __init__(
        self,
        root: Path,
        *,
        environ: Mapping[str, str],
        in_use: Callable[[], Collection[Requirements]],
        changed: asyncio.Event,
        quota: int | None = None,
    ) -> None:
        self._shelf = Shelf(root, quota)
        self._environ = environ
        self._in_use = in_use
        self._changed = changed
        self._tasks = Tasks("Python environments")
        self._seen: dict[Requirements, Environment] = {}
        self._failures: dict[Requirements, int] = {}
        self._told_at = 0.0

    def seen(self) -> Mapping[Requirements, Environment]:
        """Return those that were asked for since the agent started."""
        return dict(self._seen)

    def build(self, wanted: Requirements) -> None:
        """Begin to have an environment, unless that is under way."""
        if not isinstance(self._seen.get(wanted), EnvironmentBuilding):
            self._show(wanted, EnvironmentBuilding())
            self._tasks.begin(self._build(wanted))

    async def aclose(self) -> None:
        """End the builds that are under way; the next agent begins them anew."""
        await self._tasks.cancel()

    async def _build(self, wanted: Requirements) -> None:
        from llmaz.agent.engines import requirements  # noqa: PLC0415  # for few nodes, and a MiB

        wrong = requirements.invalid(wanted)
        if wrong is not None:
            self._fail(wanted, Fault(reason="InvalidRequirement", message=wrong, permanent=True))
            return
        try:
            if await asyncio.to_thread(requirements.are_met, wanted):
                self._show(wanted, EnvironmentReady(programs=""))
                return
            name = _key(wanted)
            if not await asyncio.to_thread(self._shelf.has, name):
                await self._remove(self._shelf.make_room)
                directory = self._shelf.directory(name)
                output = await install(
                    directory, wanted, self._environ, partial(self._tell, wanted)
                )
                if output is not None:  # what it left counts against no quota
                    await asyncio.to_thread(shutil.rmtree, directory, ignore_errors=True)
                    self._fail(wanted, classify(wanted, output))
                    return
                await asyncio.to_thread(self._shelf.add, name, wanted)
                await self._remove(self._shelf.keep_to_quota)
        except OSError as error:
            self._fail(wanted, Fault(reason="EnvironmentFailed", message=str(error)))
            return
        self._failures.pop(wanted, None)
        self._show(wanted, EnvironmentReady(programs=str(self._shelf.directory(name) / "bin")))

    def _tell(self, wanted: Requirements, line: str) -> None:
        now = time.monotonic()
        if line and now - self._told_at >= _TOLD_SECONDS:
            self._told_at = now
            self._show(wanted, EnvironmentBuilding(progress=line[:120]))

    def _fail(self, wanted: Requirements, fault: Fault) -> None:
        failures = self._failures[wanted] = self._failures.get(wanted, 0) + 1
        wait = timedelta(seconds=backoff.delay(_key(wanted), failures))
        self._show(wanted, EnvironmentFailed(fault=fault, retry_at=datetime.now(UTC) + wait))

    def _show(self, wanted: Requirements, state: Environment) -> None:
        self._seen[wanted] = state
        self._changed.set()

    async def _remove(self, surplus: Callable[[Collection[str]], frozenset[str]]) -> None:
        """Have the shelf remove what it may; what went has to be asked for again."""
        building = {w for w, state in self._seen.items() if isinstance(state, EnvironmentBuilding)}
        keep = {_key(wanted) for wanted in (*self._in_use(), *building)}
        gone = await asyncio.to_thread(surplus, keep)
        for wanted in [w for w in self._seen if _key(w) in gone]:
            del self._seen[wanted]


def classify(wanted: Requirements, output: list[str]) -> Fault:
    """Say why a build failed, with the line that tells it."""
    reason, told = next(
        ((r, line) for r, words in _FAULTS for line in reversed(output) if re.search(words, line)),
        ("EnvironmentFailed", " | ".join(output[-3:]) or "without a word"),
    )
    said = told.removeprefix("ERROR: ").strip()[:300]
    return Fault(reason=reason, message=f"Python environment of {', '.join(wanted)}: {said}")


def _key(wanted: Requirements) -> str:
    """Name an environment after its requirements and the interpreter that it is made from."""
    text = "\n".join((sys.version, os.path.realpath(sys.executable), *sorted(wanted)))
    return hashlib.sha256(text.encode()).hexdigest()[:16]
