"""The CustomResourceDefinitions of the llmaz kinds, made from their types.

`make crds` writes them to the chart; the files there are what an API server is given.
"""

from dataclasses import dataclass

from llmaz.api.kinds import (
    BACKEND_RUNTIME,
    INFERENCE_NODE,
    OPEN_MODEL,
    PLAYGROUND,
    SERVICE,
    TENANT,
    Kind,
)
from llmaz.api.manifest import Json, Manifest
from llmaz.api.names import MODEL_NAME, READY
from llmaz.api.objects import CLASSES
from llmaz.api.schema import schema_of


@dataclass(frozen=True, slots=True)
class Column:
    """A column of `kubectl get`; `wide` ones are seen with `-o wide` only."""

    name: str
    path: str
    description: str
    type: str = "string"
    wide: bool = False


@dataclass(frozen=True, slots=True)
class Served:
    """How an API server shows a kind."""

    short_name: str
    columns: tuple[Column, ...]
    scale: bool = False


_AGE = Column("AGE", ".metadata.creationTimestamp", "Time since the object was made.", "date")
_MESSAGE = Column("MESSAGE", ".status.message", "Why it is not as it should be.", wide=True)
_WORKLOAD = (
    Column("FLAVOR", ".status.flavor", "The accelerators in use."),
    Column("READY", ".status.ready", "Replicas that answer requests, of those wanted."),
    Column("REPLICAS", ".status.replicas", "Replicas that were made.", "integer"),
    Column(
        "STATUS",
        ".status.conditions[?(@.type=='Available')].reason",
        "The reason of the condition Available.",
    ),
)
_READY = Column("READY", ".status.conditions[?(@.type=='Ready')].status", "Whether it can be used.")

SERVED: dict[Kind, Served] = {
    OPEN_MODEL: Served(
        "om",
        (
            Column("OWNEDBY", ".spec.ownedBy", "Whom the list of models names as the owner."),
            Column("MODELHUB", ".spec.source.modelHub.name", "The hub that has the weights."),
            Column("MODELID", ".spec.source.modelHub.modelID", "The repository of the hub."),
            Column("URI", ".spec.source.uri", "Where the weights are, if in no hub."),
            Column("CACHED", ".status.cached", "Nodes that hold the weights, of those that shall."),
            _READY,
            _AGE,
            Column("SIZE", ".status.size", "The size of the weights.", wide=True),
            Column("REVISION", ".status.revision", "The commit that is served.", wide=True),
            _MESSAGE,
        ),
    ),
    PLAYGROUND: Served(
        "pl",
        (
            Column(
                "MODEL",
                ".metadata.labels." + MODEL_NAME.replace(".", "\\."),
                "The main model.",
            ),
            *_WORKLOAD,
            _AGE,
            Column("URL", ".status.url", "Where the endpoint is.", wide=True),
            _MESSAGE,
        ),
        scale=True,
    ),
    SERVICE: Served("isvc", (*_WORKLOAD, _AGE, _MESSAGE), scale=True),
    BACKEND_RUNTIME: Served(
        "br",
        (
            Column("IMAGE", ".spec.image", "The container image of the engine."),
            Column("VERSION", ".spec.version", "The version of the engine."),
            _READY,
            _AGE,
        ),
    ),
    TENANT: Served(
        "tn",
        (
            Column("PARENT", ".spec.parent", "The tenant that it is a part of."),
            Column("WEIGHT", ".spec.weight", "Its share of what is idle.", "integer"),
            Column("USE", ".status.use", "Accelerators in use, of its quota."),
            Column("WAITING", ".status.waiting", "Replicas that have no place.", "integer"),
            _AGE,
            _MESSAGE,
        ),
    ),
    INFERENCE_NODE: Served(
        "infn",
        (
            Column(
                "READY",
                ".metadata.annotations." + READY.replace(".", "\\."),
                "Whether it can be used; Unknown while its agent is silent.",
            ),
            Column("ACCELERATOR", ".status.accelerators[0].product", "The first accelerator."),
            Column("ADDRESS", ".status.address", "An IP that other nodes reach."),
            _AGE,
            Column("VERSION", ".status.agentVersion", "The version of the agent.", wide=True),
        ),
    ),
}


def definition(kind: Kind) -> Manifest:
    """Return the CustomResourceDefinition of a kind."""
    served = SERVED[kind]
    subresources: Manifest = {"status": {}}
    if served.scale:
        subresources["scale"] = {
            "specReplicasPath": ".spec.replicas",
            "statusReplicasPath": ".status.replicas",
            "labelSelectorPath": ".status.selector",
        }
    version: Manifest = {
        "name": kind.version,
        "served": True,
        "storage": True,
        "additionalPrinterColumns": [_column(column) for column in served.columns],
        "subresources": subresources,
        "schema": {"openAPIV3Schema": _root(kind)},
    }
    return {
        "apiVersion": "apiextensions.k8s.io/v1",
        "kind": "CustomResourceDefinition",
        "metadata": {
            "name": f"{kind.plural}.{kind.group}",
            "labels": {"app.kubernetes.io/part-of": "llmaz"},
        },
        "spec": {
            "group": kind.group,
            "names": {
                "kind": kind.kind,
                "listKind": f"{kind.kind}List",
                "plural": kind.plural,
                "singular": kind.kind.lower(),
                "shortNames": [served.short_name],
                "categories": ["llmaz"],
            },
            "scope": "Namespaced" if kind.namespaced else "Cluster",
            "versions": [version],
        },
    }


def _root(kind: Kind) -> Manifest:
    cls = CLASSES[kind]
    words = (cls.__doc__ or "").partition("\n")[0]
    # What a node is assigned was held to the rules where users wrote it. For each of hundreds of
    # models once more they would cost more than an API server allows.
    return {"description": words, **schema_of(cls, rules=kind is not INFERENCE_NODE)}


def _column(column: Column) -> Json:
    wide: Manifest = {"priority": 1} if column.wide else {}
    return {
        "name": column.name,
        "type": column.type,
        "jsonPath": column.path,
        "description": column.description,
        **wide,
    }
