"""The real llama.cpp serves the real SmolLM2 135M."""

import asyncio
import os
import re
import signal
import sys
from collections.abc import AsyncIterator
from dataclasses import dataclass
from pathlib import Path

import aiohttp
import pytest
import pytest_asyncio

from support.smollm2 import SMOLLM2


@dataclass
class Server:
    process: asyncio.subprocess.Process
    url: str


async def start(*argv: str) -> asyncio.subprocess.Process:
    return await asyncio.create_subprocess_exec(
        sys.executable, "-m", "llmaz.llamacpp", *argv, stderr=asyncio.subprocess.PIPE
    )


async def output(process: asyncio.subprocess.Process) -> str:
    _, errors = await asyncio.wait_for(process.communicate(), 120)
    return errors.decode()


async def last_line(process: asyncio.subprocess.Process) -> str:
    return (await output(process)).splitlines()[-1]


@pytest_asyncio.fixture
async def server() -> AsyncIterator[Server]:
    process = await start("-m", str(SMOLLM2), "--port", "0", "-a", "smol", "-c", "512", "--metrics")
    assert process.stderr is not None
    # llama.cpp logs from a thread of its own, in pieces: our line may stand within one of those.
    async for line in process.stderr:
        if served := re.search(rb"serving smol at (http://[\d.:]+)\n", line):
            break
    else:
        pytest.fail("the server ended before it served")
    yield Server(process, served[1].decode())
    if process.returncode is None:
        process.kill()
        await process.communicate()


async def test_the_real_model_answers_and_the_server_stops_cleanly(server: Server) -> None:
    question = {"messages": [{"role": "user", "content": "Say hello."}], "max_tokens": 4}
    async with aiohttp.ClientSession(server.url) as client:
        async with client.get("/health") as answer:
            assert (answer.status, await answer.json()) == (200, {"status": "ok"})
        async with client.get("/v1/models") as answer:
            assert [model["id"] for model in (await answer.json())["data"]] == ["smol"]
        async with client.post("/v1/chat/completions", json=question) as answer:
            assert (await answer.json())["choices"][0]["message"]["content"]
        async with client.get("/metrics") as answer:
            assert "llamacpp:tokens_predicted_total 4" in await answer.text()
        async with client.post("/v1/chat/completions", json=question | {"stream": True}) as answer:
            await answer.content.readline()
            server.process.send_signal(
                signal.SIGTERM
            )  # a stream is open: it does not hold the stop
            await asyncio.wait_for(server.process.communicate(), 120)
    assert server.process.returncode == 0


async def test_a_missing_model_ends_in_one_sentence(tmp_path: Path) -> None:
    process = await start("-m", str(tmp_path / "none.gguf"))
    assert await last_line(process) == (
        f"llmaz-llamacpp: cannot read model {tmp_path}/none.gguf: No such file or directory"
    )
    assert process.returncode == os.EX_NOINPUT


async def test_a_file_cut_short_is_llama_cpps_own_failure(tmp_path: Path) -> None:
    path = tmp_path / "cut.gguf"
    path.write_bytes(SMOLLM2.read_bytes()[:1000])
    process = await start("-m", str(path), "--port", "0")
    assert f"llmaz-llamacpp: llama.cpp could not load {path}\n" in await output(process)
    assert process.returncode == 1
