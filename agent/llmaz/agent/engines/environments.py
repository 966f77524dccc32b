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
from pathlib import Path

from llmaz.agent.engines import backoff, requirements
from llmaz.agent.engines.env import INHERITED
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
_LAST_LINES = 30
# Where the index is, and how to get there. Nothing else of the agent's environment is for a build.
_CONFIGURATION = re.compile(
    r"(?i)(PIP|UV|XDG_CONFIG)_.*|LLMAZ_INSTALLER|(HTTPS?|NO|ALL)_PROXY|SSL_CERT_(FILE|DIR)|PATH"
)
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
                output = await self._install(directory, wanted)
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

    async def _install(self, directory: Path, wanted: Requirements) -> list[str] | None:
        """Run the installer; return its last lines when it failed."""
        logger.info("building the Python environment %s of %s", directory, ", ".join(wanted))
        environ = {
            name: value
            for name, value in self._environ.items()
            if name in INHERITED or _CONFIGURATION.fullmatch(name)
        }
        installer = await asyncio.create_subprocess_exec(
            *(sys.executable, "-m", "llmaz.agent.engines.building", str(directory), *wanted),
            stdin=asyncio.subprocess.DEVNULL,
            stdout=asyncio.subprocess.PIPE,
            stderr=asyncio.subprocess.STDOUT,
            env=environ,
        )
        lines: list[str] = []
        assert installer.stdout is not None
        try:
            while line := (await installer.stdout.readline()).decode(errors="replace"):
                lines = [*lines[-_LAST_LINES:], line.strip()]
                self._tell(wanted, line.strip())
            code = await installer.wait()
        finally:
            if installer.returncode is None:
                installer.kill()
        return lines if code != 0 else None

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
