"""Conditions, and where the kinds are found."""

from datetime import UTC, datetime, timedelta

import pytest

from llmaz.api.kinds import CORE_SERVICE, OPEN_MODEL, PLAYGROUND, SERVICE
from llmaz.api.manifest import ManifestError
from llmaz.api.meta import Condition, find_condition, with_condition
from llmaz.api.objects import from_manifest

NOON = datetime(2026, 1, 31, 12, tzinfo=UTC)
LATER = NOON + timedelta(hours=1)
READY = Condition(type="Ready", status="True", reason="Cached")


def test_a_first_condition_is_as_old_as_now() -> None:
    (condition,) = with_condition((), READY, NOON)
    assert condition.last_transition_time == NOON
    assert condition.is_true


def test_a_new_reason_does_not_move_the_time_of_the_transition() -> None:
    conditions = with_condition((), READY, NOON)
    again = Condition(type="Ready", status="True", reason="Fetched")
    (condition,) = with_condition(conditions, again, LATER)
    assert (condition.reason, condition.last_transition_time) == ("Fetched", NOON)


def test_a_new_status_moves_it_and_other_conditions_stay_where_they_are() -> None:
    other = Condition(type="Cached", status="Unknown")
    conditions = with_condition(with_condition((), READY, NOON), other, NOON)
    lost = Condition(type="Ready", status="False")
    changed = with_condition(conditions, lost, LATER)
    assert [condition.type for condition in changed] == ["Ready", "Cached"]
    assert [condition.last_transition_time for condition in changed] == [LATER, NOON]


def test_a_condition_that_was_never_set_is_none() -> None:
    assert find_condition((READY,), "Available") is None
    assert find_condition((READY,), "Ready") == READY


def test_paths_are_those_of_an_api_server() -> None:
    assert OPEN_MODEL.path() == "/apis/llmaz.io/v1alpha1/openmodels"
    assert PLAYGROUND.path(namespace="a") == (
        "/apis/inference.llmaz.io/v1alpha1/namespaces/a/playgrounds"
    )
    assert SERVICE.path("x", "a", "status") == (
        "/apis/inference.llmaz.io/v1alpha1/namespaces/a/services/x/status"
    )
    assert CORE_SERVICE.path("x", "a") == "/api/v1/namespaces/a/services/x"
    assert PLAYGROUND.path() == "/apis/inference.llmaz.io/v1alpha1/playgrounds"


@pytest.mark.parametrize(
    "manifest",
    [
        {"apiVersion": "v1", "kind": "Service", "metadata": {}},
        {"apiVersion": "llmaz.io/v1alpha1", "kind": "Playground", "metadata": {}},
        {"apiVersion": ["llmaz.io/v1alpha1"], "kind": {}},
        {},
    ],
)
def test_a_manifest_of_another_kind_is_refused(manifest: object) -> None:
    with pytest.raises(ManifestError, match="is not one of "):
        from_manifest(manifest)


@pytest.mark.parametrize("manifest", [None, [], "kind: OpenModel", 5])
def test_what_is_no_manifest_is_refused(manifest: object) -> None:
    with pytest.raises(ManifestError, match="must be an object with apiVersion, kind and metadata"):
        from_manifest(manifest)
