"""What the routes of the sharing process share: where the bytes are, who may have them, counts."""

from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path

from prometheus_client import CollectorRegistry

from llmaz.agent.sharing.settings import SharingSettings


@dataclass(frozen=True)
class Context:
    """One sharing process. What is registered in `registry` shows in the agent's /metrics."""

    settings: SharingSettings
    environ: Mapping[str, str] = field(repr=False)
    registry: CollectorRegistry

    @property
    def cache_dir(self) -> Path:
        return self.settings.cache_dir
