from llmaz.api.manifest import Manifest
from llmaz.cli.describing import description


def test_an_object_is_described_with_its_conditions_and_events() -> None:
    playground: Manifest = {
        "kind": "Playground",
        "metadata": {"name": "qwen", "namespace": "default", "labels": {"a": "b"}},
        "spec": {"replicas": 1},
        "status": {
            "ready": "0/1",
            "conditions": [
                {
                    "type": "Available",
                    "status": "False",
                    "reason": "Unplaceable",
                    "message": "no GPU",
                }
            ],
        },
    }
    events: list[Manifest] = [
        {"lastTimestamp": "2026-01-01T00:00:02Z", "reason": "Later", "message": "second"},
        {"lastTimestamp": "2026-01-01T00:00:01Z", "reason": "First", "message": "one"},
    ]
    assert description(playground, events).splitlines() == [
        "Playground qwen",
        "Namespace:  default",
        "Labels:     a=b",
        "Conditions:",
        "  Available  False  Unplaceable  no GPU",
        "Spec:",
        "  replicas: 1",
        "Status:",
        "  ready: 0/1",
        "Events:",
        "  2026-01-01T00:00:01Z  First  one",
        "  2026-01-01T00:00:02Z  Later  second",
    ]


def test_events_of_one_second_are_in_the_order_in_which_they_were_written() -> None:
    events: list[Manifest] = [
        {
            "metadata": {"resourceVersion": version},
            "lastTimestamp": "2026-01-01T00:00:01Z",
            "reason": f"R{version}",
            "message": "x",
        }
        for version in ("100", "9", "11")
    ]
    told = description({"kind": "Node", "metadata": {"name": "a"}}, events)
    assert [line.split()[1] for line in told.splitlines()[2:]] == ["R9", "R11", "R100"]


def test_an_object_without_a_status_has_no_empty_headings() -> None:
    assert description({"kind": "Node", "metadata": {"name": "a"}}, []) == "Node a"
