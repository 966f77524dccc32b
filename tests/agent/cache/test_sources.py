"""What every kind of source must bear: one contract for all, with faults on the wire."""

import asyncio
from pathlib import Path

import pytest

from llmaz.agent.cache.outcome import FetchFailed
from llmaz.agent.cache.request import Progress
from support.downloads import (
    Cut,
    Downloads,
    NoRanges,
    OtherRange,
    OtherVersion,
    Redirect,
    Status,
    WrongLength,
)
from support.origins import SECRET_VALUE, Elsewhere, ModelScopeKind, serving_routes
from support.worlds import KINDS, OF_OUR_WIRE, WEIGHTS, World

every_kind = pytest.mark.parametrize("name", KINDS)
of_our_wire = pytest.mark.parametrize("name", OF_OUR_WIRE)


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


async def test_bytes_that_another_source_brought_are_stored_once(tmp_path: Path) -> None:
    """A server of the web tells no digest: that its file is here already shows at the end."""
    files = {"model.gguf": WEIGHTS}
    repository = await World("huggingface", tmp_path, files=files).fetched()
    file = await World("web", tmp_path, files=files).fetched()
    assert Path(repository.path).samefile(file.path)


@of_our_wire
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


@of_our_wire
async def test_the_whole_file_for_a_range_is_taken_from_its_begin(
    name: str, tmp_path: Path
) -> None:
    world = World(name, tmp_path, files={"model.gguf": WEIGHTS})
    await world.fetched(Cut(100_000), NoRanges())
    assert world.told[-1].tally.wrong_from_origin == 0


async def test_what_a_driver_fails_with_is_borne(tmp_path: Path) -> None:
    world = World("fsspec", tmp_path, files={"model.gguf": WEIGHTS})
    await world.fetched(Status(503), Status(500), Cut(100_000), Cut(0), WrongLength(-1))
    assert world.downloads.faults == []


@of_our_wire
async def test_a_redirect_to_another_place_is_followed_without_the_credentials(
    name: str, tmp_path: Path
) -> None:
    world = World(name, tmp_path, files={"model.gguf": WEIGHTS})
    other = Elsewhere(world.files)
    async with serving_routes(other.routes()) as there:
        await world.fetched(Redirect(f"{there}/elsewhere/model.gguf?ticket=1"))
    assert other.downloads.seen_headers
    assert SECRET_VALUE not in repr(other.downloads.seen_headers)


@of_our_wire
async def test_a_redirect_that_has_expired_is_asked_for_anew(name: str, tmp_path: Path) -> None:
    world = World(name, tmp_path, files={"model.gguf": WEIGHTS})
    other = Elsewhere(world.files, Downloads([Cut(100), Status(403)]))
    async with serving_routes(other.routes()) as there:
        redirect = Redirect(f"{there}/elsewhere/model.gguf")
        await world.fetched(redirect, redirect, redirect)


@of_our_wire
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


@of_our_wire
async def test_a_range_that_the_source_says_does_not_exist_is_a_change_of_the_file(
    name: str, tmp_path: Path
) -> None:
    world = World(name, tmp_path)
    outcome = await world.outcome(Status(416))
    assert isinstance(outcome, FetchFailed)
    assert (outcome.reason, outcome.passing) == ("SourceChanged", True)


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
