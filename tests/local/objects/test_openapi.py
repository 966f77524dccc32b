"""OpenAPI documents against the recorded ones."""

from collections.abc import Iterator
from dataclasses import dataclass

from llmaz.local.objects.builtin import SCHEMAS
from llmaz.local.objects.openapi import index, openapi_v3
from llmaz.local.objects.values import Json, Schema
from support.objects import recorded, widget_schema

VERBS = ("create", "delete", "deletecollection", "get", "list", "patch", "update", "watch")


@dataclass(kw_only=True)
class Resource:
    """A served resource as the documents need it."""

    group: str = ""
    version: str = "v1"
    kind: str
    plural: str
    namespaced: bool = True
    schema: Schema
    list_kind: str = ""
    verbs: tuple[str, ...] = VERBS
    selectable: tuple[str, ...] = ()
    has_status: bool = False
    scale: object | None = None
    custom: bool = False


def widgets() -> Resource:
    return Resource(
        group="golden.example.io",
        kind="Widget",
        plural="widgets",
        schema=widget_schema(),
        list_kind="WidgetList",
        selectable=("spec.node",),
        has_status=True,
        scale=object(),
        custom=True,
    )


def differences(one: Json, other: Json, path: str = "") -> Iterator[str]:
    """Yield where two documents differ, descriptions apart."""
    if isinstance(one, dict) and isinstance(other, dict):
        for key in sorted({*one, *other} - {"description"}):
            if key not in one or key not in other:
                yield f"{path}/{key}"
            else:
                yield from differences(one[key], other[key], f"{path}/{key}")
    elif isinstance(one, list) and isinstance(other, list) and len(one) == len(other):
        for i, (mine, yours) in enumerate(zip(one, other, strict=True)):
            yield from differences(mine, yours, f"{path}/{i}")
    elif one != other:
        yield path


def test_the_document_of_the_recorded_group_differs_where_it_is_meant_to() -> None:
    document = openapi_v3("golden.example.io/v1", [widgets()])
    found = set(differences(document, recorded("13-openapi")[1]["response"]["body"]))
    collection = "/paths//apis/golden.example.io/v1/namespaces/{namespace}/widgets"
    meta = "/components/schemas/io.k8s.apimachinery.pkg.apis.meta.v1"
    assert found == {
        "/info/title",
        "/info/version",
        # Selection by shards is an alpha feature of the recorded server.
        f"{collection}/delete/parameters",
        f"{collection}/get/parameters",
        "/paths//apis/golden.example.io/v1/widgets/parameters",
        f"{meta}.ListMeta/properties/shardInfo",
        f"{meta}.ShardInfo",
        # Every group that the recorded server serves.
        f"{meta}.DeleteOptions/x-kubernetes-group-version-kind",
    }


def test_descriptions_of_a_kind_are_kept() -> None:
    schema = {"type": "object", "description": "A thing.", "properties": {}}
    resource = Resource(group="x.io", kind="Thing", plural="things", schema=schema, custom=True)
    schemas = openapi_v3("x.io/v1", [resource])["components"]["schemas"]
    assert schemas["io.x.v1.Thing"]["description"] == "A thing."


def test_built_in_kinds_have_their_own_names_and_take_strategic_patches() -> None:
    node = Resource(kind="Node", plural="nodes", namespaced=False, schema=SCHEMAS["v1", "Node"])
    document = openapi_v3("v1", [node])
    assert "io.k8s.api.core.v1.Node" in document["components"]["schemas"]
    patch = document["paths"]["/api/v1/nodes/{name}"]["patch"]
    assert "application/strategic-merge-patch+json" in patch["requestBody"]["content"]
    assert patch["operationId"] == "patchCoreV1Node"


def test_marks_for_the_server_alone_are_not_published() -> None:
    pod = Resource(kind="Pod", plural="pods", schema=SCHEMAS["v1", "Pod"])
    assert "x-llmaz" not in str(openapi_v3("v1", [pod]))


def test_every_reference_leads_somewhere() -> None:
    pod = Resource(kind="Pod", plural="pods", schema=SCHEMAS["v1", "Pod"])
    for document in (openapi_v3("golden.example.io/v1", [widgets()]), openapi_v3("v1", [pod])):
        known = {f"#/components/schemas/{name}" for name in document["components"]["schemas"]}
        assert set(_references(document)) <= known


def test_a_resource_without_a_verb_has_no_path_for_it() -> None:
    review = Resource(kind="Review", plural="reviews", schema={"type": "object"}, verbs=("create",))
    document = openapi_v3("v1", [review])
    [path] = document["paths"].values()
    assert set(path) == {"post", "parameters"}


def test_the_index_names_each_document_by_what_it_holds() -> None:
    document = openapi_v3("v1", [])
    found = index({"v1": document, "golden.example.io/v1": {}})["paths"]
    recorded_paths = recorded("13-openapi")[0]["response"]["body"]["paths"]
    assert set(found) < set(recorded_paths)
    url, _, digest = found["api/v1"]["serverRelativeURL"].partition("?hash=")
    assert url == "/openapi/v3/api/v1"
    assert len(digest) == len(recorded_paths["api/v1"]["serverRelativeURL"].partition("?hash=")[2])


def _references(value: Json) -> Iterator[str]:
    if isinstance(value, dict):
        if isinstance(value.get("$ref"), str):
            yield value["$ref"]
        for item in value.values():
            yield from _references(item)
    elif isinstance(value, list):
        for item in value:
            yield from _references(item)
