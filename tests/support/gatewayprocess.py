"""The gateway as a process in front of an API server."""

import asyncio
import sys
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path

import aiohttp

_BEGIN_SECONDS = 120.0


@asynccontextmanager
async def gateway(kubeconfig: Path, log: Path) -> AsyncIterator[str]:
    """Run a gateway; yield its URL."""
    argv = ("--kubeconfig", str(kubeconfig), "--listen", "127.0.0.1:0", "--lifeline")
    with log.open("wb") as said:
        process = await asyncio.create_subprocess_exec(
            *(sys.executable, "-m", "llmaz.gateway", *argv),
            stdin=asyncio.subprocess.PIPE,
            stderr=said,
        )
    try:
        async with asyncio.timeout(_BEGIN_SECONDS):
            while not (lines := log.read_text().splitlines(keepends=True)) or lines[0][-1] != "\n":
                assert process.returncode is None, log.read_text()
                await asyncio.sleep(0.05)
            url = lines[0].split()[-1]
            async with aiohttp.ClientSession(url) as client:
                while (await client.get("/readyz")).status != 200:  # it has not read the cluster
                    await asyncio.sleep(0.05)
        yield url
    finally:
        if process.returncode is None:
            process.kill()
        await process.communicate()
