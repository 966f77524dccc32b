"""What every kind of source must bear: one contract for all, with faults on the wire."""

import asyncio
import os
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from pathlib import Path

import pytest

from llmaz.agent.cache.child import FetchChild
from llmaz.agent.cache.request import FetchRequest, Progress
from llmaz.agent.cache.state import Fetched, FetchFailed
from support import rooms
from support.downloads import (
    Cut,
    Downloads,
    Fault,
    NoRanges,
    OtherRange,
    OtherVersion,
    Redirect,
    Status,
    WrongBytes,
    WrongLength,
)
from support.origins import (
    SECRET_VALUE,
    BucketKind,
    Elsewhere,
    HuggingFaceKind,
    Kind,
    ModelScopeKind,
    OllamaKind,
    WebKind,
    serving_routes,
)
from support.weights import gguf

WEIGHTS = gguf(tensors=3, padding=2**18)
FILES = {"model.gguf": WEIGHTS, "config.json": b"{}", "a b/notes+%.txt": b"notes", "empty": b""}
KINDS: Mapping[str, Callable[[Mapping[str, bytes], Downloads], Kind]] = {
    "huggingface": HuggingFaceKind,
    "modelscope": ModelScopeKind,
    "s3": lambda files, downloads: BucketKind("s3", files, downloads),
    "gs": lambda files, downloads: BucketKind("gs", files, downloads),
    "oss": lambda files, downloads: BucketKind("oss", files, downloads),
    "web": WebKind,
    "ollama": OllamaKind,
}
every_kind = pytest.mark.parametrize("name", KINDS)


@dataclass
class World:
    """A cache directory, and a place of one kind with the same files as all others."""

    name: str
    tmp_path: Path
    files: Mapping[str, bytes] = field(default_factory=lambda: FILES)
    downloads: Downloads = field(default_factory=Downloads)
    told: list[Progress] = field(default_factory=list)

    def __post_init__(self) -> None:
        self.kind = KINDS[self.name](self.files, self.downloads)

    async def fetch(self, url: str) -> Fetched | FetchFailed:
        request = FetchRequest(
            origin=self.kind.origin(url),
            cache_dir=str(self.tmp_path / "cache"),
            credentials=self.kind.credentials(),
        )
        environ = {**os.environ, "HOME": str(self.tmp_path), **self.kind.environ(url)}
        return await FetchChild(environ).fetch(request, self.told.append, rooms.plenty)

    async def outcome(self, *faults: Fault) -> Fetched | FetchFailed:
        self.downloads.faults.extend(faults)
        async with serving_routes(self.kind.routes()) as url:
            return await self.fetch(url)

    async def fetched(self, *faults: Fault) -> Fetched:
        outcome = await self.outcome(*faults)
        assert isinstance(outcome, Fetched), outcome
        self.is_right(outcome)
        return outcome

    def is_right(self, outcome: Fetched) -> None:
        path = Path(outcome.path)
        if path.is_file():
            assert path.read_bytes() == WEIGHTS
        else:
            assert {name: (path / name).read_bytes() for name in self.files} == self.files

    def visible(self) -> list[Path]:
        roots = self.tmp_path / "cache"
        names = ("*/models--*/snapshots/*/*", "*/models--*/refs/*", "store/sha256/*/*")
        return [path for name in names for path in roots.glob(name)]


@every_kind
async def test_a_model_comes_whole_and_progress_is_told(name: str, tmp_path: Path) -> None:
    world = World(name, tmp_path)
    outcome = await world.fetched()
    total = sum(file.size for file in outcome.files)
    assert world.told[0] == Progress(bytes_done=0, bytes_total=total)
    assert len(outcome.revision) == 40


@every_kind
async def test_a_second_fetch_brings_no_bytes_again(name: str, tmp_path: Path) -> None:
    world = World(name, tmp_path)
    first = await world.fetched()
    sent = world.downloads.sent
    assert await world.fetched() == first
    assert world.downloads.sent == sent


@every_kind
async def test_passing_faults_of_the_wire_are_borne(name: str, tmp_path: Path) -> None:
    world = World(name, tmp_path, files={"model.gguf": WEIGHTS})
    await world.fetched(
        Status(503, {"Retry-After": "0"}),
        Status(500),
        Cut(100_000),
        WrongLength(-1),
        WrongLength(7),
        OtherRange(),
        Cut(200_000),
        Cut(0),
        Status(429, {"Retry-After": "1"}),
        NoRanges(),
    )
    assert world.downloads.faults == []


@every_kind
async def test_a_redirect_to_another_place_is_followed_without_the_credentials(
    name: str, tmp_path: Path
) -> None:
    world = World(name, tmp_path, files={"model.gguf": WEIGHTS})
    other = Elsewhere(world.files)
    async with serving_routes(other.routes()) as there:
        await world.fetched(Redirect(f"{there}/elsewhere/model.gguf?ticket=1"))
    assert other.downloads.seen_headers
    assert SECRET_VALUE not in repr(other.downloads.seen_headers)


@every_kind
async def test_a_redirect_that_has_expired_is_asked_for_anew(name: str, tmp_path: Path) -> None:
    world = World(name, tmp_path, files={"model.gguf": WEIGHTS})
    other = Elsewhere(world.files, Downloads([Cut(100), Status(403)]))
    async with serving_routes(other.routes()) as there:
        redirect = Redirect(f"{there}/elsewhere/model.gguf")
        await world.fetched(redirect, redirect, redirect)


@every_kind
async def test_a_lasting_refusal_ends_the_fetch_and_shows_nothing(
    name: str, tmp_path: Path
) -> None:
    world = World(name, tmp_path, files={"model.gguf": WEIGHTS})
    outcome = await world.outcome(Status(403))
    assert isinstance(outcome, FetchFailed)
    assert (outcome.reason, outcome.passing) == ("Unauthorized", False)
    assert SECRET_VALUE not in outcome.message
    assert world.visible() == []


async def test_a_file_that_changes_meanwhile_is_a_passing_failure(tmp_path: Path) -> None:
    outcome = await World("s3", tmp_path).outcome(Status(412))
    assert isinstance(outcome, FetchFailed)
    assert (outcome.reason, outcome.passing) == ("SourceChanged", True)


async def test_a_server_that_asks_for_long_patience_is_left_until_later(tmp_path: Path) -> None:
    world = World("web", tmp_path)
    outcome = await world.outcome(Status(429, {"Retry-After": "3600"}))
    assert isinstance(outcome, FetchFailed)
    assert (outcome.reason, outcome.passing) == ("RateLimited", True)


@pytest.mark.parametrize("name", ["s3", "gs", "oss", "web"])
async def test_an_answer_of_another_version_of_the_file_is_never_taken(
    name: str, tmp_path: Path
) -> None:
    world = World(name, tmp_path, files={"model.gguf": WEIGHTS})
    outcome = await world.outcome(OtherVersion())
    assert isinstance(outcome, FetchFailed)
    assert (outcome.reason, outcome.passing) == ("SourceChanged", True)
    assert world.visible() == []
    await world.fetched()


@every_kind
async def test_a_range_that_the_source_says_does_not_exist_is_a_change_of_the_file(
    name: str, tmp_path: Path
) -> None:
    world = World(name, tmp_path)
    outcome = await world.outcome(Status(416))
    assert isinstance(outcome, FetchFailed)
    assert (outcome.reason, outcome.passing) == ("SourceChanged", True)


@pytest.mark.parametrize("name", ["huggingface", "modelscope", "ollama"])
async def test_wrong_bytes_are_fetched_again_where_the_source_knows_better(
    name: str, tmp_path: Path
) -> None:
    world = World(name, tmp_path, files={"model.gguf": WEIGHTS})
    await world.fetched(WrongBytes())
    assert len(world.downloads.asked) == 2


@pytest.mark.parametrize("name", ["huggingface", "modelscope", "ollama"])
async def test_bytes_that_stay_wrong_are_never_visible(name: str, tmp_path: Path) -> None:
    world = World(name, tmp_path, files={"model.gguf": WEIGHTS})
    outcome = await world.outcome(WrongBytes(), WrongBytes())
    assert isinstance(outcome, FetchFailed)
    assert (outcome.reason, outcome.passing) == ("CorruptDownload", True)
    assert world.visible() == []
    assert list((tmp_path / "cache" / "partial").iterdir()) == []


@pytest.mark.parametrize("name", [name for name in KINDS if name not in ("web", "ollama")])
async def test_a_name_that_leads_out_is_refused_before_a_byte_is_asked_for(
    name: str, tmp_path: Path
) -> None:
    world = World(name, tmp_path, files={"model.gguf": WEIGHTS, "../../etc/passwd": b"evil"})
    outcome = await world.outcome()
    assert isinstance(outcome, FetchFailed)
    assert outcome.reason == "UnsafeRepository"
    assert world.downloads.asked == []
    assert world.visible() == []


async def test_names_that_differ_in_case_alone_are_two_files(tmp_path: Path) -> None:
    await World("huggingface", tmp_path, files={"a.txt": b"1", "A.txt": b"2"}).fetched()


async def test_a_file_and_a_folder_of_one_name_are_refused(tmp_path: Path) -> None:
    outcome = await World("s3", tmp_path, files={"a": b"1", "a/b": b"2"}).outcome()
    assert isinstance(outcome, FetchFailed)
    assert outcome.reason == "UnsafeRepository"


async def test_modelscopes_default_branch_is_found_and_another_is_not(tmp_path: Path) -> None:
    world = World("modelscope", tmp_path)
    assert isinstance(world.kind, ModelScopeKind)
    world.kind.branch = "main"
    await world.fetched()
    world.kind.branch = "v2"
    outcome = await world.outcome()
    assert isinstance(outcome, FetchFailed)
    assert outcome.reason == "RevisionNotFound"


async def test_two_processes_that_want_one_file_bring_it_once(tmp_path: Path) -> None:
    world = World("ollama", tmp_path)
    async with serving_routes(world.kind.routes()) as url:
        one, other = await asyncio.gather(world.fetch(url), world.fetch(url))
    assert one == other
    assert len(world.downloads.asked) == 1
