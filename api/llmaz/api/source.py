"""Where a model's weights come from: a hub's repository or a URI."""

from dataclasses import dataclass, field
from enum import StrEnum

from llmaz.api.manifest import named


class Hub(StrEnum):
    """The model hubs that `source.modelHub.name` may name."""

    HUGGINGFACE = "Huggingface"
    MODELSCOPE = "ModelScope"


@dataclass(frozen=True, slots=True, kw_only=True)
class ModelHub:
    """A repository of a hub: whole, one file of it, or what the patterns select."""

    name: Hub = Hub.HUGGINGFACE
    model_id: str = field(default="", metadata=named("modelID"))
    filename: str | None = None
    revision: str = "main"
    allow_patterns: tuple[str, ...] | None = None
    ignore_patterns: tuple[str, ...] | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class ModelSource:
    """A hub's repository, a URI, or both, of which the hub wins (as upstream has it)."""

    model_hub: ModelHub | None = None
    uri: str | None = None
