"""The watch that keeps the last sighting fresh."""

import asyncio
from collections.abc import AsyncIterator, Sequence
from contextlib import asynccontextmanager, suppress
from datetime import UTC, datetime

from llmaz.agent.accelerators.device import Answer, Device, Devices, Gauges, LookFailed, NoDriver
from llmaz.agent.accelerators.watch import AcceleratorWatch
from llmaz.api.accelerator import Accelerator

NOW = datetime(2026, 1, 1, tzinfo=UTC)


class _Answers:
    """A probe that gives its answers in turn, and the last one again and again."""

    def __init__(self, answers: Sequence[Answer]) -> None:
        self._left = list(answers)
        self.looks = 0
        self.closed = False

    async def look(self) -> Answer:
        self.looks += 1
        return self._left.pop(0) if len(self._left) > 1 else self._left[0]

    async def aclose(self) -> None:
        self.closed = True

    async def looked(self, times: int) -> None:
        async with asyncio.timeout(120):
            while self.looks < times:
                await asyncio.sleep(0)


@asynccontextmanager
async def _watching(
    *answers: Answer, period_seconds: float = 0.0
) -> AsyncIterator[tuple[AcceleratorWatch, _Answers, asyncio.Event]]:
    probe, changed = _Answers(answers), asyncio.Event()
    watch = AcceleratorWatch(probe, now=lambda: NOW, changed=changed, period_seconds=period_seconds)
    task = asyncio.create_task(watch.run())
    yield watch, probe, changed
    task.cancel()
    with suppress(asyncio.CancelledError):
        await task
    assert probe.closed


def _devices(*, used: int = 0, healthy: bool = True) -> Devices:
    accelerator = Accelerator(
        uuid="GPU-1",
        index=0,
        vendor="nvidia",
        product="NVIDIA A10",
        resource="nvidia.com/gpu",
        healthy=healthy,
    )
    return Devices(
        devices=(Device(accelerator=accelerator, gauges=Gauges(memory_used_bytes=used)),)
    )


async def test_a_device_that_is_not_well_is_news() -> None:
    async with _watching(_devices(), _devices(healthy=False)) as (watch, probe, changed):
        async with asyncio.timeout(120):
            await changed.wait()
        await probe.looked(3)
        assert watch.sighting.accelerators is not None
        assert not watch.sighting.accelerators[0].healthy


async def test_gauges_that_move_wake_nobody() -> None:
    answers = [_devices(used=used) for used in range(20)]
    async with _watching(*answers) as (watch, probe, changed):
        await probe.looked(2)
        changed.clear()
        await probe.looked(25)
        assert not changed.is_set()
        assert watch.sighting.devices is not None
        assert watch.sighting.devices[0].gauges.memory_used_bytes == 19


async def test_a_driver_that_hangs_is_told_once() -> None:
    hung = LookFailed(reason="NoAnswer", message="no answer")
    async with _watching(_devices(), hung) as (watch, probe, changed):
        await probe.looked(4)
        assert watch.sighting.failure == hung
        changed.clear()
        await probe.looked(8)
        assert not changed.is_set()


async def test_a_node_without_a_driver_is_looked_at_seldom() -> None:
    async with _watching(NoDriver(message="none")) as (watch, probe, changed):
        async with asyncio.timeout(120):
            await changed.wait()
        for _ in range(50):
            await asyncio.sleep(0)
        assert probe.looks == 1
        assert watch.sighting.accelerators == ()


async def test_a_look_that_is_asked_for_does_not_wait_for_the_period_and_wakes_the_loop() -> None:
    async with _watching(Devices(devices=()), period_seconds=3600) as (watch, probe, changed):
        await probe.looked(1)
        async with asyncio.timeout(120):
            while watch.sighting.seen_at is None:
                await asyncio.sleep(0)
        changed.clear()
        watch.look_soon()
        await probe.looked(2)
        async with asyncio.timeout(120):
            await changed.wait()
