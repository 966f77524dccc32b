import dataclasses
from datetime import UTC, datetime

from llmaz.api.meta import find_condition
from llmaz.controller.actions import Refusal
from llmaz.controller.conditions import playground_conditions, service_conditions
from llmaz.controller.progress import Progress

NOW = datetime(2026, 1, 1, 12, 0, tzinfo=UTC)
DONE = Progress(wanted=1, placed=1, ready=1, flavor="", outdated=0, why=None)
WAITS = dataclasses.replace(DONE, ready=0, why=Refusal(reason="StartingEngine", message="starts"))


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
