"""OpenModel: a model of the catalogue: where its weights are, which accelerators may serve it."""

import re
from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import datetime
from typing import Literal

from llmaz.api.fields import STRINGLY, bounds, formerly
from llmaz.api.manifest import ManifestError, at
from llmaz.api.memory import ModelMemory
from llmaz.api.meta import Condition, ObjectMeta
from llmaz.api.quantity import Quantity, check_counts
from llmaz.api.source import ModelSource

_COUNT = re.compile("[1-9][0-9]{0,3}")  # of accelerators or nodes


@dataclass(frozen=True, slots=True, kw_only=True)
class Flavor:
    """One kind of accelerator that may serve the model.

    name: the name by which Playgrounds prefer it, such as a100-80gb
    limits: devices that a replica takes on one node, such as nvidia.com/gpu: 1
    node_selector: labels of the nodes that have it
    params: TP, the accelerators on each of PP nodes; INSTANCE-TYPE, the kind of machine
    """

    name: str = field(metadata=bounds(shortest=1, longest=253))
    limits: Mapping[str, Quantity] = field(
        default_factory=dict,
        metadata=formerly("requests") | bounds(longest=32),  # v0.1.0 said requests and meant limits
    )
    node_selector: Mapping[str, str] = field(
        default_factory=dict, metadata=STRINGLY | bounds(longest=32)
    )
    params: Mapping[str, str] = field(default_factory=dict, metadata=STRINGLY | bounds(longest=32))

    def check(self, path: str) -> None:
        """Refuse a count that is none: a replica would get other accelerators than were meant."""
        check_counts(self.limits, at(path, "limits"))
        for key in ("TP", "PP"):
            text = self.params.get(key, "1")
            if not _COUNT.fullmatch(text):
                problem = f"must be a whole number from 1 to 9999, not {text[:64]!r}"
                raise ManifestError(at(path, f"params.{key}"), problem)


@dataclass(frozen=True, slots=True, kw_only=True)
class InferenceConfig:
    """What the model needs to be served.

    flavors: kinds of accelerators in order of preference; without any, it runs on the CPU
    """

    flavors: tuple[Flavor, ...] = field(default=(), metadata=bounds(longest=8))

    def flavor(self, name: str) -> Flavor | None:
        """Return the first flavor of that name."""
        return next((flavor for flavor in self.flavors if flavor.name == name), None)


@dataclass(frozen=True, slots=True, kw_only=True)
class Prefetch:
    """Which nodes hold the weights before anything asks for them.

    node_selector: labels of the nodes; without any, all that may serve the model
    nodes: how many of them; without a number, all
    priority: what comes first where nodes can't hold all: the highest
    pin: whether the weights are never evicted there
    """

    node_selector: Mapping[str, str] = field(
        default_factory=dict, metadata=STRINGLY | bounds(longest=32)
    )
    nodes: int | None = field(default=None, metadata=bounds(minimum=0, maximum=100_000))
    priority: int = field(default=0, metadata=bounds(minimum=-1000, maximum=1000))
    pin: bool = False


@dataclass(frozen=True, slots=True, kw_only=True)
class SecretReference:
    """The Secret that opens the source. Its namespace is never the model's to choose.

    name: the Secret, of the Playground's namespace, else of the platform's; keys as usual
    """

    name: str = field(metadata=bounds(shortest=1, longest=253))


@dataclass(frozen=True, slots=True, kw_only=True)
class OpenModelSpec:
    """What the model is.

    family_name: the family that the model belongs to, such as llama3; becomes a label
    source: where the weights come from
    inference_config: what the model needs to be served
    owned_by: whom the list of models names as the owner
    created_at: when the model came to be; else when the object did
    prefetch: which nodes hold the weights before anything asks for them
    secret_ref: the Secret with the source's credentials, in place of the usual one of its kind
    """

    family_name: str = field(metadata=bounds(longest=63))
    source: ModelSource
    inference_config: InferenceConfig = field(default_factory=InferenceConfig)
    owned_by: str = "llmaz"
    created_at: datetime | None = None
    prefetch: Prefetch | None = None
    secret_ref: SecretReference | None = None

    @property
    def secret(self) -> str:
        """The name of the Secret with the source's credentials; empty: the usual one."""
        return self.secret_ref.name if self.secret_ref is not None else ""


@dataclass(frozen=True, slots=True, kw_only=True)
class OpenModelStatus:
    """Where the weights are.

    observed_generation: the generation that this status is about
    cached: nodes that hold the weights of those that shall, as n/m
    size_bytes: the size of the weights
    size: the same for people, such as 15.3Gi
    revision: the commit or digest that is served, never a branch
    memory: what the weights' files say of the memory that a replica takes
    message: why the model is not ready, in one sentence
    conditions: Ready, and Cached
    """

    observed_generation: int = 0
    cached: str = ""
    size_bytes: int | None = None
    size: str = ""
    revision: str = ""
    memory: ModelMemory | None = None
    message: str = ""
    conditions: tuple[Condition, ...] = ()


@dataclass(frozen=True, slots=True, kw_only=True)
class OpenModel:
    """A model of the catalogue: where its weights are and which accelerators may serve it."""

    api_version: Literal["llmaz.io/v1alpha1"] = field(
        default="llmaz.io/v1alpha1", metadata={"keep": True}
    )
    kind: Literal["OpenModel"] = field(default="OpenModel", metadata={"keep": True})
    metadata: ObjectMeta
    spec: OpenModelSpec
    status: OpenModelStatus = field(default_factory=OpenModelStatus)

    @property
    def served_name(self) -> str:
        """The name under which engines list the model: its own, or the one that Ollama knows."""
        address = (self.spec.source.uri or "").partition("://")[2]
        return address if self.is_ollama else self.metadata.name

    @property
    def is_ollama(self) -> bool:
        """Whether its weights are those of an Ollama registry."""
        uri = self.spec.source.uri or ""
        return uri.lower().startswith("ollama://") and self.spec.source.model_hub is None
