import dataclasses
from datetime import UTC, datetime, timedelta
from typing import Protocol

import pytest

from llmaz.api.meta import find_condition
from llmaz.controller.actions import Refusal
from llmaz.controller.conditions import Conditions, playground_conditions, service_conditions
from llmaz.controller.progress import Progress

NOW = datetime(2026, 1, 1, 12, 0, tzinfo=UTC)
DONE = Progress(wanted=1, placed=1, ready=1, flavor="", outdated=0, why=None)
WAITS = dataclasses.replace(DONE, ready=0, why=Refusal(reason="StartingEngine", message="starts"))
REFUSED = dataclasses.replace(WAITS, why=Refusal(reason="Unplaceable", message="0 of 1 nodes fit"))
RESTS = dataclasses.replace(WAITS, why=Refusal(reason="ScaledToZero", message="none is wanted"))


class Judge(Protocol):
    """The conditions of a kind."""

    def __call__(
        self,
        old: Conditions,
        seen: Progress,
        generation: int,
        now: datetime,
        *,
        progress_ends: bool = False,
    ) -> Conditions: ...


def told(conditions: Conditions, type_: str) -> tuple[str, str, str]:
    """Return what a condition says."""
    said = find_condition(conditions, type_)
    assert said is not None
    return said.status, said.reason, said.message


def test_progress_ends_with_success_where_that_is_asked_for_and_begins_again() -> None:
    seen = []
    conditions = playground_conditions((), WAITS, 1, NOW, progress_ends=True)
    for progress in (DONE, WAITS, DONE):
        conditions = playground_conditions(conditions, progress, 1, NOW, progress_ends=True)
        progressing = find_condition(conditions, "Progressing")
        assert progressing is not None
        seen.append((progressing.status, progressing.reason))
    assert seen == [
        ("False", "PlaygroundReady"),
        ("True", "PlaygroundInProgress"),
        ("False", "PlaygroundReady"),
    ]
    service = service_conditions((), DONE, 1, NOW, progress_ends=True)
    ended = find_condition(service, "Progressing")
    assert ended is not None
    assert (ended.status, ended.reason) == ("False", "ServiceReady")


def test_progress_stays_as_upstream_leaves_it_otherwise() -> None:
    conditions = playground_conditions((), WAITS, 1, NOW)
    conditions = playground_conditions(conditions, DONE, 1, NOW)
    progressing = find_condition(conditions, "Progressing")
    assert progressing is not None
    assert (progressing.status, progressing.reason) == ("True", "Pending")


@pytest.mark.parametrize("judge", [playground_conditions, service_conditions])
def test_what_never_served_says_why_it_waits_when_it_comes_back_from_zero(judge: Judge) -> None:
    conditions: Conditions = ()
    for progress in (REFUSED, RESTS, REFUSED):
        conditions = judge(conditions, progress, 1, NOW)
    assert told(conditions, "Available") == ("False", "Unplaceable", "0 of 1 nodes fit")


def test_what_never_served_is_not_told_to_be_in_progress_again_when_it_comes_back() -> None:
    conditions: Conditions = ()
    for progress in (REFUSED, RESTS, REFUSED):
        conditions = playground_conditions(conditions, progress, 1, NOW)
    assert told(conditions, "Progressing")[1] == "Pending"


@pytest.mark.parametrize("judge", [playground_conditions, service_conditions])
def test_progress_ends_at_zero_where_that_is_asked_for_and_begins_again(judge: Judge) -> None:
    seen = []
    conditions: Conditions = ()
    for progress in (WAITS, DONE, RESTS, WAITS):
        conditions = judge(conditions, progress, 1, NOW, progress_ends=True)
        seen.append(told(conditions, "Progressing")[0])
    assert seen == ["True", "False", "False", "True"]


@pytest.mark.parametrize("judge", [playground_conditions, service_conditions])
def test_what_rests_is_written_once_where_progress_ends(judge: Judge) -> None:
    resting = judge((), RESTS, 1, NOW, progress_ends=True)
    later = NOW + timedelta(minutes=1)
    assert judge(resting, RESTS, 1, later, progress_ends=True) == resting
    assert told(resting, "Progressing") == ("False", "ScaledToZero", "none is wanted")
