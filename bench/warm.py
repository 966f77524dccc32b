"""Weights read ahead of their engine: the time until it answers from a cold cache, with it and not.

A real llama.cpp on a model of 100 MB, which maps its file and wants it at once; and a stand-in for
engines that import for seconds before they open their weights, 1 GiB. Pages are dropped before each
round but those of `warm`; the rounds alternate.
"""

import asyncio
import os
import random
import shutil
import subprocess
import sys
import tempfile
import time
from pathlib import Path
from statistics import median

import aiohttp
from harness.figures import options, report
from harness.servers import free_port, program
from warm_start import ENGINE_OPTIONS, MODEL, WEIGHTS, first_token

from llmaz.shim import readahead

RATE = 2 * 2**30
IMPORT_SECONDS = 4.0
CASES = ("cold", "ahead", "warm")
SEED = 20261123
_IMPORTER = f"""
import sys, time
time.sleep({IMPORT_SECONDS})
with open(sys.argv[1], "rb", buffering=0) as file:
    while file.read(1 << 20):
        pass
"""


def drop(path: Path) -> None:
    descriptor = os.open(path, os.O_RDONLY)
    os.fsync(descriptor)
    os.posix_fadvise(descriptor, 0, 0, os.POSIX_FADV_DONTNEED)
    os.close(descriptor)


async def llamacpp(weights: Path, case: str, log: Path) -> float:
    """Return the seconds until the engine's first token."""
    port = free_port()
    argv = [sys.executable, "-m", "llmaz.llamacpp", "-m", str(weights), "--host", "127.0.0.1"]
    argv += ["--port", str(port), "--alias", MODEL, *ENGINE_OPTIONS]
    if case != "warm":
        drop(weights)
    begun = time.perf_counter()
    async with aiohttp.ClientSession() as session:
        with program(argv, log):
            reader = readahead.begin([str(weights)], RATE, None) if case == "ahead" else None
            await asyncio.wait_for(first_token(session, f"http://127.0.0.1:{port}/v1"), 120)
            took = time.perf_counter() - begun
    if reader is not None:
        os.waitpid(reader, 0)
    return took


def importer(weights: Path, case: str) -> float:
    """Return the seconds until the stand-in has read its weights."""
    if case != "warm":
        drop(weights)
    begun = time.perf_counter()
    with subprocess.Popen([sys.executable, "-S", "-c", _IMPORTER, str(weights)]) as engine:
        reader = readahead.begin([str(weights)], RATE, None) if case == "ahead" else None
        engine.wait()
        took = time.perf_counter() - begun
    if reader is not None:
        os.waitpid(reader, 0)
    return took


def main() -> None:
    quick = options(__doc__ or "").quick
    rounds, size = (3, 2**28) if quick else (7, 2**30)
    real: dict[str, list[float]] = {case: [] for case in CASES}
    slow: dict[str, list[float]] = {case: [] for case in CASES}
    with tempfile.TemporaryDirectory(prefix="llmaz-bench-") as scratch:
        folder = Path(scratch)
        os.chdir(folder)  # where a reading is reported
        small, large = folder / "small.gguf", folder / "large.bin"
        shutil.copyfile(WEIGHTS, small)
        block = random.Random(SEED).randbytes(2**24)
        with large.open("wb") as file:
            for _ in range(size // len(block)):
                file.write(block)
        asyncio.run(llamacpp(small, "warm", folder / "log"))  # the programs themselves are read
        for _ in range(rounds):
            for case in CASES:
                real[case].append(asyncio.run(llamacpp(small, case, folder / "log")))
                slow[case].append(importer(large, case))
        os.chdir("/")
    figures = {f"llamacpp_{case}_s": median(real[case]) for case in CASES}
    figures |= {f"importing_{case}_s": median(slow[case]) for case in CASES}
    report(rounds=rounds, bytes=size, import_s=IMPORT_SECONDS, load=os.getloadavg()[0], **figures)


if __name__ == "__main__":
    main()
