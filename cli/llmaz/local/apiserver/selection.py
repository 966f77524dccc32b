"""Which objects of a list or watch are wanted: label and field selectors of the query."""

from collections.abc import Callable

from llmaz.local.apiserver.metadata import meta
from llmaz.local.apiserver.resource import Resource
from llmaz.local.apiserver.routes import Request
from llmaz.local.apiserver.status import bad_request
from llmaz.local.objects.selectors import SelectorError, parse_fields, parse_labels
from llmaz.local.objects.values import Json, Object

Wanted = Callable[[Object], bool]


def selection(resource: Resource, request: Request, name: str = "") -> Wanted | None:
    """Return the test that an object must pass, or None when all do."""
    tests = [*_label_tests(request), *_field_tests(resource, request)]
    if name:
        tests.append(lambda obj: bool(meta(obj)["name"] == name))
    if not tests:
        return None
    return lambda obj: all(test(obj) for test in tests)


def _label_tests(request: Request) -> list[Wanted]:
    text = request.query.get("labelSelector", "")
    if not text:
        return []
    try:
        matches = parse_labels(text)
    except SelectorError as error:
        raise bad_request(str(error)) from None
    return [lambda obj: matches(meta(obj).get("labels") or {})]


def _field_tests(resource: Resource, request: Request) -> list[Wanted]:
    text = request.query.get("fieldSelector", "")
    if not text:
        return []
    allowed = ("metadata.name", "metadata.namespace", *resource.selectable)
    try:
        matches = parse_fields(text, allowed)
    except SelectorError as error:
        raise bad_request(str(error)) from None
    return [lambda obj: matches({path: field_text(obj, path) for path in allowed})]


def field_text(obj: Object, path: str) -> str:
    """Return the field at a dotted path as field selectors see it; an absent one is empty."""
    value: Json = obj
    for part in path.split("."):
        value = value.get(part) if isinstance(value, dict) else None
    if isinstance(value, bool):
        return str(value).lower()
    return "" if value is None else str(value)
