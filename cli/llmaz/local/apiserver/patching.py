"""Patches: JSON, merge, strategic (built-in kinds) and server-side apply."""

from dataclasses import replace

from llmaz.local.apiserver import status
from llmaz.local.apiserver.bodies import media_type, read_patch
from llmaz.local.apiserver.context import Context
from llmaz.local.apiserver.metadata import meta, with_meta
from llmaz.local.apiserver.metatypes import require_metadata
from llmaz.local.apiserver.routes import Request
from llmaz.local.apiserver.writing import Write, Written, create, update
from llmaz.local.objects.apply import ApplyConflict, ApplyError, server_side_apply
from llmaz.local.objects.fielderror import FieldError
from llmaz.local.objects.patches import PatchError, json_patch, merge_patch, strategic_patch
from llmaz.local.objects.values import Json, Object, compact

JSON_PATCH = "application/json-patch+json"
MERGE = "application/merge-patch+json"
STRATEGIC = "application/strategic-merge-patch+json"
APPLY = "application/apply-patch+yaml"
_KUBECTL = "kubectl"  # the field manager of `kubectl apply --server-side`
_LAST_APPLIED = "kubectl.kubernetes.io/last-applied-configuration"
_CUSTOM = [JSON_PATCH, MERGE, APPLY]
_BUILTIN = [JSON_PATCH, MERGE, STRATEGIC, APPLY]


async def patch(context: Context, write: Write, request: Request) -> tuple[int, Written]:
    """Change an object by the patch in the request's body; an apply may create it."""
    kind = media_type(request.content_type)
    accepted = _CUSTOM if write.resource.custom else _BUILTIN
    if kind not in accepted:
        raise status.unsupported_media_type(accepted)
    content = read_patch(request.body, kind)
    if kind == APPLY:
        return await _apply(context, write, request, content)
    if "force" in request.query:
        error = FieldError("force", "forbidden", None, "may not be specified for non-apply patch")
        raise status.invalid_options("PatchOptions", [error])
    return 200, await update(context, write, lambda old: patched(write, kind, old, content))


def patched(write: Write, kind: str, old: Object, content: Json) -> Object:
    """Return an object with a patch applied, or refuse in the server's words."""
    try:
        if kind == JSON_PATCH:
            return json_patch(old, content)
        if kind == STRATEGIC:
            return strategic_patch(old, content, write.resource.schema)
        return merge_patch(old, content)
    except PatchError as error:
        if error.code == 422:
            raise status.StatusError(422, "Invalid", error.message, details={}) from None
        if error.code == 413:
            raise status.StatusError(413, "RequestEntityTooLarge", error.message) from None
        raise status.bad_request(error.message) from None


async def _apply(
    context: Context, write: Write, request: Request, config: Json
) -> tuple[int, Written]:
    resource = write.resource
    if not request.query.get("fieldManager"):
        error = FieldError("fieldManager", "required", None, "is required for apply patch")
        raise status.invalid_options("PatchOptions", [error])
    _require_config(write, config)
    write = replace(write, track=False)

    def applied(live: Object | None) -> Object:
        try:
            made = server_side_apply(
                live,
                config,
                manager=request.manager(),
                force=request.flag("force"),
                subresource=write.subresource,
                schema=resource.schema,
                now=context.clock(),
                drop=("status",) if resource.has_status and not write.subresource else (),
            )
        except ApplyConflict as error:
            details = {"causes": error.causes()}
            raise status.StatusError(409, "Conflict", error.message, details=details) from None
        except ApplyError as error:
            raise status.StatusError(500, "", str(error)) from None
        # Whoever gives a uid or a version means that object alone; `update` compares them.
        meant = {
            key: meta(config)[key] for key in ("uid", "resourceVersion") if meta(config).get(key)
        }
        made = with_meta(made, **meant) if live is not None else made
        return _with_last_applied(made, config) if request.manager() == _KUBECTL else made

    if context.store.latest(resource.storage, write.key) is not None:
        return 200, await update(context, write, applied)
    if write.subresource:
        raise status.not_found(resource.group, resource.plural, write.name)
    if (uid := meta(config).get("uid")) is not None:
        why = f"the provided object specified uid {uid}, and no existing object was found"
        raise status.conflict(resource.group, resource.plural, write.name, f"uid mismatch: {why}")
    fresh = with_meta(applied(None), name=write.name, resourceVersion=None)
    return 201, await create(context, write, fresh)


def _with_last_applied(obj: Object, config: Object) -> Object:
    """Keep the annotation of `kubectl apply` true when kubectl goes over to server-side apply."""
    annotations = meta(obj).get("annotations") or {}
    if _LAST_APPLIED not in annotations:
        return obj
    metadata = {key: value for key, value in meta(config).items() if key != "managedFields"}
    applied = compact(config | {"metadata": metadata}) + "\n"
    return with_meta(obj, annotations=annotations | {_LAST_APPLIED: applied})


def _require_config(write: Write, config: Json) -> None:
    if not isinstance(config, dict):
        raise status.bad_request("error decoding YAML: the patch is not an object")
    for key in ("apiVersion", "kind"):
        if not config.get(key):
            raise status.bad_request(
                f"invalid object type: /, Kind={config.get('kind', '')}: {key} is required"
            )
    require_metadata(write.resource.kind, write.resource.version, config)
    if meta(config).get("managedFields"):
        raise status.bad_request("metadata.managedFields must be nil")
    name = meta(config).get("name", write.name)
    if name != write.name:
        raise status.bad_request(
            f"name in the object ({name}) does not match the name on the URL ({write.name})"
        )


def patched_scale(write: Write, request: Request, shown: Object) -> Object:
    """Return a Scale with the patch in a request's body applied."""
    kind = media_type(request.content_type)
    accepted = (JSON_PATCH, MERGE)
    if kind not in accepted:
        raise status.unsupported_media_type(accepted)
    return patched(write, kind, shown, read_patch(request.body, kind))
