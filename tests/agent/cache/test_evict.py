"""Which snapshots go when the cache needs room."""

from hypothesis import given
from hypothesis import strategies as st

from llmaz.agent.cache.evict import Entry, Space, evict, lacking, used


def _entry(root: str, last_used: float, **blobs: int) -> Entry:
    return Entry(root=root, last_used=last_used, blobs=blobs or {root: 10})


OLD, MIDDLE, NEW = _entry("old", 1), _entry("middle", 2), _entry("new", 3)
ALL = (NEW, OLD, MIDDLE)


def _evicted(
    *entries: Entry, need: int, free: int = 0, quota: int | None = None, keep: tuple[str, ...] = ()
) -> list[str]:
    space = Space(free=free, quota=quota)
    return [entry.root for entry in evict(entries, space, need=need, keep=keep)]


def test_nothing_goes_while_there_is_room() -> None:
    assert _evicted(*ALL, need=10, free=10) == []
    assert _evicted(*ALL, need=10, free=100, quota=100) == []


def test_what_was_used_least_recently_goes_first_and_no_more_than_needed() -> None:
    assert _evicted(*ALL, need=15, free=0) == ["old", "middle"]


def test_what_is_in_use_stays() -> None:
    assert _evicted(*ALL, need=10, keep=("old",)) == ["middle"]


def test_a_cache_is_not_emptied_in_vain() -> None:
    assert _evicted(*ALL, need=31) == []
    assert _evicted(*ALL, need=21, keep=("new",)) == []


def test_a_full_quota_is_brought_well_below_the_mark() -> None:
    entries = [_entry(f"{age:02}", age) for age in range(10)]
    assert _evicted(*entries, need=0, free=10**6, quota=100) == ["00", "01"]


def test_bytes_that_others_share_go_with_the_last_of_them() -> None:
    one, other = _entry("one", 1, shared=10, own=1), _entry("other", 2, shared=10)
    assert used((one, other)) == 11
    assert _evicted(one, other, need=5) == ["one", "other"]


ENTRIES = st.lists(
    st.builds(
        Entry,
        root=st.sampled_from("abcdefgh"),
        last_used=st.floats(0, 9),
        blobs=st.dictionaries(st.sampled_from("uvwxyz"), st.just(7), max_size=4),
    ),
    unique_by=lambda entry: entry.root,
)


@given(ENTRIES, st.integers(0, 60), st.integers(0, 30), st.none() | st.integers(1, 60))
def test_what_goes_is_enough_and_never_what_is_kept(
    entries: list[Entry], need: int, free: int, quota: int | None
) -> None:
    space = Space(free=free, quota=quota)
    gone = evict(entries, space, need=need, keep={"a", "b"})
    assert not {"a", "b"} & {entry.root for entry in gone}
    if gone:
        rest = [entry for entry in entries if entry not in gone]
        freed = used(entries) - used(rest)
        assert freed >= lacking(entries, space, need, share=0.95) > 0
