"""What is run to make a Python environment: what it says, and that none of it is left behind."""

import asyncio
import os
import subprocess
import sys
from pathlib import Path

import pytest

from llmaz.agent.engines.install import install, lines
from support.shims import is_running, wait_until
from support.wheels import source

# A build that starts a process of another session, as daemons of compilers are, and never ends.
LINGERING = """
import os, pathlib, subprocess, sys, time
left = subprocess.Popen([sys.executable, "-c", "import time; time.sleep(3600)"],
                        start_new_session=True)
file = pathlib.Path(os.environ["HOME"], "pids")
file.with_suffix(".new").write_text(f"{os.getpid()} {left.pid}")
file.with_suffix(".new").rename(file)
time.sleep(3600)
"""
TALKING = """
print("x" * 300_000, flush=True)
raise SystemExit("error: metadata-generation-failed")
"""


@pytest.fixture
def environ(tmp_path: Path) -> dict[str, str]:
    links = {"PIP_NO_INDEX": "1", "PIP_FIND_LINKS": str(tmp_path / "sources")}
    chosen = {"LLMAZ_INSTALLER": "pip"}
    return {"PATH": os.environ["PATH"], "HOME": str(tmp_path), **links, **chosen}


def pids(home: Path) -> list[int]:
    file = home / "pids"
    return [int(word) for word in file.read_text().split()] if file.exists() else []


@pytest.mark.parametrize("installer", ["pip", "uv"])
async def test_nothing_of_a_cancelled_build_is_left(
    tmp_path: Path, environ: dict[str, str], installer: str
) -> None:
    environ["LLMAZ_INSTALLER"] = installer
    source(tmp_path / "sources", "lingering", LINGERING)
    made = tmp_path / "made"
    build = asyncio.create_task(install(made, ("lingering",), environ, lambda line: None))
    started = await asyncio.to_thread(wait_until, lambda: pids(tmp_path), "the build began")
    assert all(map(is_running, started))
    build.cancel()
    await asyncio.gather(build, return_exceptions=True)
    assert not any(map(is_running, started))


def test_nothing_of_a_killed_agents_build_is_left(tmp_path: Path, environ: dict[str, str]) -> None:
    source(tmp_path / "sources", "lingering", LINGERING)
    code = (
        "import asyncio, os, pathlib, sys; from llmaz.agent.engines.install import install;"
        "asyncio.run(install(pathlib.Path(sys.argv[1]), ('lingering',), os.environ, print))"
    )
    agent = subprocess.Popen([sys.executable, "-c", code, str(tmp_path / "made")], env=environ)
    try:
        started = wait_until(lambda: pids(tmp_path), "the build began")
    finally:
        agent.kill()
        agent.wait()
    wait_until(lambda: not any(map(is_running, started)), "the whole build is gone")


async def test_a_build_may_say_a_line_of_any_length(
    tmp_path: Path, environ: dict[str, str]
) -> None:
    source(tmp_path / "sources", "talking", TALKING)
    told: list[str] = []
    last = await install(tmp_path / "made", ("talking",), environ, told.append)
    assert last is not None
    assert any("metadata-generation-failed" in line for line in last)
    assert max(map(len, told)) <= 4096


async def test_an_index_is_told_without_its_password() -> None:
    stream = asyncio.StreamReader()
    stream.feed_data(b"Looking in indexes: https://me:secret@example.com/simple\nlast")
    stream.feed_eof()
    assert [line async for line in lines(stream)] == [
        "Looking in indexes: https://example.com/simple",
        "last",
    ]
