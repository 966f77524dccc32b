"""Tables of custom and built-in kinds."""

import pytest

from llmaz.local.objects.columns import COLUMNS
from llmaz.local.objects.table import column_errors, partial_list, printer_columns, table
from llmaz.local.objects.values import Json, Object
from support.objects import NOW, messages, recorded, widget

WIDGET_COLUMNS = printer_columns(
    recorded("01-crd")[0]["request"]["body"]["spec"]["versions"][0]["additionalPrinterColumns"]
)


def cells(key: tuple[str, str], obj: Object) -> dict[str, Json]:
    """Return an object's cells by the heading."""
    return {column.name: column.cell(obj, NOW) for column in COLUMNS[key]}


def test_the_recorded_lists_give_the_recorded_tables() -> None:
    steps = recorded("07-list")
    expected = steps[13]["response"]["body"]
    items = steps[0]["response"]["body"]["items"]
    found = table(items, WIDGET_COLUMNS, now=NOW, metadata=expected["metadata"])
    found["columnDefinitions"][0]["description"] = expected["columnDefinitions"][0]["description"]
    assert found == expected


def test_the_recorded_list_gives_the_recorded_metadata() -> None:
    steps = recorded("07-list")
    expected = steps[15]["response"]["body"]
    items = steps[0]["response"]["body"]["items"]
    assert partial_list(items, expected["metadata"]) == expected


@pytest.mark.parametrize(
    ("kind", "value", "cell"),
    [
        ("string", "x", "x"),
        ("string", True, "true"),
        ("string", {"b": 1, "a": 2}, '{"a":2,"b":1}'),
        ("integer", 3.0, 3),
        ("integer", "3", None),
        ("number", 3, 3.0),
        ("boolean", True, True),
        ("boolean", "true", None),
        ("date", "2026-11-23T06:31:02Z", "10s"),
        ("date", "soon", "<invalid>"),
        ("date", 3, None),
    ],
)
def test_a_cell_shows_a_value_of_its_columns_type(kind: str, value: Json, cell: Json) -> None:
    [_, column] = printer_columns([{"name": "X", "type": kind, "jsonPath": ".spec.x"}])
    assert column.cell(widget(x=value), NOW) == cell


def test_a_column_of_no_known_type_or_path_is_refused() -> None:
    columns = [{"name": "X", "type": "text", "jsonPath": ".x["}]
    kind, path = messages(column_errors(columns, "c"))
    assert kind.startswith('c[0].type: Unsupported value: "text": supported values: "boolean"')
    assert path.startswith('c[0].jsonPath: Invalid value: ".x[": is an invalid jsonpath: ')


def test_a_kind_without_columns_shows_name_and_age() -> None:
    assert [column.name for column in printer_columns(None)] == ["Name", "Age"]


def test_a_column_may_be_for_wide_tables_and_have_its_own_description() -> None:
    column = {"name": "X", "type": "string", "jsonPath": ".x", "priority": 1, "description": "d"}
    assert printer_columns([column])[1].definition() == {
        "name": "X",
        "type": "string",
        "format": "",
        "description": "d",
        "priority": 1,
    }


@pytest.mark.parametrize(
    ("include", "expected"),
    [
        ("None", None),
        ("Object", widget(model="m")),
        (
            "Metadata",
            {
                "kind": "PartialObjectMetadata",
                "apiVersion": "meta.k8s.io/v1",
                "metadata": widget()["metadata"],
            },
        ),
    ],
)
def test_a_row_carries_what_was_asked_for(include: Json, expected: Json) -> None:
    found = table([widget(model="m")], WIDGET_COLUMNS, now=NOW, include=include)
    assert found["rows"][0]["object"] == expected


def test_a_node_shows_its_state_its_roles_and_its_version() -> None:
    node: Object = {
        "metadata": {"name": "n", "labels": {"node-role.kubernetes.io/gpu": ""}},
        "spec": {"unschedulable": True},
        "status": {
            "conditions": [{"type": "Ready", "status": "True"}],
            "nodeInfo": {"kubeletVersion": "v1"},
            "addresses": [{"type": "InternalIP", "address": "10.0.0.1"}],
        },
    }
    shown = cells(("v1", "Node"), node)
    assert (shown["Status"], shown["Roles"]) == ("Ready,SchedulingDisabled", "gpu")
    assert (shown["Version"], shown["Internal-IP"]) == ("v1", "10.0.0.1")
    assert cells(("v1", "Node"), {"metadata": {"name": "n"}})["Status"] == "Unknown"


def test_a_service_shows_how_it_is_reached() -> None:
    service = recorded("10-core-resources")[10]["response"]["body"]
    shown = cells(("v1", "Service"), service)
    assert shown["Type"] == "ClusterIP"
    assert (shown["Cluster-IP"], shown["External-IP"]) == ("None", "<none>")
    assert (shown["Port(s)"], shown["Selector"]) == ("8080/TCP", "<none>")


@pytest.mark.parametrize(
    ("service", "outside"),
    [
        ({"spec": {"type": "ExternalName", "externalName": "h.io"}}, "h.io"),
        ({"spec": {"type": "LoadBalancer"}}, "<pending>"),
        (
            {
                "spec": {"type": "LoadBalancer"},
                "status": {"loadBalancer": {"ingress": [{"ip": "1.2.3.4"}]}},
            },
            "1.2.3.4",
        ),
        ({"spec": {"externalIPs": ["5.6.7.8"]}}, "5.6.7.8"),
    ],
)
def test_a_service_shows_its_addresses_outside(service: Object, outside: str) -> None:
    assert cells(("v1", "Service"), service)["External-IP"] == outside


def test_a_slice_shows_the_first_of_its_addresses() -> None:
    endpoints = [{"addresses": [f"10.0.0.{i}"]} for i in range(5)]
    shown = cells(("discovery.k8s.io/v1", "EndpointSlice"), {"endpoints": endpoints, "ports": []})
    assert shown["Endpoints"] == "10.0.0.0,10.0.0.1,10.0.0.2 + 2 more..."
    assert shown["Ports"] == "<unset>"


def test_an_event_shows_what_happened_to_what_and_when_last() -> None:
    event: Object = {
        "involvedObject": {"kind": "Widget", "name": "a", "fieldPath": "spec.x"},
        "source": {"component": "c", "host": "h"},
        "lastTimestamp": "2026-11-23T06:31:02Z",
        "message": "done\n",
        "count": 3,
    }
    shown = cells(("v1", "Event"), event)
    assert (shown["Last Seen"], shown["Object"]) == ("10s", "widget/a")
    assert (shown["Source"], shown["Subobject"]) == ("c, h", "spec.x")
    assert (shown["Message"], shown["Count"]) == ("done", 3)


def test_a_pod_shows_the_trouble_of_its_container() -> None:
    waiting = {
        "ready": False,
        "restartCount": 2,
        "state": {"waiting": {"reason": "CrashLoopBackOff"}},
    }
    pod: Object = {
        "metadata": {"name": "p"},
        "spec": {"containers": [{}, {}]},
        "status": {"phase": "Running", "containerStatuses": [waiting, {"ready": True}]},
    }
    shown = cells(("v1", "Pod"), pod)
    assert (shown["Ready"], shown["Status"]) == ("1/2", "CrashLoopBackOff")
    assert (shown["Restarts"], shown["Node"]) == ("2", "<none>")
    pod["metadata"]["deletionTimestamp"] = "2026-11-23T06:31:02Z"
    assert cells(("v1", "Pod"), pod)["Status"] == "Terminating"


@pytest.mark.parametrize("key", COLUMNS)
def test_an_object_that_says_nothing_is_shown_nevertheless(key: tuple[str, str]) -> None:
    assert cells(key, {"metadata": {"name": "x"}})["Name"] == "x"
