"""What the cache knows of each model, and what can be done about one. Values."""

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime
from typing import TypeAlias

from llmaz.api.memory import ModelMemory
from llmaz.api.node import AssignedModel


@dataclass(frozen=True, slots=True, kw_only=True)
class Fetching:
    """A fetch is under way. None: the size is not known yet."""

    bytes_done: int | None = None
    bytes_total: int | None = None
    bytes_per_second: int | None = None  # None: it has just begun
    seconds_left: int | None = None
    fetched_from: str = ""  # peers, origin or both, once bytes have come
    after: "Failed | None" = None  # the failure that this fetch follows


@dataclass(frozen=True, slots=True, kw_only=True)
class Held:
    """The weights are complete and verified. An empty path: the engine brings them itself."""

    path: str
    revision: str = ""
    size_bytes: int | None = None
    fetched_from: str = ""  # peers, origin or both; empty: they were here
    pickles: tuple[str, ...] = ()  # files that run code when they are opened
    memory: ModelMemory | None = None  # what its files say of the memory that it takes


@dataclass(frozen=True, slots=True, kw_only=True)
class Failed:
    """The last fetch failed. `failures` counts those in a row."""

    reason: str  # CamelCase
    message: str
    passing: bool  # trying again may help without anybody's doing
    failures: int
    at: datetime


@dataclass(frozen=True, slots=True, kw_only=True)
class Granted:
    """A namespace's own credentials open the weights, or anybody may have them."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Asking:
    """Whether a namespace may have the weights is being found out."""


Right: TypeAlias = Granted | Asking | Failed


@dataclass(frozen=True, slots=True, kw_only=True)
class ModelSeen:
    """One model on this node, as it was last asked for.

    `rights` are what is known of namespaces; None: weights are for all.
    """

    model: AssignedModel
    state: Fetching | Held | Failed
    rights: Mapping[str, Right] | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class FetchModel:
    """Bring a model's weights to the node, from where they are by now."""

    model: AssignedModel


@dataclass(frozen=True, slots=True, kw_only=True)
class DropModel:
    """Stop a fetch, and stop reporting the model. The weights stay on the disk."""

    name: str


@dataclass(frozen=True, slots=True, kw_only=True)
class ListPeers:
    """Let a fetch that is under way know which nodes share the model by now."""

    model: AssignedModel


@dataclass(frozen=True, slots=True, kw_only=True)
class AskRight:
    """Find out whether a namespace's engines may have weights that are on the node."""

    model: AssignedModel
    namespace: str


@dataclass(frozen=True, slots=True, kw_only=True)
class DropRight:
    """Forget what is known of a namespace that uses the model no more."""

    name: str
    namespace: str


ModelAction: TypeAlias = FetchModel | DropModel | ListPeers | AskRight | DropRight
