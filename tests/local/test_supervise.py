"""Real children: they are started again, and they end with their parent."""

import asyncio
import sys
from collections.abc import Callable
from pathlib import Path

from llmaz.local.programs import Program
from llmaz.local.supervise import Supervised
from llmaz.local.wait import until

LIVES_ON_ITS_LIFELINE = "import sys; print('up', flush=True); sys.stdin.read(); print('down')"


def program(code: str) -> Program:
    return Program(name="child", argv=(sys.executable, "-c", code), readiness="")


async def holds(is_so: Callable[[], bool]) -> None:
    async def ask() -> bool:
        return is_so()

    await until(ask, within_seconds=120)


async def test_a_program_that_ends_is_started_again_and_its_last_words_are_told(
    tmp_path: Path,
) -> None:
    said: list[str] = []
    child = Supervised(program("import sys; sys.exit('no disk')"), tmp_path, said.append)
    running = asyncio.create_task(child.run())
    await holds(lambda: len(said) == 2)
    running.cancel()
    assert said[0].startswith("child ended with exit code 1: no disk; starting it again in ")
    assert child.last_end == "child ended with exit code 1: no disk"


async def test_a_program_is_stopped_without_being_started_again(tmp_path: Path) -> None:
    said: list[str] = []
    child = Supervised(program(LIVES_ON_ITS_LIFELINE), tmp_path, said.append)
    running = asyncio.create_task(child.run())
    await holds(lambda: child.log.exists() and "up" in child.log.read_text())
    await child.stop()
    await asyncio.wait_for(running, 120)
    assert said == []


async def test_a_program_ends_with_its_parent_however_that_ends(tmp_path: Path) -> None:
    parent = f"""
import asyncio, pathlib, sys
from llmaz.local.programs import Program
from llmaz.local.supervise import Supervised
argv = (sys.executable, "-c", {LIVES_ON_ITS_LIFELINE!r})
program = Program(name="child", argv=argv, readiness="")
asyncio.run(Supervised(program, pathlib.Path({str(tmp_path)!r}), print).run())
"""
    process = await asyncio.create_subprocess_exec(sys.executable, "-c", parent)
    log = tmp_path / "child.log"
    await holds(lambda: log.exists() and "up" in log.read_text())
    process.kill()
    await process.wait()
    await holds(lambda: "down" in log.read_text())
