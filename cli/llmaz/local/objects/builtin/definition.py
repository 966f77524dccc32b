"""Schema of CustomResourceDefinition, the kind that makes kinds."""

from llmaz.local.objects.builtin.words import (
    always,
    anything,
    atomic,
    condition,
    count,
    flag,
    integer,
    keyed_list,
    kind,
    pointer,
    record,
    set_flag,
    text,
)

_NAMES = record(
    "What the kind and its resource are called.",
    required=("plural", "kind"),
    categories=atomic(text(), "Groups of resources to be listed with, such as all."),
    kind=pointer(text("The kind, in CamelCase.")),
    listKind=text("The kind of its lists."),
    plural=pointer(text("The resource in paths.")),
    shortNames=atomic(text(), "Shorter names for the command line."),
    singular=text("The resource, if it is one."),
)
_COLUMN = record(
    "A column of its tables.",
    required=("name", "type", "jsonPath"),
    description=text("What it shows."),
    format=text("How its type is written."),
    jsonPath=pointer(text("Where the value is.")),
    name=pointer(text("Its heading.")),
    priority=count("0 for always, more for wide tables."),
    type=pointer(text("The type of its values.")),
)
_VERSION = record(
    "One version of the kind.",
    required=("name", "served", "storage"),
    additionalPrinterColumns=atomic(_COLUMN, "Columns of its tables."),
    deprecated=set_flag("Whether clients are warned."),
    deprecationWarning=pointer(text("The warning.")),
    name=pointer(text("The version's name.")),
    schema=record("The shape of its objects.", openAPIV3Schema=anything("The schema.")),
    selectableFields=atomic(
        record("A field.", required=("jsonPath",), jsonPath=pointer(text("Where it is."))),
        "Fields that lists can be selected by.",
    ),
    served=flag("Whether it is served."),
    storage=flag("Whether objects are stored in it; true for one version."),
    subresources=record(
        "Parts of its objects that are written apart.",
        scale=record(
            "How many there are.",
            required=("specReplicasPath", "statusReplicasPath"),
            labelSelectorPath=pointer(text("Where the selector is.")),
            specReplicasPath=pointer(text("Where the wanted number is.")),
            statusReplicasPath=pointer(text("Where the number that is there is.")),
        ),
        status=pointer(anything("What is observed.")),
    ),
)
DEFINITION = kind(
    "A kind of objects that the server learns.",
    required=("spec",),
    spec=always(
        record(
            "What the kind should be.",
            required=("group", "names", "scope", "versions"),
            conversion=record(
                "How objects change from version to version.",
                required=("strategy",),
                strategy=pointer(text("None or Webhook.")),
                webhook=anything("Who converts."),
            ),
            group=pointer(text("The API group.")),
            names=always(_NAMES, {"plural": "", "kind": ""}),
            preserveUnknownFields=set_flag("No longer of use."),
            scope=pointer(text("Cluster or Namespaced.")),
            versions=pointer(atomic(_VERSION, "Its versions.")),
        ),
        {},
    ),
    status=always(
        record(
            "What the kind is.",
            acceptedNames=always(_NAMES, {"plural": "", "kind": ""}),
            conditions=always(
                keyed_list(
                    condition(observedGeneration=integer("The version observed.", form="int64")),
                    "type",
                    description="What is observed of the kind.",
                ),
                None,
            ),
            observedGeneration=count("The version observed.", form="int64"),
            storedVersions=always(
                atomic(text(), "Versions that objects were ever stored in."), None
            ),
        ),
        {},
    ),
)
