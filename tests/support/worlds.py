"""A cache directory and a place of one kind to fill it from: every kind holds the same files."""

import os
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from pathlib import Path

from llmaz.agent.cache.child import FetchChild
from llmaz.agent.cache.outcome import Fetched, FetchFailed
from llmaz.agent.cache.request import FetchRequest, Progress
from support import rooms
from support.downloads import Downloads, Fault
from support.origins import (
    BucketKind,
    HuggingFaceKind,
    Kind,
    ModelScopeKind,
    OllamaKind,
    WebKind,
    serving_routes,
)
from support.places import GoogleKind, HdfsKind
from support.weights import gguf

WEIGHTS = gguf(tensors=3, padding=2**18)
FILES = {"model.gguf": WEIGHTS, "config.json": b"{}", "a b/notes+%.txt": b"notes", "empty": b""}
KINDS: Mapping[str, Callable[[Mapping[str, bytes], Downloads], Kind]] = {
    "huggingface": HuggingFaceKind,
    "modelscope": ModelScopeKind,
    "s3": lambda files, downloads: BucketKind("s3", files, downloads),
    "gs": lambda files, downloads: BucketKind("gs", files, downloads),
    "google": GoogleKind,
    "oss": lambda files, downloads: BucketKind("oss", files, downloads),
    "web": WebKind,
    "ollama": OllamaKind,
    "fsspec": HdfsKind,
}
OF_TREES = tuple(name for name in KINDS if name not in ("web", "ollama"))
# A driver of fsspec has a wire of its own: it tells neither statuses nor redirects.
OF_OUR_WIRE = tuple(name for name in KINDS if name != "fsspec")


@dataclass
class World:
    """One cache, and one place. Only the first of its options are of interest to most tests."""

    name: str
    tmp_path: Path
    files: Mapping[str, bytes] = field(default_factory=lambda: FILES)
    downloads: Downloads = field(default_factory=Downloads)
    refuse_pickle: bool = False
    told: list[Progress] = field(default_factory=list)

    def __post_init__(self) -> None:
        self.kind = KINDS[self.name](self.files, self.downloads)

    @property
    def cache(self) -> Path:
        return self.tmp_path / "cache"

    def request(self, url: str) -> FetchRequest:
        origin = self.kind.origin(url)
        return FetchRequest(
            origin=origin,
            cache_dir=str(self.cache),
            credentials=self.kind.credentials(),
            refuse_pickle=self.refuse_pickle,
        )

    def environ(self, url: str) -> Mapping[str, str]:
        return {**os.environ, "HOME": str(self.tmp_path), **self.kind.environ(url)}

    async def fetch(self, url: str) -> Fetched | FetchFailed:
        child = FetchChild(self.environ(url))
        return await child.fetch(self.request(url), self.told.append, rooms.plenty)

    async def outcome(self, *faults: Fault) -> Fetched | FetchFailed:
        self.downloads.faults.extend(faults)
        async with serving_routes(self.kind.routes()) as url:
            return await self.fetch(url)

    async def failed(self, *faults: Fault) -> FetchFailed:
        """Fetch what can't be fetched; nothing of it is visible."""
        outcome = await self.outcome(*faults)
        assert isinstance(outcome, FetchFailed), outcome
        assert self.visible() == []
        return outcome

    async def fetched(self, *faults: Fault) -> Fetched:
        outcome = await self.outcome(*faults)
        assert isinstance(outcome, Fetched), outcome
        self.is_right(outcome)
        return outcome

    def is_right(self, outcome: Fetched) -> None:
        path = Path(outcome.path)
        if path.is_file():
            assert path.read_bytes() == self.files["model.gguf"]
        else:
            assert {name: (path / name).read_bytes() for name in self.files} == self.files

    def visible(self) -> list[Path]:
        names = ("*/models--*/snapshots/*/*", "*/models--*/refs/*", "store/sha256/*/*")
        return [path for name in names for path in self.cache.glob(name)]
