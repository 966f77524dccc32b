"""Schema of PodDisruptionBudget, which says how many pods have to stay when others are evicted."""

from llmaz.local.objects.builtin.words import (
    always,
    atomic,
    condition,
    count,
    integer,
    keyed_list,
    kind,
    mapping,
    pointer,
    port_or_name,
    record,
    text,
    time,
    whole,
)

_REQUIREMENT = record(
    "What a label has to be.",
    required=("key", "operator"),
    key=pointer(text("The label.")),
    operator=pointer(text("In, NotIn, Exists or DoesNotExist.")),
    values=atomic(text("One of the values.")),
)
_SELECTOR = whole(
    record(
        "Which pods it is of.",
        matchExpressions=atomic(_REQUIREMENT, "What labels have to be."),
        matchLabels=mapping(text("The label's value."), "Labels that the pods have."),
    )
)
POD_DISRUPTION_BUDGET = kind(
    "How many of some pods evictions may take at once.",
    spec=always(
        record(
            "What evictions have to heed.",
            maxUnavailable=port_or_name("How many may be missing."),
            minAvailable=port_or_name("How many have to stay."),
            selector=_SELECTOR,
            unhealthyPodEvictionPolicy=text("IfHealthyBudget or AlwaysAllow."),
        ),
        {},
    ),
    status=always(
        record(
            "What was last seen of the pods.",
            conditions=keyed_list(condition(), "type", description="Whether any may be evicted."),
            currentHealthy=always(integer("How many are ready."), 0),
            desiredHealthy=always(integer("How many have to be."), 0),
            disruptedPods=mapping(time("When it was evicted."), "Pods whose eviction is young."),
            disruptionsAllowed=always(integer("How many may be evicted now."), 0),
            expectedPods=always(integer("How many there are."), 0),
            observedGeneration=count("The version observed.", form="int64"),
        ),
        {},
    ),
)
