"""Schema of PriorityClass, by whose names replicas displace others."""

from llmaz.local.objects.builtin.words import flag, integer, kind_of, text

PRIORITY_CLASS = kind_of(
    {
        "description": text("What it is for."),
        "globalDefault": flag("Whether it holds for what names no class."),
        "preemptionPolicy": text("PreemptLowerPriority or Never.", default="PreemptLowerPriority"),
        "value": integer("How important it is: the higher displaces the lower."),
    },
    "An order among what runs.",
    required=("value",),
)
