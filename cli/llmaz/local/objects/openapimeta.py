"""OpenAPI schemas of the types that every group shares: metadata, lists, Status, Scale."""

from collections.abc import Sequence

from llmaz.local.objects.values import Json, Object, Schema

_META = "io.k8s.apimachinery.pkg.apis.meta.v1"
_SCALE = "io.k8s.api.autoscaling.v1"

API_VERSION: Schema = {
    "type": "string",
    "description": "The version of the API, with its group, that this object is written in.",
}
KIND: Schema = {
    "type": "string",
    "description": "The kind of the object, in CamelCase. It never changes.",
}


def ref(name: str) -> Schema:
    """Refer to a shared type: `ObjectMeta`, `Status`; `Scale` is one of autoscaling/v1."""
    where = _SCALE if name.startswith("Scale") else _META
    return {"$ref": f"#/components/schemas/{where}.{name}"}


def described(name: str, description: str, **more: Json) -> Schema:
    """Refer to a shared type and say what it is for."""
    return {"description": description, "allOf": [ref(name)], **more}


def shared_schemas(group: str, version: str, *, scale: bool) -> Object:
    """Return the shared types which the document of a group version refers to."""
    own = [{"group": group, "kind": "DeleteOptions", "version": version}]
    core = [{"group": "", "kind": "DeleteOptions", "version": "v1"}]
    types = {**_TYPES, "DeleteOptions": {**_DELETE_OPTIONS, _GVK: core + own if group else core}}
    result = {f"{_META}.{name}": schema for name, schema in types.items()}
    if scale:
        result |= {f"{_SCALE}.{name}": schema for name, schema in _SCALES.items()}
    return result


_GVK = "x-kubernetes-group-version-kind"


def _text(description: str, **more: Json) -> Schema:
    return {"type": "string", "description": description, **more}


def _whole(description: str, form: str = "int64", **more: Json) -> Schema:
    return {"type": "integer", "format": form, "description": description, **more}


def _record(description: str, fields: Schema, required: Sequence[str] = ()) -> Schema:
    schema: Object = {"type": "object", "description": description, "properties": fields}
    return {**schema, "required": list(required)} if required else schema


def _texts(description: str, kind: str = "atomic", **more: Json) -> Schema:
    items = {"type": "string"}
    return {
        "type": "array",
        "description": description,
        "items": items,
        "x-kubernetes-list-type": kind,
        **more,
    }


def _refs(description: str, name: str, kind: str = "atomic", **more: Json) -> Schema:
    return {
        "type": "array",
        "description": description,
        "items": ref(name),
        "x-kubernetes-list-type": kind,
        **more,
    }


def _map(description: str) -> Schema:
    return {
        "type": "object",
        "description": description,
        "additionalProperties": {"type": "string"},
    }


_OBJECT_META = _record(
    "What every stored object carries: its names, its labels, and what the server notes about it.",
    {
        "annotations": _map("Notes of any kind for people and programs, by key. Not searchable."),
        "creationTimestamp": described(
            "Time", "When the server created the object. Set by the server."
        ),
        "deletionGracePeriodSeconds": _whole(
            "How many seconds lie between deletion and removal. Set by the server."
        ),
        "deletionTimestamp": described(
            "Time",
            "When it was asked to go; it stays until its finalizers went. Set by the server.",
        ),
        "finalizers": _texts(
            "Who must still clean up before it is removed: each takes its name off the list.",
            "set",
            **{"x-kubernetes-patch-strategy": "merge"},
        ),
        "generateName": _text("A beginning, to which the server adds some letters to make a name."),
        "generation": _whole(
            "Counts the changes of what is wanted of the object. Set by the server."
        ),
        "labels": _map("Keys and values by which objects are grouped and selected."),
        "managedFields": _refs(
            "Who manages which fields. Kept by the server.", "ManagedFieldsEntry"
        ),
        "name": _text(
            "The name, unique among the objects of the kind in the namespace. It never changes."
        ),
        "namespace": _text(
            "The namespace in which the name is unique; none for objects of the cluster."
        ),
        "ownerReferences": _refs(
            "The objects that this one belongs to: it goes when all of them are gone.",
            "OwnerReference",
            "map",
            **{
                "x-kubernetes-list-map-keys": ["uid"],
                "x-kubernetes-patch-merge-key": "uid",
                "x-kubernetes-patch-strategy": "merge",
            },
        ),
        "resourceVersion": _text(
            "Marks this state; an update that carries an older mark is refused. Set by the server."
        ),
        "selfLink": _text("No longer used."),
        "uid": _text("Identifies the object among all that ever had its name. Set by the server."),
    },
)
_LIST_META = _record(
    "What a list carries besides its items.",
    {
        "continue": _text("Asks for the next page; empty on the last one."),
        "remainingItemCount": _whole("How many items the next pages hold, where that is known."),
        "resourceVersion": _text("Marks the state that was listed; a watch can go on from there."),
        "selfLink": _text("No longer used."),
    },
)
_MANAGED_FIELDS_ENTRY = _record(
    "The fields that one manager manages.",
    {
        "apiVersion": _text("The version that the manager wrote in."),
        "fieldsType": _text("The form of the set of fields: FieldsV1."),
        "fieldsV1": described("FieldsV1", "The set of fields."),
        "manager": _text("The manager's name."),
        "operation": _text("How it wrote: Apply or Update."),
        "subresource": _text("The subresource that it wrote to, if any."),
        "time": described("Time", "When it last changed one of its fields."),
    },
)
_OWNER_REFERENCE = _record(
    "An object that this one belongs to, in the same namespace or of the cluster.",
    {
        "apiVersion": _text("The owner's API version.", default=""),
        "blockOwnerDeletion": {
            "type": "boolean",
            "description": "Whether an owner deleted in the foreground waits for this object.",
        },
        "controller": {
            "type": "boolean",
            "description": "Whether the owner is the one that controls the object.",
        },
        "kind": _text("The owner's kind.", default=""),
        "name": _text("The owner's name.", default=""),
        "uid": _text("The owner's identity.", default=""),
    },
    ("apiVersion", "kind", "name", "uid"),
)
_PRECONDITIONS = _record(
    "What must be true of an object for it to be deleted.",
    {
        "resourceVersion": _text("The state that it must be in."),
        "uid": _text("The identity that it must have."),
    },
)
_DELETE_OPTIONS = _record(
    "How an object is deleted.",
    {
        "apiVersion": API_VERSION,
        "dryRun": _texts("`All` asks what would happen and changes nothing."),
        "gracePeriodSeconds": _whole("How long the object may take to stop; 0 for at once."),
        "ignoreStoreReadErrorWithClusterBreakingPotential": {
            "type": "boolean",
            "description": "Whether an object that can't be read is removed nevertheless.",
        },
        "kind": KIND,
        "orphanDependents": {
            "type": "boolean",
            "description": "The older form of propagationPolicy: true for Orphan.",
        },
        "preconditions": described(
            "Preconditions", "What must be true of the object; else nothing is deleted."
        ),
        "propagationPolicy": _text(
            "What happens to the objects that belong to it: Background, Foreground or Orphan."
        ),
    },
)
_STATUS = _record(
    "An answer that is no other object: what went wrong, or that all went well.",
    {
        "apiVersion": API_VERSION,
        "code": _whole("The HTTP status.", "int32"),
        "details": described("StatusDetails", "More about the reason."),
        "kind": KIND,
        "message": _text("What happened, for people."),
        "metadata": described("ListMeta", "What lists carry; mostly empty.", default={}),
        "reason": _text("What happened, in one word for programs."),
        "status": _text("Success or Failure."),
    },
)
_STATUS_CAUSE = _record(
    "One of the reasons for a failure.",
    {
        "field": _text("The field of the object that is to blame."),
        "message": _text("What is wrong, for people."),
        "reason": _text("What is wrong, in one word for programs."),
    },
)
_STATUS_DETAILS = _record(
    "What a failure is about.",
    {
        "causes": _refs("The reasons, where there are several.", "StatusCause"),
        "group": _text("The API group of the object."),
        "kind": _text("The kind or resource of the object."),
        "name": _text("The name of the object."),
        "retryAfterSeconds": _whole("After how many seconds it may be tried again.", "int32"),
        "uid": _text("The identity of the object."),
    },
)
_TYPES: Object = {
    "FieldsV1": {"type": "object", "description": "A set of fields, as a tree of their names."},
    "ListMeta": _LIST_META,
    "ManagedFieldsEntry": _MANAGED_FIELDS_ENTRY,
    "ObjectMeta": _OBJECT_META,
    "OwnerReference": {**_OWNER_REFERENCE, "x-kubernetes-map-type": "atomic"},
    "Patch": {
        "type": "object",
        "description": "A change to an object, in one of the patch formats.",
    },
    "Preconditions": _PRECONDITIONS,
    "Status": {**_STATUS, _GVK: [{"group": "", "kind": "Status", "version": "v1"}]},
    "StatusCause": _STATUS_CAUSE,
    "StatusDetails": _STATUS_DETAILS,
    "Time": {"type": "string", "format": "date-time", "description": "A moment, in RFC 3339."},
}
_SCALE_OF = _record(
    "How many of something there should be, and are.",
    {
        "apiVersion": API_VERSION,
        "kind": KIND,
        "metadata": described("ObjectMeta", "The metadata of the scaled object.", default={}),
        "spec": described("ScaleSpec", "How many there should be.", default={}),
        "status": described("ScaleStatus", "How many there are.", default={}),
    },
)
_SCALES: Object = {
    "Scale": {**_SCALE_OF, _GVK: [{"group": "autoscaling", "kind": "Scale", "version": "v1"}]},
    "ScaleSpec": _record(
        "How many there should be.", {"replicas": _whole("The number wanted.", "int32", default=0)}
    ),
    "ScaleStatus": _record(
        "How many there are.",
        {
            "replicas": _whole("The number seen.", "int32", default=0),
            "selector": _text("The labels of what is counted, as a selector."),
        },
        ("replicas",),
    ),
}
