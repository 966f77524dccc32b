"""Schema of HorizontalPodAutoscaler. Nothing on one machine acts on it; clients may read it."""

from llmaz.local.objects.builtin.words import (
    always,
    anything,
    atomic,
    condition,
    count,
    integer,
    keyed_list,
    kind,
    pointer,
    quantity,
    record,
    text,
    time,
)

_TARGET = record(
    "What is scaled.",
    required=("kind", "name"),
    apiVersion=text("The version of its kind."),
    kind=pointer(text("Its kind.")),
    name=pointer(text("Its name.")),
)
_SOURCES = {
    name: anything("What is measured, and what it shall be.")
    for name in ("containerResource", "external", "object", "pods", "resource")
}
_METRIC = record(
    "One measure.",
    required=("type",),
    type=pointer(text("ContainerResource, External, Object, Pods or Resource.")),
    **_SOURCES,
)
_RULES = record(
    "How fast it may go one way.",
    policies=atomic(
        record(
            "At most so much in so long.",
            required=("type", "value", "periodSeconds"),
            type=pointer(text("Pods or Percent.")),
            value=integer("How much."),
            periodSeconds=integer("In how long."),
        ),
        "Which of them counts, selectPolicy says.",
    ),
    selectPolicy=pointer(text("Max, Min or Disabled.")),
    stabilizationWindowSeconds=integer("For how long what was asked for counts."),
    tolerance=quantity("How far it may be off."),
)
HORIZONTAL_POD_AUTOSCALER = kind(
    "How many replicas something has, by what is measured.",
    spec=always(
        record(
            "What it should do.",
            required=("scaleTargetRef", "maxReplicas"),
            behavior=record("How fast it may scale.", scaleUp=_RULES, scaleDown=_RULES),
            maxReplicas=integer("The most replicas."),
            metrics=atomic(_METRIC, "What is measured; the most replicas that one asks for count."),
            minReplicas=integer("The fewest replicas."),
            scaleTargetRef=always(_TARGET, {"kind": "", "name": ""}),
        ),
        {},
    ),
    status=always(
        record(
            "What it last saw.",
            conditions=keyed_list(condition(), "type", description="Whether it can scale."),
            currentMetrics=atomic(_METRIC, "What it measured."),
            currentReplicas=count("How many there are."),
            desiredReplicas=always(integer("How many there should be."), 0),
            lastScaleTime=time("When it last scaled."),
            observedGeneration=count("The version observed.", form="int64"),
        ),
        {},
    ),
)
