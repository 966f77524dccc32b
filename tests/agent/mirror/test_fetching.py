"""Room for what clients ask for: as the agent makes it, and counted."""

from pathlib import Path

from llmaz.agent.cache.limits import Limits, write_limits
from llmaz.agent.mirror.fetching import Fetching
from support.snapshots import put_snapshot

SIZE = 2**16


async def test_what_makes_room_for_a_client_is_counted(tmp_path: Path) -> None:
    write_limits(tmp_path, Limits(reserve=0))
    put_snapshot(tmp_path, "old", b"a", age=100)
    told: list[int] = []
    fetching = Fetching(tmp_path, {}, int(1.5 * SIZE), lambda: (), evicted=told.append)
    assert (await fetching._room(SIZE)).refusal is None
    assert (await fetching._room(10 * SIZE)).refusal is not None
    assert told == [1, 0]
