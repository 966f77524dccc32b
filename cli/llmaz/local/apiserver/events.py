"""Events, stored in the form of the core group; events.k8s.io/v1 is another view of them."""

from datetime import datetime

from llmaz.local.apiserver.builtinrules import member
from llmaz.local.objects.values import Json, Object

SELECTABLE = (
    "involvedObject.kind",
    "involvedObject.namespace",
    "involvedObject.name",
    "involvedObject.uid",
    "involvedObject.apiVersion",
    "involvedObject.resourceVersion",
    "involvedObject.fieldPath",
    "reason",
    "reportingComponent",
    "source",
    "type",
)
SELECTABLE_NEW = (
    *(field.replace("involvedObject", "regarding") for field in SELECTABLE[:7]),
    "reason",
    "reportingController",
    "type",
)
_RENAMED = {
    "involvedObject": "regarding",
    "message": "note",
    "reportingComponent": "reportingController",
    "source": "deprecatedSource",
    "firstTimestamp": "deprecatedFirstTimestamp",
    "lastTimestamp": "deprecatedLastTimestamp",
    "count": "deprecatedCount",
}
_BACK = {new: old for old, new in _RENAMED.items()}
_SHOWN: Object = {
    "involvedObject": {},
    "eventTime": None,
    "firstTimestamp": None,
    "lastTimestamp": None,
    "reportingComponent": "",
    "reportingInstance": "",
    "source": {},
}


def prepared(obj: Object, _old: Object | None) -> Object:
    """An event shows fields that it does not use, and its component in both old and new places."""
    return _SHOWN | obj


def prepared_new(obj: Object, old: Object | None) -> Object:
    return from_core(prepared(to_core(obj), old))


def to_core(obj: Object) -> Object:
    """Return an event of events.k8s.io as the core group names its fields."""
    renamed = {_BACK.get(key, key): value for key, value in obj.items()}
    return renamed | {"apiVersion": "v1"}


def from_core(obj: Object) -> Object:
    """Return a stored event as events.k8s.io names its fields."""
    renamed = {_RENAMED.get(key, key): value for key, value in obj.items()}
    return renamed | {"apiVersion": "events.k8s.io/v1"}


def last_seen(obj: Object) -> float:
    """Return the newest time that an event carries, in seconds: its age counts from there."""
    times = (
        obj.get("lastTimestamp"),
        obj.get("eventTime"),
        member(obj, "series").get("lastObservedTime"),
        member(obj, "metadata").get("creationTimestamp"),
    )
    return max(map(_seconds, times))


def _seconds(time: Json) -> float:
    try:
        return datetime.fromisoformat(time).timestamp()
    except (TypeError, ValueError):
        return 0.0
