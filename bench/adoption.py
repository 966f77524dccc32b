"""Kill the agent under load: the engines go on, and the next agent takes them over.

Sixteen fake engines and one of llama.cpp answer streams of requests through the gateway, while the
agent is killed (SIGKILL) and `llmaz up` starts it again. `seconds` is from the start of the new
agent's process until it shows every engine ready; nearly all of it is the interpreter's start.
`attached_s` is from the agent's first answer.
"""

import asyncio
import os
import signal
import time
from dataclasses import dataclass
from statistics import median

import aiohttp
import psutil
from harness.fakes import MODEL as FAKE
from harness.fakes import apply_fakes, ready_engines
from harness.figures import options, report
from harness.machine import machine
from warm_start import MODEL, open_model, playground

from llmaz.api.kinds import INFERENCE_NODE, OPEN_MODEL, PLAYGROUND
from llmaz.api.manifest import decode
from llmaz.api.node import InferenceNode
from llmaz.kube import Kube

ENGINES = 16
STREAMS = {FAKE: 4, MODEL: 1}
AFTERWARDS_SECONDS = 2.0  # the streams go on after an adoption, so that late harm is seen


@dataclass
class Load:
    """What became of the requests."""

    answered: int = 0
    failed: int = 0

    async def run(self, session: aiohttp.ClientSession, url: str, model: str) -> None:
        """Stream one completion after the other until cancelled."""
        body = {"model": model, "prompt": "Hello", "max_tokens": 16, "stream": True}
        while True:
            try:
                async with session.post(f"{url}/completions", json=body) as response:
                    text = await response.text()
                whole = response.status == 200 and text.rstrip().endswith("[DONE]")
            except aiohttp.ClientError:
                whole = False
            self.answered += whole
            self.failed += not whole


def agent_of(up: int) -> psutil.Process:
    """Return the agent that runs under `llmaz up`, once there is one."""
    while True:
        for process in psutil.Process(up).children():
            if "llmaz.agent" in process.cmdline():
                return process
        time.sleep(0.005)


async def agent_url(kube: Kube) -> str:
    node = (await kube.list(INFERENCE_NODE)).items[0]
    return decode(InferenceNode, node).status.agent_url


async def until_adopted(session: aiohttp.ClientSession, url: str, count: int) -> float:
    """Wait until the agent shows that many engines ready; return when it answered first."""
    answered = 0.0
    while True:
        try:
            async with session.get(f"{url}/metrics") as response:
                answered = answered or time.time()
                lines = (await response.text()).splitlines()
            ready = [line for line in lines if 'phase="Ready"} 1.0' in line]
            if len([line for line in ready if line.startswith("llmaz_engine_phase")]) == count:
                return answered
        except aiohttp.ClientError:
            pass
        await asyncio.sleep(0.01)


async def kill_and_wait(session: aiohttp.ClientSession, up: int, url: str) -> tuple[float, float]:
    """Kill the agent; return the seconds that its successor took, from its start and its answer."""
    former = agent_of(up)
    os.kill(former.pid, signal.SIGKILL)
    await asyncio.to_thread(former.wait, 10)
    successor = await asyncio.to_thread(agent_of, up)
    answered = await asyncio.wait_for(until_adopted(session, url, ENGINES + 1), 60)
    now = time.time()
    return now - successor.create_time(), now - answered


async def main() -> None:
    kills = 3 if options(__doc__ or "").quick else 20
    load = Load()
    took: list[tuple[float, float]] = []
    with machine() as where:
        async with await Kube.connect(where.kubeconfig) as kube, aiohttp.ClientSession() as session:
            await apply_fakes(kube, ENGINES)
            await kube.apply(OPEN_MODEL, open_model(), manager="bench")
            await kube.apply(PLAYGROUND, playground(), manager="bench")
            before = await ready_engines(kube, ENGINES + 1)
            url = await agent_url(kube)
            streams = [
                asyncio.create_task(load.run(session, where.gateway_url, model))
                for model, count in STREAMS.items()
                for _ in range(count)
            ]
            for _ in range(kills):
                took.append(await kill_and_wait(session, where.pid, url))
                await asyncio.sleep(AFTERWARDS_SECONDS)
            after = await ready_engines(kube, ENGINES + 1)
            for stream in streams:
                stream.cancel()
    report(
        engines=ENGINES + 1,
        kills=kills,
        seconds=median(whole for whole, _ in took),
        seconds_max=max(whole for whole, _ in took),
        attached_s=median(attached for _, attached in took),
        restarts=sum(after[id_].pid != engine.pid for id_, engine in before.items()),
        requests=load.answered,
        failed_requests=load.failed,
    )


if __name__ == "__main__":
    asyncio.run(main())
