"""Requests for objects: from a route to the function that answers it."""

from collections.abc import AsyncIterator, Iterator, Sequence
from dataclasses import dataclass, replace

from llmaz.local.apiserver import definitions, deletion, reading, reviews, status
from llmaz.local.apiserver.bodies import read_object, read_options
from llmaz.local.apiserver.context import Context
from llmaz.local.apiserver.deletion import options_of
from llmaz.local.apiserver.discovery import subresources
from llmaz.local.apiserver.establishing import settle
from llmaz.local.apiserver.forms import Render, as_served, list_head, render_for
from llmaz.local.apiserver.metadata import meta
from llmaz.local.apiserver.negotiation import Answer, negotiated
from llmaz.local.apiserver.patching import patch, patched_scale
from llmaz.local.apiserver.resource import Key, Resource
from llmaz.local.apiserver.routes import Request, Route
from llmaz.local.apiserver.scaling import scale_of, scaled
from llmaz.local.apiserver.selection import Wanted, selection
from llmaz.local.apiserver.versions import Stored, encoded
from llmaz.local.apiserver.watching import require_watchable, revision_of, watch
from llmaz.local.apiserver.writing import Write, Written, create, update
from llmaz.local.objects.values import Object


@dataclass(frozen=True, slots=True)
class Response:
    """An answer: a body, or the lines of a watch."""

    code: int
    body: bytes
    media_type: str
    warnings: tuple[str, ...] = ()
    lines: AsyncIterator[bytes] | None = None


async def handle(context: Context, route: Route, request: Request, user: str) -> Response | None:
    """Answer a request for objects; None when no such resource is served."""
    resource = context.registry.find(route.group, route.version, route.plural)
    if resource is None or not _exists(resource, route):
        return None
    _require_verb(resource, route)
    answer = negotiated(request.accept)
    if reviews.is_review(resource):
        review, _ = read_object(request.body, request.content_type, resource.kind)
        return _response(201, reviews.answered(resource, review, user), answer)
    include = request.query.get("includeObject", "")
    render = render_for(resource, answer, clock=context.clock, include=include)
    match route.verb:
        case "get":
            return _get(context, resource, route, answer, render)
        case "list":
            return _list(context, resource, route, request, answer, render)
        case "watch":
            return _watch(context, resource, route, request, answer, render)
        case "delete":
            return await _delete(context, resource, route, request, answer)
        case "deletecollection":
            return await _delete_collection(context, resource, route, request, answer)
    return await _write(context, resource, route, request, answer, render)


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
    on_collection = route.verb in ("create", "list", "deletecollection")
    named = bool(route.name)
    misplaced = route.verb != "watch" and on_collection == named
    everywhere = resource.namespaced and not route.namespace and route.verb == "create"
    if route.verb not in allowed or misplaced or everywhere:
        raise status.method_not_allowed()


def _get(
    context: Context, resource: Resource, route: Route, answer: Answer, render: Render
) -> Response:
    stored = reading.get(context, resource, _key(resource, route))
    if route.subresource == "scale" and resource.scale is not None:
        return _response(200, scale_of(as_served(resource, stored.obj), resource.scale), answer)
    return Response(200, render.one(stored), answer.media_type)


def _list(
    context: Context,
    resource: Resource,
    route: Route,
    request: Request,
    answer: Answer,
    render: Render,
) -> Response:
    found, metadata = reading.select(
        context,
        resource,
        request,
        namespace=route.namespace,
        wanted=selection(resource, request),
    )
    return Response(200, render.many(found, metadata), answer.media_type)


def _watch(
    context: Context,
    resource: Resource,
    route: Route,
    request: Request,
    answer: Answer,
    render: Render,
) -> Response:
    require_watchable(request)
    revision_of(request.query.get("resourceVersion", ""))
    lines = watch(
        context,
        resource,
        request,
        namespace=route.namespace if resource.namespaced else "",
        wanted=selection(resource, request, route.name),
        render=render,
    )
    return Response(200, b"", answer.media_type, lines=lines)


async def _write(
    context: Context,
    resource: Resource,
    route: Route,
    request: Request,
    answer: Answer,
    render: Render,
) -> Response:
    write = _write_of(resource, route, request)
    if route.subresource == "scale":
        return await _scale(context, write, request, answer)
    code = 200
    if route.verb == "patch":
        code, written = await patch(context, write, request)
    else:
        obj, duplicates = read_object(request.body, request.content_type, resource.kind)
        write = replace(write, duplicates=duplicates)
        if route.verb == "create":
            code, written = 201, await create(context, write, obj)
        else:
            written = await update(context, write, lambda _: obj)
    if resource.storage == definitions.STORAGE:
        await settle(context)
    stored = _as_stored(resource, written)
    return Response(code, render.one(stored), answer.media_type, written.warnings)


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


async def _delete(
    context: Context, resource: Resource, route: Route, request: Request, answer: Answer
) -> Response:
    options = options_of(read_options(request.body, request.content_type), request)
    gone = await deletion.delete(context, resource, _key(resource, route), options)
    return _response(200, gone, answer)


async def _delete_collection(
    context: Context, resource: Resource, route: Route, request: Request, answer: Answer
) -> Response:
    options = options_of(read_options(request.body, request.content_type), request)
    wanted: Wanted | None = selection(resource, request)
    revision = context.store.revision
    found, _ = reading.select(context, resource, request, namespace=route.namespace, wanted=wanted)
    for stored in found:
        try:
            await deletion.delete(context, resource, stored.key, options)
        except status.StatusError as error:
            if error.code != 404:  # somebody else was quicker
                raise
    items = [as_served(resource, stored.obj) for stored in found]
    head = list_head(resource, {"resourceVersion": str(revision)})
    return _response(200, head | {"items": items}, answer)


def _write_of(resource: Resource, route: Route, request: Request) -> Write:
    validation = request.query.get("fieldValidation", "")
    if validation not in ("", "Strict", "Warn", "Ignore"):
        raise status.bad_request(f"fieldValidation parameter unsupported: {validation}")
    namespace, name = _key(resource, route)
    return Write(
        resource=resource,
        namespace=namespace,
        name=name,
        subresource=route.subresource,
        manager=request.manager(),
        dry_run=request.dry_run,
        field_validation=validation or "Warn",
    )


def _key(resource: Resource, route: Route) -> Key:
    return (route.namespace if resource.namespaced else "", route.name)


def _as_stored(resource: Resource, written: Written) -> Stored:
    metadata = meta(written.obj)
    key = (metadata.get("namespace", ""), metadata["name"])
    revision = int(metadata.get("resourceVersion", "0"))
    return Stored(resource.storage, key, revision, written.obj, encoded(written.obj))


def _response(code: int, obj: Object, answer: Answer) -> Response:
    return Response(code, encoded(obj), answer.media_type)
