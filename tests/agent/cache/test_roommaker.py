"""Room is made for one fetch after the other, and what goes is counted by what wanted the room."""

import asyncio
import functools
from pathlib import Path

from llmaz.agent.cache.limits import Limits
from llmaz.agent.cache.roommaker import RoomMaker
from support.snapshots import put_snapshot

SIZE = 2**16


async def test_evictions_are_counted_by_what_wanted_the_room(tmp_path: Path) -> None:
    for name, age in (("a", 300), ("b", 200), ("c", 100)):
        put_snapshot(tmp_path, name, name.encode(), age=age)
    told: list[bool] = []
    limits = Limits(quota=int(3.2 * SIZE), reserve=0)
    maker = RoomMaker(tmp_path, limits, lambda: told.append(True))
    make = functools.partial(maker.make, keep=frozenset, needed=SIZE)
    assert (await make("prefetch")).refusal is None
    assert maker.evictions == {"demand": 0, "prefetch": 2}
    assert (await make("demand")).refusal is None
    assert maker.evictions == {"demand": 0, "prefetch": 2}
    assert told == [True]


async def test_what_is_kept_is_asked_for_when_its_turn_comes(tmp_path: Path) -> None:
    shown = put_snapshot(tmp_path, "a", b"a", age=100)
    maker = RoomMaker(tmp_path, Limits(quota=SIZE, reserve=0), lambda: None)
    kept: set[Path] = {shown}
    refused = await asyncio.gather(*(maker.make("demand", lambda: kept, SIZE) for _ in range(3)))
    assert all(room.refusal is not None for room in refused)
    assert shown.exists()
