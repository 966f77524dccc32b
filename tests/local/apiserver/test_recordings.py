"""The server's answers beside those of a real kube-apiserver, step by step."""

import json
import re
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest

from support.controlplane import EmbeddedServer
from support.recordings import Replay, call, scenario

GOLDEN = Path(__file__).parent / "golden"
SCENARIOS = sorted(path.stem for path in GOLDEN.glob("*.json") if not path.stem.startswith("12"))
WIDGETS = "/apis/golden.example.io/v1/namespaces/default/widgets"


@dataclass(frozen=True)
class Known:
    """A difference that is meant: where it occurs, as patterns, and why."""

    scenario: str
    step: str
    difference: str
    reason: str


KNOWN = (
    Known(
        "02-discovery",
        "1|2|10|11",
        r"\.(resources|groups|items\.).*: missing ",
        "kinds and subresources that nothing on one machine uses are not served",
    ),
    Known(
        "02-discovery",
        "2|11",
        r"\.(groups|items)\.autoscaling\.versions: ",
        "of the versions of HorizontalPodAutoscaler the newest is served",
    ),
    Known(
        "04-update-status-scale",
        "6",
        r"\.(status|spec\.replicas)",
        "the recorder changed the answer for its next request before it wrote it down",
    ),
    Known(
        "07-list",
        "13|14",
        r"\.columnDefinitions\[0\]\.description",
        "descriptions are in words of our own",
    ),
    Known(
        "08-watch",
        "2",
        r"",
        "the recorded server's cache was behind its store; here they are one",
    ),
    Known(
        "08-watch",
        "3",
        r"",
        "the history of a young server reaches back to its first write",
    ),
    Known(
        "08-watch",
        "6",
        r"",
        "the recorded server's store could not stream lists; here they are streamed",
    ),
    Known(
        "10-core-resources",
        "0|1|2|3|5",
        r"\.spec\.taints: missing",
        "no node controller is there to take the taint of a new node off again",
    ),
    Known(
        "10-core-resources",
        "1|2|3|5",
        r"\.metadata\.(annotations|managedFields\.kube-controller-manager Update): missing",
        "the annotation is a kube-controller-manager's",
    ),
    Known(
        "10-core-resources",
        "7",
        r"\.message",
        "a time that can't be read is refused in other words",
    ),
    Known(
        "10-core-resources",
        "12",
        r"",
        "engines on one machine listen on loopback addresses, so endpoints may have them",
    ),
    Known(
        "13-openapi",
        "0",
        r"\.paths\.[^:]*: added",
        "the recorded index is cut to three groups",
    ),
    Known(
        "13-openapi",
        "1",
        r".*(description|info)",
        "descriptions are in words of our own",
    ),
    Known(
        "13-openapi",
        "1",
        r".*DeleteOptions\.x-kubernetes-group-version-kind",
        "DeleteOptions are named for the groups that are served",
    ),
)


@pytest.fixture(scope="module")
def replay(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Replay]:
    server = EmbeddedServer(tmp_path_factory.mktemp("recordings"))
    yield Replay(server.start())
    server.stop()


@pytest.mark.timeout(180)
def test_every_recorded_step_is_answered_as_the_real_server_answered_it(replay: Replay) -> None:
    found = [difference for name in SCENARIOS for difference in _differences(replay, name)]
    unknown = [text for text in found if not any(_explains(known, text) for known in KNOWN)]
    stale = [known for known in KNOWN if not any(_explains(known, text) for text in found)]
    assert not unknown, "\n".join(["differences that no entry explains:", *unknown])
    assert not stale, f"entries that explain nothing any more: {stale}"


def _differences(replay: Replay, name: str) -> Iterator[str]:
    for number, step in enumerate(scenario(GOLDEN, name)["steps"]):
        if (name, number) == ("07-list", 0):
            _create_what_the_lists_show(replay)
        if (name, number) == ("08-watch", 0):
            _write_what_the_watches_saw(replay)
        for difference in replay.differences(step):
            yield f"{name} {number} {difference}"


def _explains(known: Known, text: str) -> bool:
    name, step, difference = text.split(" ", 2)
    return (
        re.fullmatch(known.scenario, name) is not None
        and re.fullmatch(known.step, step) is not None
        and re.match(known.difference, difference) is not None
    )


def _create_what_the_lists_show(replay: Replay) -> None:
    """Create the objects that the recorder made between the scenarios."""
    listed: list[Any] = scenario(GOLDEN, "07-list")["steps"][12]["response"]["body"]["items"]
    for item in listed:
        metadata = {key: item["metadata"].get(key) for key in ("name", "labels")}
        if metadata["name"].startswith("l"):
            obj = {key: item[key] for key in ("apiVersion", "kind", "spec")}
            replay.learn(
                item, call(replay.plane, "POST", WIDGETS, obj | {"metadata": metadata}).json()
            )


def _write_what_the_watches_saw(replay: Replay) -> None:
    """Write what the recorder wrote before its watches, which begin at version 2257."""
    obj = {
        "apiVersion": "golden.example.io/v1",
        "kind": "Widget",
        "metadata": {"name": "w1", "labels": {"tier": "gold"}},
        "spec": {"model": "opt"},
    }
    created = call(replay.plane, "POST", WIDGETS, obj).json()
    replay.drawn["2257"] = str(int(created["metadata"]["resourceVersion"]) - 1)
    for tier in ("iron", "gold"):
        patch = json.dumps({"metadata": {"labels": {"tier": tier}}})
        headers = {"Content-Type": "application/merge-patch+json"}
        call(replay.plane, "PATCH", f"{WIDGETS}/w1", patch, headers=headers)
    call(replay.plane, "DELETE", f"{WIDGETS}/w1")
