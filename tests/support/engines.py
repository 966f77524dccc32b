"""The agent's engines for tests: builders, and a loop that looks, decides and acts."""

import asyncio
import dataclasses
import json
import os
import subprocess
import sys
import time
import traceback
from collections.abc import Callable, Iterator, Mapping
from datetime import UTC, datetime
from pathlib import Path

from llmaz.agent.engines import Engines, Surroundings
from llmaz.agent.engines.blame import DeviceError
from llmaz.agent.engines.decide import decide_engines
from llmaz.agent.engines.errors import ReferenceNotFound
from llmaz.agent.engines.liveness import Patience
from llmaz.agent.engines.state import EngineAction
from llmaz.agent.engines.surroundings import Compiled
from llmaz.api.node import AssignedEngine, EnginePhase, EngineReport
from llmaz.shim import crash
from support.shims import FAKE_ENGINE, PATIENCE_SECONDS

TREE = ("--fork", "1", "--setsid", "1", "--double-fork", "1")  # an engine that is hard to end
MODEL_PATH = "/models/fake"
QUICK = Patience(drain_seconds=0.05, watch_seconds=0.05)


def assigned(name: str = "fake-0", *switches: str, **fields: object) -> AssignedEngine:
    """Return an assignment of a fake engine with some switches."""
    engine = AssignedEngine(
        id=f"default/{name}",
        service=name.rpartition("-")[0] or name,
        model="fake",
        main_model="fake",
        command=(sys.executable, "-I", FAKE_ENGINE),
        args=("--port", "$(LLMAZ_PORT)", *switches),
        termination_grace_period_seconds=10,
    )
    return dataclasses.replace(engine, **fields)  # type: ignore[arg-type]  # as replace itself


def engine_log(state_dir: Path) -> str:
    """Return what the engine of `assigned()` has said."""
    return (state_dir / "engines" / "default_fake-0" / "engine.log").read_text()


class Values:
    """Secrets and ConfigMaps by namespace and name."""

    def __init__(self, values: Mapping[str, Mapping[str, str]]) -> None:
        self._values = values

    async def get_secret(self, namespace: str, name: str) -> Mapping[str, str]:
        if f"{namespace}/{name}" not in self._values:
            raise ReferenceNotFound(f"{namespace}/{name}: not found")
        return self._values[f"{namespace}/{name}"]

    async def get_config_map(self, namespace: str, name: str) -> Mapping[str, str]:
        return await self.get_secret(namespace, name)


def engines(
    state_dir: Path,
    *,
    patience: Patience = QUICK,
    values: Mapping[str, Mapping[str, str]] | None = None,
    environ: Mapping[str, str] | None = None,
    device_errors: Mapping[str, tuple[DeviceError, ...]] | None = None,
    compiled: Compiled | None = None,
) -> Engines:
    surroundings = Surroundings(
        environ=dict(os.environ) if environ is None else environ,
        lookup=Values(values or {}),
        compiled=compiled,
    )
    return Engines(
        state_dir,
        surroundings,
        changed=asyncio.Event(),
        patience=patience,
        device_errors=lambda: device_errors or {},
    )


class Node:
    """Keeps the engines of one agent as they are assigned, and remembers what it did."""

    def __init__(self, under: Engines) -> None:
        self._engines = under
        self.assigned: tuple[AssignedEngine, ...] | None = ()
        self.actions: list[EngineAction] = []
        self.reports: dict[str, EngineReport] = {}
        self.history: list[tuple[float, str, EnginePhase]] = []
        self._held: datetime | None = None  # the time at which the clock stands

    async def step(self) -> float | None:
        self._engines.changed.clear()
        seen = await self._engines.observe()
        plan = decide_engines(
            self.assigned,
            seen,
            {"fake": MODEL_PATH},
            self._held or datetime.now(UTC),
            environments=self._engines.environments(),
            slots=self._engines.slots(self.assigned or ()),
        )
        now = time.monotonic()
        for report in plan.reports:
            former = self.reports.get(report.id)
            if former is None or former.phase is not report.phase:
                self.history.append((now, report.id, report.phase))
        self.reports = {report.id: report for report in plan.reports}
        self.actions += plan.actions
        await asyncio.gather(*(self._engines.perform(action) for action in plan.actions))
        return plan.look_again_in

    async def until(self, condition: Callable[[], bool], what: str) -> None:
        """Look, decide and act until a condition holds."""
        deadline = time.monotonic() + PATIENCE_SECONDS
        while time.monotonic() < deadline:
            wait = await self.step()
            if condition():
                return
            try:
                async with asyncio.timeout(min(0.2, wait if wait is not None else 0.2)):
                    await self._engines.changed.wait()
            except TimeoutError:
                continue
        raise AssertionError(f"it never came true that {what}: {self.reports}")

    async def until_phase(self, phase: EnginePhase, *ids: str) -> EngineReport:
        """Wait until engines are in a phase; return the first one's report.

        A back-off may be shorter than a slow machine takes to look: the clock stands meanwhile.
        """
        wanted = ids or ("default/fake-0",)
        self._held = datetime.now(UTC) if phase is EnginePhase.BACKOFF else None
        await self.until(
            lambda: all(i in self.reports and self.reports[i].phase is phase for i in wanted),
            f"{wanted} are {phase}",
        )
        self._held = None
        return self.reports[wanted[0]]

    async def until_gone(self) -> None:
        await self.until(lambda: not self.reports, "no engine is left")


class Deaths(Mapping[str, str]):
    """An environment in which each program that asks where to die is told the next place.

    The agent asks first, then each shim that it starts. Who is told nothing lives on.
    """

    def __init__(self, *places: str) -> None:
        self._places = list(places)
        self._environ = dict(os.environ)

    def __getitem__(self, name: str) -> str:
        if name == crash.VARIABLE:
            return self._places.pop(0) if self._places else ""
        return self._environ[name]

    def __iter__(self) -> Iterator[str]:
        return iter(self._environ)

    def __len__(self) -> int:
        return len(self._environ)


async def live_once(state_dir: Path, *places: str) -> None:
    """Bring an engine to ready and away again: a life with every effect in it."""
    async with engines(state_dir, environ=Deaths(*places)) as under:
        node = Node(under)
        node.assigned = (hard_to_end(state_dir),)
        await node.until_phase(EnginePhase.READY)
        node.assigned = ()
        await node.until_gone()


def hard_to_end(state_dir: Path) -> AssignedEngine:
    """Return an engine with descendants everywhere, which tells who they are."""
    return assigned("fake-0", *TREE, "--pids-file", str(state_dir / "pids"))


async def live_on(state_dir: Path) -> None:
    """Keep an engine ready until this process is killed."""
    async with engines(state_dir) as under:
        node = Node(under)
        node.assigned = (assigned(),)
        await node.until_phase(EnginePhase.READY)
        (state_dir / "ready").touch()
        await asyncio.Event().wait()


def live_again_and_again() -> None:
    """Live once for each line of the input, in a process of its own; say how each ended.

    Such a process is forked off ready-made: to start it anew would take ten times as long.
    """
    for line in sys.stdin:
        state_dir, *places = json.loads(line)
        life = os.fork()
        if life == 0:
            code = 1
            try:
                asyncio.run(live_once(Path(state_dir), *places))
                code = 0
            except BaseException:  # whatever it is, this process never goes on as the other one
                traceback.print_exc()
            finally:
                os._exit(code)
        _, status = os.waitpid(life, 0)
        sys.stdout.write(f"{os.waitstatus_to_exitcode(status)}\n")
        sys.stdout.flush()


class Lives:
    """Lives of agents, one after the other, each in a process that may be killed."""

    def __init__(self) -> None:
        self._process = subprocess.Popen(
            (sys.executable, "-m", "support.engines", "serve"),
            env={**os.environ, "PYTHONPATH": str(Path(__file__).parents[1])},
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            text=True,
        )

    def live(self, state_dir: Path, *places: str) -> int:
        """Live once and return the exit code, or the negative number of the signal."""
        assert self._process.stdin is not None
        assert self._process.stdout is not None
        self._process.stdin.write(json.dumps([str(state_dir), *places]) + "\n")
        self._process.stdin.flush()
        return int(self._process.stdout.readline())

    def end(self) -> None:
        self._process.communicate()


if __name__ == "__main__":
    if sys.argv[1] == "serve":
        live_again_and_again()
    else:
        asyncio.run(live_on(Path(sys.argv[2])))
