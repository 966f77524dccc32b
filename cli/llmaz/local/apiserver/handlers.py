"""Requests for objects: from a route to the function that answers it."""

from collections.abc import AsyncIterator, Iterator, Sequence
from dataclasses import dataclass, replace

from llmaz.local.apiserver import definitions, deletion, pods, reading, reviews, status
from llmaz.local.apiserver.bodies import read_object, read_options
from llmaz.local.apiserver.context import Context
from llmaz.local.apiserver.deletion import options_of
from llmaz.local.apiserver.discovery import subresources
from llmaz.local.apiserver.establishing import settle
from llmaz.local.apiserver.evictions import require_budget
from llmaz.local.apiserver.forms import Render, as_served, list_head, render_for
from llmaz.local.apiserver.metadata import meta
from llmaz.local.apiserver.negotiation import Answer, negotiated
from llmaz.local.apiserver.options import require_options
from llmaz.local.apiserver.patching import patch, patched_scale
from llmaz.local.apiserver.resource import Key, Resource
from llmaz.local.apiserver.routes import Request, Route
from llmaz.local.apiserver.scaling import scale_of, scaled
from llmaz.local.apiserver.selection import selected_name, selection
from llmaz.local.apiserver.versions import Stored, encoded
from llmaz.local.apiserver.watching import Watch
from llmaz.local.apiserver.writing import Write, Written, create, update
from llmaz.local.objects.values import Object

_SUCCESS: Object = {"kind": "Status", "apiVersion": "v1", "metadata": {}, "status": "Success"}


@dataclass(frozen=True, slots=True)
class Response:
    """An answer: a body, or the lines of a watch."""

    code: int
    body: bytes
    media_type: str
    warnings: tuple[str, ...] = ()
    lines: AsyncIterator[bytes] | None = None


@dataclass(frozen=True, slots=True)
class _Call:
    """One request for objects with everything that was found out about it."""

    context: Context
    resource: Resource
    route: Route
    request: Request
    answer: Answer
    render: Render

    @property
    def key(self) -> Key:
        return (self.route.namespace if self.resource.namespaced else "", self.route.name)


async def handle(context: Context, route: Route, request: Request, user: str) -> Response | None:
    """Answer a request for objects; None when no such resource is served."""
    resource = context.registry.find(route.group, route.version, route.plural)
    if resource is None or not _exists(resource, route):
        return None
    _require_verb(resource, route)
    require_options(request, route.verb)
    answer = negotiated(request.accept)
    if reviews.is_review(resource):
        review, _ = read_object(request.body, request.content_type, resource.kind)
        return _response(201, reviews.answered(resource, review, user), answer)
    include = request.query.get("includeObject", "")
    render = render_for(resource, answer, clock=context.clock, include=include)
    call = _Call(context, resource, route, request, answer, render)
    match route.verb:
        case "get":
            return _get(call)
        case "list":
            return _list(call)
        case "watch":
            return _watch(call)
        case "delete":
            return await _delete(call)
        case "deletecollection":
            return await _delete_collection(call)
    return await _write(call)


def _exists(resource: Resource, route: Route) -> bool:
    if resource.namespaced and route.name and not route.namespace:
        return False
    if not resource.namespaced and route.namespace and route.plural != "namespaces":
        return False
    return route.subresource in dict(_verbs(resource))


def _verbs(resource: Resource) -> Iterator[tuple[str, Sequence[str]]]:
    """Yield each subresource, the empty one first, with its verbs."""
    yield "", resource.verbs
    for name, _, verbs in subresources(resource):
        yield name, verbs


def _require_verb(resource: Resource, route: Route) -> None:
    allowed = dict(_verbs(resource))[route.subresource]
    collective = route.verb in ("create", "list", "watch", "deletecollection")
    misplaced = (collective and not route.subresource) == bool(route.name)
    in_one = route.verb in ("create", "deletecollection")  # never in all namespaces at once
    everywhere = resource.namespaced and not route.namespace and in_one
    if route.verb not in allowed or misplaced or everywhere:
        raise status.method_not_allowed()


def _get(call: _Call) -> Response:
    resource = call.resource
    stored = reading.get(call.context, resource, call.key)
    if call.route.subresource == "scale" and resource.scale is not None:
        scale = scale_of(as_served(resource, stored.obj), resource.scale)
        return _response(200, scale, call.answer)
    return Response(200, call.render.one(stored), call.answer.media_type)


def _list(call: _Call) -> Response:
    found, metadata = reading.select(
        call.context,
        call.resource,
        call.request,
        namespace=call.route.namespace,
        wanted=selection(call.resource, call.request),
    )
    return Response(200, call.render.many(found, metadata), call.answer.media_type)


def _watch(call: _Call) -> Response:
    watch = Watch(
        context=call.context,
        resource=call.resource,
        namespace=call.key[0],
        wanted=selection(call.resource, call.request),
        name=selected_name(call.request),
        render=call.render,
    )
    lines = watch.lines(call.request)
    return Response(200, b"", call.answer.media_type, lines=lines)


async def _write(call: _Call) -> Response:
    context, request, write = call.context, call.request, _write_of(call)
    if write.subresource == "binding":
        binding, _ = read_object(request.body, request.content_type, "Binding")
        await pods.bind(context, write.resource, call.key, binding)
        return _response(201, {**_SUCCESS, "code": 201}, call.answer)
    if write.subresource == "eviction":
        eviction, _ = read_object(request.body, request.content_type, "Eviction")
        options = options_of(eviction.get("deleteOptions") or {}, request)
        require_budget(context, call.key)
        await deletion.delete(context, write.resource, call.key, options)
        return _response(201, {**_SUCCESS, "code": 201}, call.answer)
    if write.subresource == "scale":
        return await _scale(context, write, request, call.answer)
    code = 200
    if call.route.verb == "patch":
        code, written = await patch(context, write, request)
    else:
        obj, duplicates = read_object(request.body, request.content_type, write.resource.kind)
        write = replace(write, duplicates=duplicates)
        if call.route.verb == "create":
            code, written = 201, await create(context, write, obj)
        else:
            written = await update(context, write, lambda _: obj)
    if write.resource.storage == definitions.STORAGE:
        await settle(context)
    stored = _as_stored(write.resource, written)
    return Response(code, call.render.one(stored), call.answer.media_type, written.warnings)


async def _scale(context: Context, write: Write, request: Request, answer: Answer) -> Response:
    scale = write.resource.scale
    assert scale is not None

    def change(old: Object) -> Object:
        shown = scale_of(old, scale)
        if request.method == "PATCH":
            return scaled(old, scale, patched_scale(write, request, shown))
        wanted, _ = read_object(request.body, request.content_type, "Scale")
        return scaled(old, scale, wanted)

    written = await update(context, write, change)
    return _response(200, scale_of(written.obj, scale), answer)


async def _delete(call: _Call) -> Response:
    body = read_options(call.request.body, call.request.content_type)
    options = options_of(body, call.request)
    gone = await deletion.delete(call.context, call.resource, call.key, options)
    return _response(200, gone, call.answer)


async def _delete_collection(call: _Call) -> Response:
    body = read_options(call.request.body, call.request.content_type)
    options = options_of(body, call.request)
    revision = call.context.store.revision
    found, _ = reading.select(
        call.context,
        call.resource,
        call.request,
        namespace=call.route.namespace,
        wanted=selection(call.resource, call.request),
    )
    keys = [stored.key for stored in found]
    await deletion.delete_all(call.context, call.resource, keys, options)
    items = [as_served(call.resource, stored.obj) for stored in found]
    head = list_head(call.resource, {"resourceVersion": str(revision)})
    return _response(200, head | {"items": items}, call.answer)


def _write_of(call: _Call) -> Write:
    namespace, name = call.key
    return Write(
        resource=call.resource,
        namespace=namespace,
        name=name,
        subresource=call.route.subresource,
        manager=call.request.manager(),
        dry_run=call.request.dry_run,
        field_validation=call.request.query.get("fieldValidation") or "Warn",
    )


def _as_stored(resource: Resource, written: Written) -> Stored:
    metadata = meta(written.obj)
    key = (metadata.get("namespace", ""), metadata["name"])
    revision = int(metadata.get("resourceVersion", "0"))
    return Stored(resource.storage, key, revision, written.obj, encoded(written.obj))


def _response(code: int, obj: Object, answer: Answer) -> Response:
    return Response(code, encoded(obj), answer.media_type)
