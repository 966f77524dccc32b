"""Python environments of engines, built with a real installer from wheels of the test."""

import asyncio
import os
import subprocess
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path

import pytest

from llmaz.agent.engines.environments import Environments, classify
from llmaz.agent.engines.state import (
    Environment,
    EnvironmentBuilding,
    EnvironmentFailed,
    EnvironmentReady,
)
from llmaz.api.node import EnginePhase
from support.engines import Node, assigned, engines
from support.wheels import wheel

WANTED = ("tinyengine>=1",)


@pytest.fixture(params=["pip", "uv"])
def environ(tmp_path: Path, request: pytest.FixtureRequest) -> dict[str, str]:
    """Variables by which installers find the wheels of the test and nothing else.

    They are pip's alone: uv is to be told of them by the agent.
    """
    wheel(tmp_path / "wheels", "tinyengine")
    links = {"PIP_NO_INDEX": "1", "PIP_FIND_LINKS": str(tmp_path / "wheels")}
    chosen = {"LLMAZ_INSTALLER": str(request.param)}
    return {"PATH": os.environ["PATH"], "HOME": str(tmp_path), **links, **chosen}


class Site:
    """Environments, and the way to wait for one."""

    def __init__(self, root: Path, environ: dict[str, str], quota: int | None) -> None:
        self.changed = asyncio.Event()
        self.in_use: set[tuple[str, ...]] = set()
        self.environments = Environments(
            root, environ=environ, in_use=lambda: self.in_use, changed=self.changed, quota=quota
        )

    async def built(self, wanted: tuple[str, ...]) -> Environment:
        self.environments.build(wanted)
        async with asyncio.timeout(180):
            while isinstance(state := self.environments.seen()[wanted], EnvironmentBuilding):
                self.changed.clear()
                await self.changed.wait()
        return state


@asynccontextmanager
async def site(
    root: Path, environ: dict[str, str], quota: int | None = None
) -> AsyncIterator[Site]:
    made = Site(root, environ, quota)
    try:
        yield made
    finally:
        await made.environments.aclose()


async def test_an_environment_is_built_once_and_shared(
    tmp_path: Path, environ: dict[str, str]
) -> None:
    root = tmp_path / "environments"
    async with site(root, environ) as made:
        both = await asyncio.gather(made.built(WANTED), made.built(WANTED))
    assert both[0] == both[1]
    assert isinstance(both[0], EnvironmentReady)
    program = Path(both[0].programs) / "tinyengine"
    assert subprocess.check_output([program], text=True) == "tinyengine 1.0 runs\n"
    (directory,) = root.iterdir()
    assert not (directory / "tmp").exists()
    inode = (directory / "pyvenv.cfg").stat().st_ino
    async with site(root, environ) as another:  # the next agent finds it
        assert await another.built(WANTED) == both[0]
    assert (directory / "pyvenv.cfg").stat().st_ino == inode


async def test_what_a_killed_agent_left_half_built_is_built_anew(
    tmp_path: Path, environ: dict[str, str]
) -> None:
    root = tmp_path / "environments"
    async with site(root, environ) as made:
        made.environments.build(WANTED)
        async with asyncio.timeout(180):
            while not list(root.glob("*/pyvenv.cfg")):
                await asyncio.sleep(0.01)
    (directory,) = root.iterdir()
    (directory / "rubbish").touch()
    async with site(root, environ) as made:
        assert await made.built(WANTED) == EnvironmentReady(programs=str(directory / "bin"))
    assert not (directory / "rubbish").exists()


async def test_what_the_agent_brings_itself_is_not_built(
    tmp_path: Path, environ: dict[str, str]
) -> None:
    async with site(tmp_path / "environments", environ) as made:
        assert await made.built(("aiohttp", "llmaz")) == EnvironmentReady(programs="")
    assert not (tmp_path / "environments").exists()


async def test_an_environment_that_cannot_be_built_says_why_and_when_it_is_tried_again(
    tmp_path: Path, environ: dict[str, str]
) -> None:
    async with site(tmp_path / "environments", environ) as made:
        state = await made.built(("no-such-engine==9",))
        wrong = await made.built(("--pre",))
    assert isinstance(state, EnvironmentFailed)
    assert state.fault.reason == "RequirementNotFound"
    assert state.fault.message.startswith("Python environment of no-such-engine==9: ")
    assert not any((tmp_path / "environments").iterdir())
    assert isinstance(wrong, EnvironmentFailed)
    assert (wrong.fault.reason, wrong.fault.permanent) == ("InvalidRequirement", True)


async def test_what_is_over_the_quota_goes_and_is_built_anew_when_it_is_wanted(
    tmp_path: Path, environ: dict[str, str]
) -> None:
    root = tmp_path / "environments"
    others = [(f"tinyengine>={version}",) for version in ("0.1", "0.2", "0.3")]
    async with site(root, environ, quota=1) as made:
        made.in_use = {others[0]}
        for wanted in others:
            assert isinstance(await made.built(wanted), EnvironmentReady)
        assert others[0] in made.environments.seen()
        assert others[1] not in made.environments.seen()  # it is to be asked for again
        assert isinstance(await made.built(others[1]), EnvironmentReady)
    assert len(list(root.iterdir())) == 2  # the one in use, and the one that was just built


@pytest.mark.parametrize(
    ("line", "reason"),
    [
        ("ERROR: [Errno 28] No space left on device", "NoSpace"),
        ("ERROR: ResolutionImpossible: for help visit", "RequirementsConflict"),
        ("WARNING: Retrying: Max retries exceeded with url: /simple/vllm/", "IndexUnreachable"),
        ("error: metadata-generation-failed", "WheelBuildFailed"),
        ("we can conclude that your requirements are unsatisfiable.", "RequirementsConflict"),
        ("Killed", "EnvironmentFailed"),
    ],
)
def test_a_failed_build_is_classified(line: str, reason: str) -> None:
    assert classify(("vllm",), ["Collecting vllm", line]).reason == reason


def test_an_index_that_cannot_be_reached_is_why_nothing_was_found() -> None:
    lines = ["WARNING: Max retries exceeded", "ERROR: No matching distribution found for vllm"]
    assert classify(("vllm",), lines).reason == "IndexUnreachable"


async def test_an_engine_runs_the_program_that_its_requirements_bring(
    state_dir: Path, environ: dict[str, str]
) -> None:
    async with engines(state_dir, environ=environ) as under:
        node = Node(under)
        node.assigned = (assigned(command=("tinyengine",), args=(), requirements=WANTED),)
        told: set[str] = set()

        def ended() -> bool:
            report = node.reports["default/fake-0"]
            told.add(report.message.partition(":")[0])
            return report.phase is EnginePhase.BACKOFF

        await node.until(ended, "the program has run and ended")
        report = node.reports["default/fake-0"]
    assert "waits for a Python environment with tinyengine>=1" in told
    assert report.reason == "Completed"
    assert "tinyengine 1.0 runs" in report.message
