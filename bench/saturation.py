"""An engine at saturation for an hour: every slot busy, a queue behind them, and no false restart.

A real llama.cpp gets more streams than it has slots, straight at its port: long prompts which no
cache knows, long answers, and clients which give up in the middle. Its agent watches as ever. Who
answers a health check or a probe late is the engine that a careless supervisor kills.
"""

import argparse
import asyncio
import random
import sys
import time
from dataclasses import dataclass

import aiohttp
from harness.fakes import ready_engines
from harness.figures import report
from harness.machine import machine
from warm_start import MODEL, RUNTIME, open_model

from llmaz.agent.engines.metrics import read_numbers
from llmaz.api.kinds import INFERENCE_NODE, OPEN_MODEL, PLAYGROUND
from llmaz.api.manifest import Manifest, decode
from llmaz.api.node import EnginePhase, EngineReport, InferenceNode
from llmaz.kube import Kube

SLOTS, STREAMS = 4, 16
PROMPT_WORDS = (20, 1200)  # up to most of a slot's context: a minute during which no token comes
ANSWER_TOKENS = 200
GIVES_UP = 0.2  # share of the requests whose client goes away after a few tokens
LOOK_SECONDS = 1.0
WORDS = ("time", "year", "people", "way", "day", "thing", "child", "world", "school", "state")


@dataclass
class Load:
    """What became of the requests."""

    answered: int = 0
    given_up: int = 0
    failed: int = 0

    async def run(self, session: aiohttp.ClientSession, url: str, seed: int) -> None:
        """Stream one completion after the other until cancelled."""
        chance = random.Random(seed)
        while True:
            prompt = " ".join(chance.choices(WORDS, k=chance.randint(*PROMPT_WORDS)))
            body = {"model": MODEL, "prompt": prompt, "max_tokens": ANSWER_TOKENS, "stream": True}
            begun = time.monotonic()
            try:
                await self._ask(session, url, body, leaves=chance.random() < GIVES_UP)
            except (aiohttp.ClientError, TimeoutError) as error:
                self.failed += 1
                after = time.monotonic() - begun
                said = f"request failed after {after:.0f} s: {type(error).__name__}: {error}"
                print(said, file=sys.stderr, flush=True)
                await asyncio.sleep(1)

    async def _ask(
        self, session: aiohttp.ClientSession, url: str, body: dict[str, object], *, leaves: bool
    ) -> None:
        line = b""
        async with session.post(f"{url}/v1/completions", json=body) as response:
            async for given in response.content:
                line = given.strip() or line
                if leaves and line:
                    self.given_up += 1
                    return
        if line != b"data: [DONE]":
            raise aiohttp.ClientPayloadError(f"{response.status}, at last: {line[:300]!r}")
        self.answered += 1


@dataclass
class Watch:
    """What was seen of the engine while it was busy."""

    looks: int = 0
    unready: int = 0
    saturated: int = 0  # looks at which every slot was busy
    unanswered: int = 0  # looks at which it gave no metrics within the agent's patience
    still_seconds: float = 0.0  # the longest time in which no counter moved
    _tokens: float | None = None
    _moved_at: float = 0.0

    async def look(self, kube: Kube, session: aiohttp.ClientSession, url: str) -> None:
        """Note what the node reports, and how much there is to do."""
        self.looks += 1
        engine = await _reported(kube)
        self.unready += engine is None or engine.phase is not EnginePhase.READY
        try:
            async with asyncio.timeout(5), session.get(f"{url}/metrics") as response:
                numbers = read_numbers(await response.text())
        except (aiohttp.ClientError, TimeoutError):
            numbers = None
        if numbers is None:
            self.unanswered += 1
            return
        self.saturated += numbers.requests_running == SLOTS
        if numbers.activity.tokens != self._tokens:
            self._tokens, self._moved_at = numbers.activity.tokens, time.monotonic()
        self.still_seconds = max(self.still_seconds, time.monotonic() - self._moved_at)


async def _reported(kube: Kube) -> EngineReport | None:
    for node in (await kube.list(INFERENCE_NODE)).items:
        return next(iter(decode(InferenceNode, node).status.engines or ()), None)
    return None


def playground() -> Manifest:
    size = ("--ctx-size", str(SLOTS * 2048), "--parallel", str(SLOTS), "--metrics")
    spec: Manifest = {
        "modelClaim": {"modelName": MODEL},
        "backendRuntimeConfig": {"backendName": RUNTIME, "args": list(size)},
    }
    return {"metadata": {"name": MODEL, "namespace": "default"}, "spec": spec}


async def saturate(kube: Kube, seconds: float) -> tuple[Load, Watch, bool]:
    """Keep the engine full for so long; tell whether it is still the same process."""
    (before,) = (await ready_engines(kube, 1)).values()
    url = f"http://127.0.0.1:{before.port}"
    load, watch = Load(), Watch()
    patience = aiohttp.ClientTimeout(total=None, sock_connect=60)
    # A connection each: the server closes kept ones when it likes, and a request that was just
    # sent on one fails for that alone.
    connections = aiohttp.TCPConnector(limit=0, force_close=True)
    async with aiohttp.ClientSession(connector=connections, timeout=patience) as session:
        streams = [asyncio.create_task(load.run(session, url, seed)) for seed in range(STREAMS)]
        until = time.monotonic() + seconds
        while time.monotonic() < until:
            await asyncio.sleep(LOOK_SECONDS)
            await watch.look(kube, session, url)
        for stream in streams:
            stream.cancel()
        await asyncio.gather(*streams, return_exceptions=True)
    after = await _reported(kube)
    same = after is not None and (after.pid, after.restarts) == (before.pid, before.restarts)
    return load, watch, same


async def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--quick", action="store_true", help="24 seconds instead of an hour")
    parser.add_argument("--minutes", type=float, default=60.0, help="how long (60)")
    given = parser.parse_args()
    minutes = 0.4 if given.quick else given.minutes
    with machine() as where:
        async with await Kube.connect(where.kubeconfig) as kube:
            await kube.apply(OPEN_MODEL, open_model(), manager="bench")
            await kube.apply(PLAYGROUND, playground(), manager="bench")
            load, watch, same = await saturate(kube, minutes * 60)
    report(
        minutes=minutes,
        slots=SLOTS,
        streams=STREAMS,
        false_restarts=int(not same),
        unready_looks=watch.unready,
        looks=watch.looks,
        saturated_share=watch.saturated / max(1, watch.looks),
        looks_without_metrics=watch.unanswered,
        longest_still_seconds=watch.still_seconds,
        requests=load.answered,
        given_up=load.given_up,
        failed_requests=load.failed,
    )


if __name__ == "__main__":
    asyncio.run(main())
