"""Events neither flood nor hide each other."""

import dataclasses

from llmaz.api.kinds import PLAYGROUND
from llmaz.controller.actions import RecordEvent
from llmaz.controller.correlate import (
    ALIKE_SECONDS,
    BURST,
    MOST_ALIKE,
    REFILL_SECONDS,
    Correlator,
)
from llmaz.controller.snapshot import Ref

EVENT = RecordEvent(
    ref=Ref(kind=PLAYGROUND, namespace="default", name="chat"),
    uid="uid-chat",
    type="Warning",
    reason="EngineCrashed",
    message="exited with code 1",
)


def saying(message: str, uid: str = "uid-chat") -> RecordEvent:
    return dataclasses.replace(EVENT, message=message, uid=uid)


def test_the_same_message_is_the_same_event() -> None:
    correlator = Correlator()
    assert correlator.judge(EVENT, 0) == correlator.judge(EVENT, 1)


def test_other_messages_are_events_of_their_own() -> None:
    correlator = Correlator()
    first, second = correlator.judge(saying("one"), 0), correlator.judge(saying("two"), 0)
    assert first is not None
    assert second is not None
    assert first[0] != second[0]
    assert (first[1], second[1]) == ("one", "two")


def test_many_messages_of_one_reason_become_one_event() -> None:
    correlator = Correlator()
    for number in range(MOST_ALIKE):
        correlator.judge(saying(f"{number} percent"), 0)
    found = [correlator.judge(saying(f"{number} percent"), 1) for number in (50, 51)]
    assert [one and one[1] for one in found] == [
        "(combined from similar events) 50 percent",
        "(combined from similar events) 51 percent",
    ]
    assert len({one and one[0] for one in found}) == 1


def test_after_a_while_messages_stand_alone_again() -> None:
    correlator = Correlator()
    for number in range(MOST_ALIKE + 1):
        correlator.judge(saying(f"{number} percent"), 0)
    found = correlator.judge(saying("99 percent"), ALIKE_SECONDS + 1)
    assert found is not None
    assert found[1] == "99 percent"


def test_an_object_that_says_too_much_is_not_heard_until_its_allowance_is_back() -> None:
    correlator = Correlator()
    heard = [correlator.judge(EVENT, 0) is not None for _ in range(BURST + 5)]
    assert heard == [True] * BURST + [False] * 5
    assert correlator.judge(EVENT, REFILL_SECONDS) is not None
    assert correlator.judge(EVENT, REFILL_SECONDS) is None


def test_one_object_takes_no_other_ones_allowance() -> None:
    correlator = Correlator()
    for _ in range(BURST + 1):
        correlator.judge(EVENT, 0)
    assert correlator.judge(saying("hello", "uid-other"), 0) is not None


def test_what_is_normal_silences_no_warning() -> None:
    correlator = Correlator()
    started = dataclasses.replace(EVENT, type="Normal", reason="EngineStarted")
    for _ in range(BURST + 1):
        last = correlator.judge(started, 0)
    assert last is None
    assert correlator.judge(EVENT, 0) is not None
