"""Which objects of a list or watch are wanted: label and field selectors of the query."""

from collections.abc import Callable, Iterator

from llmaz.local.apiserver.metadata import meta
from llmaz.local.apiserver.resource import Resource
from llmaz.local.apiserver.routes import Request
from llmaz.local.apiserver.status import bad_request
from llmaz.local.objects.selectors import (
    SelectorError,
    parse_fields,
    parse_labels,
    required_name,
)
from llmaz.local.objects.values import Object

Wanted = Callable[[Object], bool]


def selection(resource: Resource, request: Request) -> Wanted | None:
    """Return the test that an object must pass, or None when all do."""
    try:
        tests = list(_tests(resource, request))
    except SelectorError as error:
        raise bad_request(str(error)) from None
    if not tests:
        return None
    return lambda obj: all(test(obj) for test in tests)


def selected_name(request: Request) -> str:
    """Return the name that every wanted object has; empty if they may have any."""
    return required_name(request.query.get("fieldSelector", ""))


def _tests(resource: Resource, request: Request) -> Iterator[Wanted]:
    if labels := request.query.get("labelSelector"):
        matches = parse_labels(labels)
        yield lambda obj: matches(meta(obj).get("labels") or {})
    if fields := request.query.get("fieldSelector"):
        yield parse_fields(fields, resource.selectable, custom=resource.custom)
