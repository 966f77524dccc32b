"""The agent's engines for tests: builders, and a loop that looks, decides and acts."""

import asyncio
import dataclasses
import os
import sys
import time
from collections.abc import Callable, Mapping
from datetime import UTC, datetime
from pathlib import Path

from llmaz.agent.engines import Engines
from llmaz.agent.engines.decide import decide_engines
from llmaz.agent.engines.errors import ReferenceNotFound
from llmaz.agent.engines.liveness import Patience
from llmaz.agent.engines.state import EngineAction
from llmaz.api.node import AssignedEngine, EnginePhase, EngineReport
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
) -> Engines:
    return Engines(
        state_dir,
        environ=dict(os.environ) if environ is None else environ,
        lookup=Values(values or {}),
        changed=asyncio.Event(),
        patience=patience,
    )


class Node:
    """Keeps the engines of one agent as they are assigned, and remembers what it did."""

    def __init__(self, under: Engines) -> None:
        self._engines = under
        self.assigned: tuple[AssignedEngine, ...] | None = ()
        self.actions: list[EngineAction] = []
        self.reports: dict[str, EngineReport] = {}
        self.history: list[tuple[float, str, EnginePhase]] = []

    async def step(self) -> float | None:
        self._engines.changed.clear()
        seen = await self._engines.observe()
        plan = decide_engines(
            self.assigned,
            seen,
            {"fake": MODEL_PATH},
            datetime.now(UTC),
            environments=self._engines.environments(),
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
        """Wait until engines are in a phase; return the first one's report."""
        wanted = ids or ("default/fake-0",)
        await self.until(
            lambda: all(i in self.reports and self.reports[i].phase is phase for i in wanted),
            f"{wanted} are {phase}",
        )
        return self.reports[wanted[0]]

    async def until_gone(self) -> None:
        await self.until(lambda: not self.reports, "no engine is left")


async def live_once(state_dir: Path) -> None:
    """Bring an engine to ready and away again: a life with every effect in it."""
    async with engines(state_dir) as under:
        node = Node(under)
        node.assigned = (assigned("fake-0", *TREE, "--pids-file", str(state_dir / "pids")),)
        await node.until_phase(EnginePhase.READY)
        node.assigned = ()
        await node.until_gone()


async def live_on(state_dir: Path) -> None:
    """Keep an engine ready until this process is killed."""
    async with engines(state_dir) as under:
        node = Node(under)
        node.assigned = (assigned(),)
        await node.until_phase(EnginePhase.READY)
        (state_dir / "ready").touch()
        await asyncio.Event().wait()


if __name__ == "__main__":
    asyncio.run({"once": live_once, "on": live_on}[sys.argv[1]](Path(sys.argv[2])))
