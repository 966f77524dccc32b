"""OpenAPI paths of a resource: each verb with its parameters, bodies and answers."""

import re
from collections.abc import Iterator, Sequence
from dataclasses import dataclass

from llmaz.local.objects.openapimeta import ref
from llmaz.local.objects.values import Object, Schema

_JSON, _YAML = "application/json", "application/yaml"
_PATCHES = (
    "application/apply-patch+yaml",
    "application/json-patch+json",
    "application/merge-patch+json",
)
_STRATEGIC = "application/strategic-merge-patch+json"
_TYPES = {
    "boolean": [
        "allowWatchBookmarks",
        "force",
        "ignoreStoreReadErrorWithClusterBreakingPotential",
        "orphanDependents",
        "sendInitialEvents",
        "watch",
    ],
    "integer": ["gracePeriodSeconds", "limit", "timeoutSeconds"],
}
_DESCRIPTIONS = {
    "allowWatchBookmarks": "Whether a watch may send events that only tell how far it is.",
    "continue": "The next page of a list: what the last page's metadata said.",
    "dryRun": "`All` asks what would happen and changes nothing.",
    "fieldManager": "The name under which the written fields are managed.",
    "fieldSelector": "Only objects with these values in their fields.",
    "fieldValidation": "What unknown and repeated fields are: Ignore, Warn or Strict.",
    "force": "Whether an apply takes fields from their managers.",
    "gracePeriodSeconds": "How long the object may take to stop; 0 for at once.",
    "ignoreStoreReadErrorWithClusterBreakingPotential": "Whether what can't be read is removed.",
    "labelSelector": "Only objects with these labels.",
    "limit": "The most objects on one page.",
    "name": "The object's name.",
    "namespace": "The object's namespace.",
    "orphanDependents": "The older form of propagationPolicy.",
    "pretty": "Whether the answer is indented.",
    "propagationPolicy": "What happens to its dependents: Background, Foreground or Orphan.",
    "resourceVersion": "The state to read, or to watch from.",
    "resourceVersionMatch": "How exactly the state must be met.",
    "sendInitialEvents": "Whether a watch begins with the objects that exist.",
    "timeoutSeconds": "After how many seconds the answer ends.",
    "watch": "Whether changes follow as they happen.",
}
_LIST_WORDS = (
    "allowWatchBookmarks continue fieldSelector labelSelector limit resourceVersion "
    "resourceVersionMatch sendInitialEvents timeoutSeconds watch"
)
_LIST = _LIST_WORDS.split()
_WRITE = ["dryRun", "fieldManager", "fieldValidation"]
_DELETE = [
    "dryRun",
    "gracePeriodSeconds",
    "ignoreStoreReadErrorWithClusterBreakingPotential",
    "orphanDependents",
    "propagationPolicy",
]


@dataclass(frozen=True, slots=True, kw_only=True)
class Target:
    """The resource whose paths are described."""

    group: str
    version: str
    kind: str
    plural: str
    namespaced: bool
    verbs: Sequence[str]
    has_status: bool
    has_scale: bool
    strategic: bool
    schema_name: str
    list_name: str

    @property
    def root(self) -> str:
        return f"/apis/{self.group}/{self.version}" if self.group else f"/api/{self.version}"

    @property
    def tag(self) -> str:
        """The group version in camelCase: `goldenExampleIo_v1`."""
        group = self.group.removesuffix(".k8s.io") or "core"
        words = re.split(r"[.-]", group)
        return words[0] + "".join(word.capitalize() for word in words[1:]) + f"_{self.version}"

    @property
    def scope(self) -> str:
        return "Namespaced" if self.namespaced else ""


def paths(target: Target) -> Object:
    """Return the paths of a resource, with the verbs that it has."""
    found = dict(_paths(target))
    return {path: item for path, item in found.items() if any(key != "parameters" for key in item)}


def _paths(target: Target) -> Iterator[tuple[str, Object]]:
    inside = f"{target.root}/namespaces/{{namespace}}" if target.namespaced else target.root
    where = ["namespace"] if target.namespaced else []
    yield f"{inside}/{target.plural}", _collection(target, where)
    if target.namespaced and "list" in target.verbs:
        everywhere = _operation(
            target, "list", "list", target.list_name, suffix="ForAllNamespaces", scope=""
        )
        yield (
            f"{target.root}/{target.plural}",
            {"get": everywhere, "parameters": _parameters(["pretty", *_LIST])},
        )
    one = f"{inside}/{target.plural}/{{name}}"
    shared = _parameters(["name", *where, "pretty"])
    yield one, {**_item(target), "parameters": shared}
    if target.has_scale:
        yield f"{one}/scale", {**_subresource(target, "Scale", "Scale"), "parameters": shared}
    if target.has_status:
        yield (
            f"{one}/status",
            {**_subresource(target, "Status", target.schema_name), "parameters": shared},
        )


def _collection(target: Target, where: list[str]) -> Object:
    operations: Object = {}
    if "deletecollection" in target.verbs:
        operations["delete"] = _operation(
            target, "delete", "deletecollection", "Status", parameters=_LIST, prefix="Collection"
        )
    if "list" in target.verbs:
        operations["get"] = _operation(target, "list", "list", target.list_name, parameters=_LIST)
    if "create" in target.verbs:
        operations["post"] = _operation(
            target,
            "create",
            "post",
            target.schema_name,
            parameters=_WRITE,
            body=target.schema_name,
            answers=("200", "201", "202"),
        )
    return {**operations, "parameters": _parameters([*where, "pretty"])}


def _item(target: Target) -> Object:
    operations: Object = {}
    if "delete" in target.verbs:
        operations["delete"] = _operation(
            target,
            "delete",
            "delete",
            "Status",
            parameters=_DELETE,
            body="DeleteOptions",
            optional=True,
            answers=("200", "202"),
        )
    if "get" in target.verbs:
        operations["get"] = _operation(
            target, "read", "get", target.schema_name, parameters=["resourceVersion"]
        )
    if "patch" in target.verbs:
        operations |= _changes(target, target.schema_name, "")
    return operations


def _subresource(target: Target, suffix: str, schema: str) -> Object:
    read = _operation(target, "read", "get", schema, parameters=["resourceVersion"], suffix=suffix)
    return {"get": read, **_changes(target, schema, suffix)}


def _changes(target: Target, schema: str, suffix: str) -> Object:
    patch = _operation(
        target, "patch", "patch", schema, parameters=[*_WRITE, "force"], body="Patch", suffix=suffix
    )
    put = _operation(
        target,
        "replace",
        "put",
        schema,
        parameters=_WRITE,
        body=schema,
        answers=("200", "201"),
        suffix=suffix,
    )
    return {"patch": patch, "put": put}


def _operation(
    target: Target,
    word: str,
    action: str,
    answer: str,
    *,
    parameters: Sequence[str] = (),
    body: str = "",
    optional: bool = False,
    answers: Sequence[str] = ("200",),
    prefix: str = "",
    suffix: str = "",
    scope: str | None = None,
) -> Object:
    group, _, version = target.tag.partition("_")
    where = target.scope if scope is None else scope
    head = f"{word}{group[0].upper()}{group[1:]}{version.capitalize()}"
    name = f"{head}{prefix}{where}{target.kind}{suffix}"
    content = _content((_JSON, _YAML), answer)
    operation: Object = {
        "description": f"{word} {target.kind}".capitalize(),
        "operationId": name,
        "parameters": _parameters(parameters),
        "responses": {code: {"description": _CODES[code], "content": content} for code in answers}
        | {"401": {"description": "Unauthorized"}},
        "tags": [target.tag],
        "x-kubernetes-action": action,
        "x-kubernetes-group-version-kind": {
            "group": target.group,
            "kind": target.kind,
            "version": target.version,
        },
    }
    if body:
        patches = (*_PATCHES, _STRATEGIC) if target.strategic else _PATCHES
        forms = patches if body == "Patch" else (_JSON, _YAML)
        operation["requestBody"] = {"content": _content(forms, body)}
        if not optional:
            operation["requestBody"]["required"] = True
    return {key: value for key, value in operation.items() if value != []}


_CODES = {"200": "OK", "201": "Created", "202": "Accepted"}


def _content(forms: Sequence[str], schema: str) -> Object:
    return {form: {"schema": _schema(schema)} for form in forms}


def _schema(name: str) -> Schema:
    return ref(name) if "." not in name else {"$ref": f"#/components/schemas/{name}"}


def _parameters(names: Sequence[str]) -> list[Object]:
    return [
        _parameter(name) for name in sorted(names, key=lambda name: (name not in _PLACES, name))
    ]


_PLACES = ("name", "namespace")


def _parameter(name: str) -> Object:
    kind = next((kind for kind, names in _TYPES.items() if name in names), "string")
    parameter: Object = {
        "name": name,
        "in": "path" if name in _PLACES else "query",
        "description": _DESCRIPTIONS[name],
        "schema": {"type": kind, "uniqueItems": True},
    }
    return {**parameter, "required": True} if name in _PLACES else parameter
