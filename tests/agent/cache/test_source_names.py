"""Names that a stranger wrote, at every kind of place: refused before a byte, or kept."""

from collections.abc import Iterator
from pathlib import Path

import pytest
from aiohttp import web

from llmaz.agent.cache.origin import Remote, WebFile
from llmaz.agent.cache.outcome import Fetched, FetchFailed
from llmaz.agent.cache.remote import Refused, RemoteFile
from llmaz.agent.cache.sources.answers import MOST_FILES, bounded
from support.origins import WebKind, serving_routes
from support.worlds import OF_TREES, WEIGHTS, World

UNSAFE = {
    "../../etc/passwd": "leads out",
    "/etc/passwd": "leads out",
    "a/../../../b": "leads out",
    "nul\0.txt": "control character",
    "back\\slash": "backslash",
    "long" * 1024: "longer than",
    f"a/{'b' * 256}": "longer than",
}
# XML has no way to say such a name, and no directory of a file system holds the others.
NOT_TOLD = {
    *((store, "nul\0.txt") for store in ("s3", "gs", "oss")),
    *(("fsspec", name) for name in UNSAFE if "/" in name or "\0" in name),
}


@pytest.mark.parametrize("name", OF_TREES)
async def test_a_name_that_can_not_be_kept_is_refused_before_a_byte_is_asked_for(
    name: str, tmp_path: Path
) -> None:
    for number, (unsafe, why) in enumerate(UNSAFE.items()):
        if (name, unsafe) in NOT_TOLD:
            continue
        world = World(name, tmp_path / str(number), files={"model.gguf": WEIGHTS, unsafe: b"evil"})
        outcome = await world.failed()
        assert outcome.reason == "UnsafeRepository", unsafe
        assert why in outcome.message
        assert world.downloads.asked == []
        assert len(outcome.message) < 400


@pytest.mark.parametrize("name", OF_TREES)
async def test_names_that_differ_in_case_alone_are_two_files(name: str, tmp_path: Path) -> None:
    await World(name, tmp_path, files={"a.txt": b"1", "A.txt": b"2", "B/a.txt": b"3"}).fetched()


@pytest.mark.parametrize("name", ["s3", "gs", "google", "oss"])
async def test_a_file_and_a_folder_of_one_name_are_refused(name: str, tmp_path: Path) -> None:
    outcome = await World(name, tmp_path, files={"a": b"1", "a/b": b"2"}).failed()
    assert outcome.reason == "UnsafeRepository"


@pytest.mark.parametrize("name", OF_TREES)
async def test_pickles_are_flagged_or_refused_before_a_byte_is_asked_for(
    name: str, tmp_path: Path
) -> None:
    files = {"config.json": b"{}", "deep/pytorch_model.bin": b"pickled"}
    strict = World(name, tmp_path / "strict", files=files, refuse_pickle=True)
    outcome = await strict.failed()
    assert outcome.reason == "PickleRefused"
    assert "deep/pytorch_model.bin" in outcome.message
    assert strict.downloads.asked == []
    found = await World(name, tmp_path / "open", files=files).fetched()
    assert found.pickles == ("deep/pytorch_model.bin",)


class _AnyFile(WebKind):
    """A web server that has one file under every name of a folder."""

    last = ""

    def routes(self) -> list[web.RouteDef]:
        return [web.get("/models/{last}", self._file)]

    def origin(self, url: str) -> Remote:
        return WebFile(url=f"{url}/models/{self.last}")


async def _of_web(last: str, tmp_path: Path, *, refuse_pickle: bool = False) -> object:
    world = World("web", tmp_path, files={"model.gguf": WEIGHTS}, refuse_pickle=refuse_pickle)
    kind = _AnyFile(world.files, world.downloads)
    kind.last = last
    world.kind = kind
    return await world.outcome()


@pytest.mark.parametrize("last", ["%00", "x%5Cy", "b" * 256])
async def test_a_web_address_whose_last_part_can_not_be_kept_is_refused(
    last: str, tmp_path: Path
) -> None:
    outcome = await _of_web(last, tmp_path)
    assert isinstance(outcome, FetchFailed), outcome
    assert outcome.reason == "UnsafeRepository", outcome


async def test_a_pickle_of_the_web_is_flagged_or_refused(tmp_path: Path) -> None:
    found = await _of_web("model.pkl", tmp_path)
    assert isinstance(found, Fetched), found
    assert found.pickles == ("model.pkl",)
    refused = await _of_web("model.pkl", tmp_path, refuse_pickle=True)
    assert isinstance(refused, FetchFailed)
    assert refused.reason == "PickleRefused"


def test_a_listing_of_more_files_than_any_model_has_is_left_off_as_it_comes() -> None:
    came = 0

    def files() -> Iterator[RemoteFile]:
        nonlocal came
        for number in range(1_000_000):
            came += 1
            yield RemoteFile(path=str(number), size=1)

    with pytest.raises(Refused, match="acme/million has more than 100000 files"):
        bounded(files(), "acme/million")
    assert came == MOST_FILES + 1


async def test_a_repository_of_a_million_files_is_refused_without_listing_them_all(
    tmp_path: Path,
) -> None:
    pages = 0

    async def page(request: web.Request) -> web.Response:
        nonlocal pages
        start = int(request.query.get("cursor", "0"))
        pages += 1
        entries = [{"type": "file", "path": f"{start + n}", "size": 1} for n in range(50_000)]
        following = f'<{request.path}?cursor={start + 50_000}>; rel="next"'
        return web.json_response(entries, headers={"Link": following})

    world = World("huggingface", tmp_path)
    about = next(r for r in world.kind.routes() if "revision" in r.path)
    routes = [about, web.get("/api/models/acme/tiny/tree/{commit}", page)]
    async with serving_routes(routes) as url:
        outcome = await world.fetch(url)
    assert isinstance(outcome, FetchFailed)
    assert (outcome.reason, outcome.passing) == ("TooManyFiles", False)
    assert pages == 3
