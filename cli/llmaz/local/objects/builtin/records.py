"""Schemas of what programs note down: Event, in both its forms, Lease and ControllerRevision."""

from llmaz.local.objects.builtin.core import OBJECT_REFERENCE
from llmaz.local.objects.builtin.words import (
    always,
    anything,
    count,
    integer,
    kind,
    kind_of,
    pointer,
    record,
    text,
    time,
)
from llmaz.local.objects.values import Schema

_SOURCE = record("Who saw it.", component=text("The program."), host=text("The node."))
_SERIES = record(
    "Repetitions of the event.",
    count=integer("How often it was seen.", default=0),
    lastObservedTime=always(time("When it was last seen."), None),
)


def _event(**fields: Schema) -> Schema:
    shared = {
        "action": text("What was done or tried."),
        "eventTime": always(time("When it was first seen."), None),
        "reason": text("Why, in one word."),
        "related": OBJECT_REFERENCE,
        "reportingInstance": always(text("Which process of the program tells it."), ""),
        "series": _SERIES,
        "type": text("Normal or Warning."),
    }
    return kind_of({**shared, **fields}, "Something that happened to an object.")


_COUNT = count("How often it was seen.")
_FIRST = always(time("When it was first seen."), None)
_LAST = always(time("When it was last seen."), None)

EVENT = _event(
    count=_COUNT,
    firstTimestamp=_FIRST,
    involvedObject=always(OBJECT_REFERENCE, {}),
    lastTimestamp=_LAST,
    message=text("What happened, in a sentence."),
    reportingComponent=always(text("The program that tells it."), ""),
    source=always(_SOURCE, {}),
)
NEW_EVENT = _event(
    deprecatedCount=_COUNT,
    deprecatedFirstTimestamp=_FIRST,
    deprecatedLastTimestamp=_LAST,
    deprecatedSource=always(_SOURCE, {}),
    note=text("What happened, in a sentence."),
    regarding=always(OBJECT_REFERENCE, {}),
    reportingController=text("The program that tells it."),
)

LEASE = kind(
    "Who holds something, and until when.",
    spec=always(
        record(
            "The state of the lease.",
            acquireTime=time("When the holder took it."),
            holderIdentity=pointer(text("Who holds it.")),
            leaseDurationSeconds=integer("For how long it holds without being renewed."),
            leaseTransitions=integer("How often it changed hands."),
            preferredHolder=pointer(text("Who should take it next.")),
            renewTime=time("When the holder last renewed it."),
            strategy=pointer(text("How the next holder is chosen.")),
        ),
        {},
    ),
)

CONTROLLER_REVISION = kind(
    "One state of what a controller runs, as it was.",
    required=("revision",),
    data=anything("The state, in the controller's own words. It never changes."),
    revision=integer("The newest state has the highest.", form="int64"),
)
