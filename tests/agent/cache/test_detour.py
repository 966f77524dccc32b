from llmaz.agent.cache.detour import (
    JUDGED_SECONDS,
    SLOW_RATE,
    WORTHWHILE_BYTES,
    Way,
    buffer_bytes,
    first_way,
    judged,
)

MUCH = 10 * WORTHWHILE_BYTES
SLOW, QUICK = int(SLOW_RATE * JUDGED_SECONDS / 2), int(SLOW_RATE * JUDGED_SECONDS * 2)


def after(way: Way, *, brought: int, left: int = MUCH) -> Way:
    """Judge a way after the time that it is tried for."""
    total = way.brought + brought
    return judged(way, now=way.since + JUDGED_SECONDS, brought=total, left=left)


def test_without_a_choice_nothing_is_judged() -> None:
    for mode, by_xet in (("never", False), ("always", True)):
        way = first_way(mode, now=0.0)  # type: ignore[arg-type]  # of a literal, as mypy sees it
        assert way.by_xet is by_xet
        assert after(way, brought=0) == way


def test_what_comes_quickly_by_plain_ranges_stays_there() -> None:
    assert not after(first_way("auto", now=0.0), brought=QUICK).by_xet


def test_what_comes_slowly_is_tried_by_xet() -> None:
    assert after(first_way("auto", now=0.0), brought=SLOW).by_xet


def test_a_rate_is_judged_after_some_seconds_alone() -> None:
    way = first_way("auto", now=0.0)
    assert judged(way, now=JUDGED_SECONDS - 1, brought=0, left=MUCH) == way


def test_little_that_is_left_comes_as_it_came() -> None:
    slow = after(first_way("auto", now=0.0), brought=SLOW, left=WORTHWHILE_BYTES - 1)
    assert not slow.by_xet


def test_a_wire_that_becomes_slow_is_judged_again() -> None:
    quick = after(first_way("auto", now=0.0), brought=QUICK)
    assert after(quick, brought=SLOW).by_xet


def test_xet_that_is_no_quicker_is_left_for_good() -> None:
    tried = after(first_way("auto", now=0.0), brought=SLOW)
    left = after(tried, brought=SLOW)
    assert not left.by_xet
    assert after(left, brought=0) == left


def test_xet_that_is_quicker_stays() -> None:
    tried = after(first_way("auto", now=0.0), brought=SLOW)
    kept = after(tried, brought=SLOW + 1000)
    assert kept.by_xet
    assert after(kept, brought=0) == kept


def test_an_eighth_of_the_free_memory_is_lent_and_never_more_than_a_gibibyte() -> None:
    assert buffer_bytes(2**30) == 2**27
    assert buffer_bytes(2**40) == 2**30
