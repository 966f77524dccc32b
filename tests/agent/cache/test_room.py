"""Making room on a real disk: names go, bytes that others show stay."""

import os
import random
import time
from pathlib import Path

from llmaz.agent.cache.evict import HIGH_SHARE, Entry, Space, evict, lacking, used
from llmaz.agent.cache.limits import Limits
from llmaz.agent.cache.partial import Partial
from llmaz.agent.cache.pins import USER, pin
from llmaz.agent.cache.room import PARTIAL_KEPT_SECONDS, inventory, make_room, touch
from llmaz.agent.cache.store import Tree
from support.snapshots import put_snapshot

SIZE = 2**16
SEED = 20260102


def _stored(cache_dir: Path) -> int:
    return len(list((cache_dir / "store").rglob("*/??/*")))


def test_a_model_that_was_long_unused_goes_with_all_its_names(tmp_path: Path) -> None:
    old = put_snapshot(tmp_path, "old", b"a", b"b", age=100)
    new = put_snapshot(tmp_path, "new", b"b", b"c", age=1)
    gone, refusal = make_room(tmp_path, need=SIZE, keep=(), limits=Limits(quota=4 * SIZE))
    assert (gone, refusal) == ([str(old)], None)
    assert [path.name for path in old.parent.parent.rglob("*") if path.is_file()] == []
    assert (new / "b.bin").read_bytes() == b"b" * SIZE
    assert _stored(tmp_path) == 2


def test_what_is_assigned_stays_and_a_refusal_says_so(tmp_path: Path) -> None:
    old = put_snapshot(tmp_path, "old", b"a", age=100)
    gone, refusal = make_room(
        tmp_path, need=SIZE, keep=[old.parent.parent], limits=Limits(quota=SIZE)
    )
    assert gone == []
    assert refusal is not None
    assert "too little of it is unused" in refusal
    assert (old / "a.bin").exists()


def test_a_model_that_was_used_goes_last(tmp_path: Path) -> None:
    old = put_snapshot(tmp_path, "old", b"a", age=100)
    new = put_snapshot(tmp_path, "new", b"b", age=50)
    touch(old / "a.bin")
    gone, _ = make_room(tmp_path, need=SIZE, keep=(), limits=Limits(quota=int(2.6 * SIZE)))
    assert gone == [str(new)]


def test_an_open_file_can_be_read_on_after_it_went(tmp_path: Path) -> None:
    old = put_snapshot(tmp_path, "old", b"a", age=100)
    with (old / "a.bin").open("rb") as engine:
        make_room(tmp_path, need=SIZE, keep=(), limits=Limits(quota=SIZE + SIZE // 4))
        assert not old.exists()
        assert engine.read() == b"a" * SIZE


def test_what_a_fetch_left_long_ago_goes_and_what_is_under_way_stays(tmp_path: Path) -> None:
    for key in ("left", "held", "recent"):
        Partial(tmp_path / "partial", key, 100).close()
    then = time.time() - 2 * PARTIAL_KEPT_SECONDS
    for key in ("left", "held"):
        os.utime(tmp_path / "partial" / f"{key}.journal", (then, then))
    held = Partial(tmp_path / "partial", "held", 100)
    os.utime(tmp_path / "partial" / "held.journal", (then, then))
    make_room(tmp_path, need=0, keep=(), limits=Limits())
    held.close()
    assert {path.stem for path in (tmp_path / "partial").iterdir()} == {"held", "recent"}


def test_an_empty_cache_has_nothing(tmp_path: Path) -> None:
    assert inventory(tmp_path) == []


def test_what_is_pinned_stays_and_the_next_one_goes(tmp_path: Path) -> None:
    old = put_snapshot(tmp_path, "old", b"a", age=100)
    new = put_snapshot(tmp_path, "new", b"b", age=1)
    pin(tmp_path, Tree.of(tmp_path, "hub", "acme/old"), USER)
    gone, refusal = make_room(tmp_path, need=SIZE, keep=(), limits=Limits(quota=3 * SIZE))
    assert (gone, refusal) == ([str(new)], None)
    assert (old / "a.bin").exists()


def test_what_another_client_left_unfinished_goes_after_a_day(tmp_path: Path) -> None:
    snapshot = put_snapshot(tmp_path, "m", b"a", age=1)
    blobs = snapshot.parent.parent / "blobs"
    for name, age in (("old", PARTIAL_KEPT_SECONDS + 60), ("new", 60.0)):
        leaked = blobs / f"{name}.incomplete"
        leaked.write_bytes(b"x")
        os.utime(leaked, (time.time() - age, time.time() - age))
    make_room(tmp_path, need=0, keep=(), limits=Limits())
    assert [path.name for path in blobs.glob("*.incomplete")] == ["new.incomplete"]


def test_nothing_in_use_is_evicted_in_thousands_of_random_steps(tmp_path: Path) -> None:
    """Choose as make_room does, with a quota of 1.3 times what is in use at once."""
    dice = random.Random(SEED)
    sizes = {f"m{index}": dice.randint(1, 100) for index in range(60)}
    there: dict[str, Entry] = {}
    in_use: list[str] = []
    for step in range(10_000):
        name = dice.choice(sorted(sizes))
        if name not in in_use:
            in_use = [*in_use[-5:], name]
        quota = int(1.3 * sum(sorted(sizes.values())[-6:]))
        if name not in there:
            space = Space(free=10**6, quota=quota)
            kept = set(in_use)
            gone = evict(tuple(there.values()), space, need=sizes[name], keep=kept)
            assert kept.isdisjoint(entry.root for entry in gone), (SEED, step)
            for entry in gone:
                del there[entry.root]
            rest = tuple(there.values())
            if lacking(rest, space, sizes[name], share=HIGH_SHARE) > 0:
                continue
        there[name] = Entry(root=name, last_used=step, blobs={name: sizes[name]})
        assert used(tuple(there.values())) <= quota, (SEED, step)
