"""Where a model's weights come from: a hub's repository or a URI."""

from dataclasses import dataclass, field
from enum import StrEnum

from llmaz.api.fields import bounds, named


class Hub(StrEnum):
    """The model hubs that `source.modelHub.name` may name."""

    HUGGINGFACE = "Huggingface"
    MODELSCOPE = "ModelScope"


@dataclass(frozen=True, slots=True, kw_only=True)
class ModelHub:
    """A repository of a hub: whole, one file of it, or what the patterns select.

    name: the hub
    model_id: the repository, such as Qwen/Qwen2.5-7B
    filename: the only file wanted, such as one GGUF
    revision: a branch, tag or commit
    allow_patterns: patterns of file names; only what one of them matches is fetched
    ignore_patterns: patterns of file names; nothing that one of them matches is fetched
    """

    name: Hub = Hub.HUGGINGFACE
    model_id: str = field(metadata=named("modelID") | bounds(shortest=1, longest=256))
    filename: str | None = None
    revision: str = "main"
    allow_patterns: tuple[str, ...] | None = None
    ignore_patterns: tuple[str, ...] | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class ModelSource:
    """A hub's repository, a URI, or both, of which the hub wins.

    model_hub: a repository of a model hub
    uri: where the weights are, such as s3://bucket/path, host:///path or ollama://name
    """

    model_hub: ModelHub | None = None
    uri: str | None = field(default=None, metadata=bounds(longest=1024))
