"""The fetching child against a hub on loopback; the hub's own client reads what it stores."""

import asyncio
import dataclasses
import os
import sys
import time
from collections.abc import Awaitable, Callable
from pathlib import Path

import pytest

from llmaz.agent.cache.acl import Acl, Visibility
from llmaz.agent.cache.aclfile import read_acl
from llmaz.agent.cache.child import FetchChild
from llmaz.agent.cache.origin import HubRepository
from llmaz.agent.cache.outcome import Fetched, FetchFailed
from llmaz.agent.cache.proof import proof_of
from llmaz.agent.cache.request import FetchRequest, Progress, Room
from support import rooms
from support.downloads import Cut, Downloads, WrongBytes
from support.hub import COMMIT, Hub, Repository, serving
from support.weights import gguf, safetensors

WEIGHTS = safetensors(size=400_000)
FILES = {"config.json": b"{}", "model.safetensors": WEIGHTS, "extra/notes.txt": b"notes"}


async def _fetch(
    hub: Hub,
    tmp_path: Path,
    *,
    told: list[Progress] | None = None,
    token: str | None = None,
    repository: str = "acme/tiny",
    revision: str = "main",
    filename: str | None = None,
    allow_patterns: tuple[str, ...] | None = None,
    room: Callable[[int], Awaitable[Room]] = rooms.plenty,
) -> Fetched | FetchFailed:
    origin = HubRepository(
        repository=repository,
        revision=revision,
        filename=filename,
        allow_patterns=allow_patterns,
    )
    given = {} if token is None else {"HF_TOKEN": token}
    request = FetchRequest(origin=origin, cache_dir=str(tmp_path), credentials=given)
    environ = {**os.environ, "HF_ENDPOINT": hub.url, "HF_HOME": str(tmp_path / "home")}
    return await FetchChild(environ).fetch(request, (told if told is not None else []).append, room)


async def _reason(repository: Repository, tmp_path: Path, *, revision: str = "main") -> str:
    async with serving({"acme/tiny": repository}) as hub:
        outcome = await _fetch(hub, tmp_path, revision=revision)
    assert isinstance(outcome, FetchFailed), outcome
    return outcome.reason


async def test_a_repository_becomes_a_tree_that_the_hubs_own_client_reads_offline(
    tmp_path: Path,
) -> None:
    told: list[Progress] = []
    async with serving({"acme/tiny": Repository(FILES)}) as hub:
        outcome = await _fetch(hub, tmp_path, told=told)
    assert isinstance(outcome, Fetched), outcome
    assert outcome.revision == COMMIT
    assert {path: (Path(outcome.path) / path).read_bytes() for path in FILES} == FILES
    assert told[0] == Progress(bytes_done=0, bytes_total=sum(map(len, FILES.values())))
    assert await _read_offline(tmp_path) == outcome.path


async def test_a_branch_that_moves_meanwhile_is_asked_for_once(tmp_path: Path) -> None:
    repository = Repository(FILES)
    async with serving({"acme/tiny": repository}) as hub:
        outcome = await _fetch(hub, tmp_path)
    assert isinstance(outcome, Fetched), outcome
    first, *others = repository.requests
    assert first.endswith("/revision/main")
    assert others
    assert all(COMMIT in request for request in others)


async def _read_offline(tmp_path: Path) -> str:
    script = "import sys, huggingface_hub as h; print(h.snapshot_download('acme/tiny'))"
    environ = {**os.environ, "HF_HUB_OFFLINE": "1", "HF_HUB_CACHE": str(tmp_path / "hub")}
    child = await asyncio.create_subprocess_exec(
        *(sys.executable, "-c", script), env=environ, stdout=asyncio.subprocess.PIPE
    )
    printed, _ = await child.communicate()
    return printed.decode().strip()


async def test_one_file_is_fetched_alone_and_is_the_path(tmp_path: Path) -> None:
    files = {"a.gguf": gguf(), "b.gguf": gguf(tensors=2)}
    async with serving({"acme/tiny": Repository(files)}) as hub:
        outcome = await _fetch(hub, tmp_path, filename="b.gguf")
    assert isinstance(outcome, Fetched), outcome
    assert Path(outcome.path).read_bytes() == files["b.gguf"]
    assert [Path(file.path).name for file in outcome.files] == ["b.gguf"]


async def test_a_model_that_is_split_comes_whole_and_its_first_part_is_the_path(
    tmp_path: Path,
) -> None:
    parts = [f"q4/big-0000{number}-of-00002.gguf" for number in (1, 2)]
    files = {name: gguf(tensors=3) for name in (*parts, "q8/big-00001-of-00002.gguf")}
    async with serving({"acme/tiny": Repository(files)}) as hub:
        outcome = await _fetch(hub, tmp_path, filename=parts[0])
    assert isinstance(outcome, Fetched), outcome
    assert outcome.path.endswith(parts[0])
    assert [file.path.endswith(part) for file, part in zip(outcome.files, parts, strict=True)] == [
        True,
        True,
    ]


async def test_patterns_select_what_is_fetched(tmp_path: Path) -> None:
    async with serving({"acme/tiny": Repository(FILES)}) as hub:
        outcome = await _fetch(hub, tmp_path, allow_patterns=("*.safetensors",))
    assert isinstance(outcome, Fetched), outcome
    assert [Path(file.path).name for file in outcome.files] == ["model.safetensors"]


async def test_a_connection_that_is_cut_is_resumed(tmp_path: Path) -> None:
    async with serving({"acme/tiny": Repository(FILES, downloads=Downloads([Cut(1000)]))}) as hub:
        outcome = await _fetch(hub, tmp_path)
    assert isinstance(outcome, Fetched), outcome
    assert (Path(outcome.path) / "model.safetensors").read_bytes() == WEIGHTS


async def test_wrong_bytes_are_fetched_once_more(tmp_path: Path) -> None:
    files = {"model.safetensors": WEIGHTS}
    async with serving(
        {"acme/tiny": Repository(files, downloads=Downloads([WrongBytes()]))}
    ) as hub:
        outcome = await _fetch(hub, tmp_path)
    assert isinstance(outcome, Fetched), outcome
    assert (Path(outcome.path) / "model.safetensors").read_bytes() == WEIGHTS


async def test_bytes_that_stay_wrong_are_never_visible(tmp_path: Path) -> None:
    repository = Repository(
        {"model.safetensors": WEIGHTS}, downloads=Downloads([WrongBytes(), WrongBytes()])
    )
    assert await _reason(repository, tmp_path) == "CorruptDownload"
    root = tmp_path / "hub" / "models--acme--tiny"
    assert not list(root.glob("snapshots/*/*"))
    assert not list(root.glob("refs/*"))


@pytest.mark.parametrize(
    ("repository", "reason"),
    [
        (Repository(FILES, token="secret"), "RepositoryNotFound"),
        (Repository(FILES, gated=True), "GatedRepository"),
        (Repository(FILES, revisions=("other",)), "RevisionNotFound"),
        (Repository(FILES, status=403), "Unauthorized"),
        (Repository({}), "FileNotFound"),
        (Repository({"../../evil.safetensors": WEIGHTS}), "UnsafeRepository"),
    ],
    ids=lambda value: value if isinstance(value, str) else "",
)
async def test_a_refusal_of_the_hub_has_its_own_reason(
    repository: Repository, reason: str, tmp_path: Path
) -> None:
    assert await _reason(repository, tmp_path) == reason


async def test_a_hub_that_is_not_there_is_a_passing_failure(tmp_path: Path) -> None:
    async with serving({}) as hub:
        pass
    outcome = await _fetch(hub, tmp_path)
    assert isinstance(outcome, FetchFailed)
    assert (outcome.reason, outcome.passing) == ("NetworkUnreachable", True)


async def test_a_token_opens_what_is_private_and_appears_nowhere(tmp_path: Path) -> None:
    async with serving({"acme/tiny": Repository(FILES, token="hf_secret")}) as hub:
        outcome = await _fetch(hub, tmp_path, token="hf_secret")
    assert isinstance(outcome, Fetched), outcome
    given = {"HF_TOKEN": "hf_secret"}
    assert "hf_secret" not in repr(FetchRequest(origin=_TINY, cache_dir="/", credentials=given))


_TINY = HubRepository(repository="acme/tiny", revision="main")


async def test_a_fetch_that_is_cancelled_takes_its_process_along(tmp_path: Path) -> None:
    repository = Repository(FILES, downloads=Downloads(gate=asyncio.Event()))
    told: list[Progress] = []
    async with serving({"acme/tiny": repository}) as hub:
        fetch = asyncio.create_task(_fetch(hub, tmp_path, told=told))
        async with asyncio.timeout(120):
            while not any("resolve" in request for request in repository.requests):
                await asyncio.sleep(0.02)
        fetch.cancel()
        with pytest.raises(asyncio.CancelledError):
            await fetch
        assert repository.downloads.gate is not None
        repository.downloads.gate.set()
    assert not list((tmp_path / "hub").glob("*/refs/*"))


async def test_no_byte_is_asked_for_where_there_is_no_room(tmp_path: Path) -> None:
    repository = Repository(FILES)
    async with serving({"acme/tiny": repository}) as hub:
        outcome = await _fetch(hub, tmp_path, room=rooms.none)
    assert isinstance(outcome, FetchFailed)
    assert (outcome.reason, outcome.passing) == ("NoSpace", True)
    assert outcome.message.endswith(f"{sum(map(len, FILES.values()))} bytes are needed")
    assert repository.downloads.asked == []


async def test_a_size_that_no_disk_has_is_refused_by_the_disk(tmp_path: Path) -> None:
    async with serving({"acme/tiny": Repository(FILES, declared_size=10**18)}) as hub:
        outcome = await _fetch(hub, tmp_path)
    assert isinstance(outcome, FetchFailed)
    assert outcome.reason == "NoSpace"


async def test_a_gated_repository_is_proven_by_a_byte_and_noted_beside_its_tree(
    tmp_path: Path,
) -> None:
    origin = HubRepository(repository="acme/tiny", revision="main")
    request = FetchRequest(origin=origin, cache_dir=str(tmp_path), credentials={"HF_TOKEN": "mine"})
    proving = dataclasses.replace(request, prove=True)
    repository = Repository(FILES, token="mine")
    async with serving({"acme/tiny": repository}) as hub:
        child = FetchChild({**os.environ, "HF_ENDPOINT": hub.url, "HF_HOME": str(tmp_path)})
        assert isinstance(await child.fetch(proving, lambda _: None, rooms.plenty), Fetched)
        assert not (tmp_path / "store").exists()
        assert isinstance(await child.fetch(request, lambda _: None, rooms.plenty), Fetched)
        acl = read_acl(tmp_path / "hub" / "models--acme--tiny")
        assert acl == Acl(proven=(proof_of(tmp_path, {"HF_TOKEN": "mine"}),))
        repository.gated = True
        refused = await child.fetch(proving, lambda _: None, rooms.plenty)
    assert isinstance(refused, FetchFailed)
    assert refused.reason == "GatedRepository"


async def test_a_model_that_anybody_may_read_is_noted_as_public(tmp_path: Path) -> None:
    async with serving({"acme/tiny": Repository(FILES)}) as hub:
        assert isinstance(await _fetch(hub, tmp_path), Fetched)
    assert read_acl(tmp_path / "hub" / "models--acme--tiny").visibility is Visibility.PUBLIC


async def test_pickles_are_named_and_refused_where_the_node_is_told_to(tmp_path: Path) -> None:
    origin = HubRepository(repository="acme/tiny", revision="main")
    request = FetchRequest(origin=origin, cache_dir=str(tmp_path))
    strict = dataclasses.replace(request, refuse_pickle=True)
    files = {"config.json": b"{}", "pytorch_model.bin": b"weights"}
    async with serving({"acme/tiny": Repository(files)}) as hub:
        child = FetchChild({**os.environ, "HF_ENDPOINT": hub.url, "HF_HOME": str(tmp_path)})
        refused = await child.fetch(strict, lambda _: None, rooms.plenty)
        fetched = await child.fetch(request, lambda _: None, rooms.plenty)
    assert isinstance(refused, FetchFailed)
    assert refused.reason == "PickleRefused"
    assert "'pytorch_model.bin'" in refused.message
    assert isinstance(fetched, Fetched)
    assert fetched.pickles == ("pytorch_model.bin",)


async def test_a_fetch_keeps_to_its_rate(tmp_path: Path) -> None:
    weights = safetensors(size=1_500_000)
    origin = HubRepository(repository="acme/tiny", revision="main")
    request = FetchRequest(
        origin=origin, cache_dir=str(tmp_path), rates={"all": 10**9, "huggingface": 500_000}
    )
    async with serving({"acme/tiny": Repository({"model.safetensors": weights})}) as hub:
        child = FetchChild({**os.environ, "HF_ENDPOINT": hub.url, "HF_HOME": str(tmp_path)})
        begun = time.monotonic()
        assert isinstance(await child.fetch(request, lambda _: None, rooms.plenty), Fetched)
    assert time.monotonic() - begun > 1.5
