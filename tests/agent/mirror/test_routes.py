"""The node's endpoint in front of a hub: real clients, real fetches, and what it refuses."""

import asyncio
import hashlib
import os
from pathlib import Path

import aiohttp
import pytest

from llmaz.agent.cache.acl import Acl, Visibility
from llmaz.agent.cache.aclfile import write_acl
from llmaz.agent.cache.remote import Refused
from llmaz.agent.cache.store import Tree
from llmaz.agent.mirror.upstream import Upstream
from support.downloads import Downloads, WrongBytes
from support.hub import COMMIT, Repository, serving
from support.mirrors import PRINT_FILES, asking, mirroring, run_client
from support.weights import safetensors

WEIGHTS = safetensors(size=400_000)
FILES = {"config.json": b"{}", "model.safetensors": WEIGHTS, "extra/notes.txt": b"notes"}
DIGESTS = {path: hashlib.sha256(data).hexdigest() for path, data in FILES.items()}
NOWHERE = "http://127.0.0.1:9"
RESOLVE = f"acme/tiny/resolve/{COMMIT}"


async def test_the_hubs_own_client_downloads_through_an_empty_cache_and_then_without_the_hub(
    tmp_path: Path,
) -> None:
    cache = tmp_path / "cache"
    async with serving({"acme/tiny": Repository(FILES)}) as hub, mirroring(cache, hub.url) as url:
        assert await run_client(PRINT_FILES, url, tmp_path / "one") == DIGESTS
    async with mirroring(cache, NOWHERE) as url:
        assert await run_client(PRINT_FILES, url, tmp_path / "two") == DIGESTS


async def test_the_hubs_own_client_describes_a_repository_by_it(tmp_path: Path) -> None:
    script = """
import json, huggingface_hub as h
api = h.HfApi()
print(json.dumps([
    api.model_info('acme/tiny').sha,
    sorted(api.list_repo_files('acme/tiny')),
    [e.path for e in api.list_repo_tree('acme/tiny')],
    [e.path for e in api.list_repo_tree('acme/tiny', 'extra')],
    [(e.path, e.size) for e in api.get_paths_info('acme/tiny', ['config.json', 'none'])],
    api.list_repo_refs('acme/tiny').branches[0].target_commit,
    api.file_exists('acme/tiny', 'none'),
    api.repo_exists('acme/other'),
    api.revision_exists('acme/tiny', 'v9'),
]))
"""
    async with (
        serving({"acme/tiny": Repository(FILES)}) as hub,
        mirroring(tmp_path / "cache", hub.url) as url,
    ):
        said = await run_client(script, url, tmp_path / "home")
    assert said == [
        COMMIT,
        sorted(FILES),
        ["config.json", "extra", "model.safetensors"],
        ["extra/notes.txt"],
        [["config.json", 2]],
        COMMIT,
        False,
        False,
        False,
    ]


async def test_eight_clients_of_one_file_cost_one_download(tmp_path: Path) -> None:
    repository = Repository(FILES)
    async with serving({"acme/tiny": repository}) as hub, asking(tmp_path, hub.url) as client:

        async def read() -> bytes:
            async with client.get(f"/{RESOLVE}/model.safetensors") as answer:
                return await answer.read()

        assert set(await asyncio.gather(*(read() for _ in range(8)))) == {WEIGHTS}
    assert repository.downloads.sent == len(WEIGHTS)


async def test_bytes_are_sent_while_the_rest_is_still_coming(tmp_path: Path) -> None:
    gate = asyncio.Event()
    repository = Repository(FILES, downloads=Downloads(gate=gate))
    async with (
        serving({"acme/tiny": repository}) as hub,
        asking(tmp_path, hub.url) as client,
        client.get(f"/{RESOLVE}/model.safetensors") as answer,
    ):
        head = await answer.content.readexactly(1000)
        gate.set()
        assert head + await answer.read() == WEIGHTS


async def test_wrong_bytes_never_make_a_whole_answer(tmp_path: Path) -> None:
    faults = [WrongBytes() for _ in range(4)]
    repository = Repository(FILES, downloads=Downloads(faults=[*faults]))
    async with serving({"acme/tiny": repository}) as hub, asking(tmp_path, hub.url) as client:
        try:
            async with client.get(f"/{RESOLVE}/model.safetensors") as answer:
                body, status = await answer.read(), answer.status
        except aiohttp.ClientError:
            body, status = b"", 0
    assert status != 200 or body == WEIGHTS


async def test_ranges_conditions_and_heads_are_answered(tmp_path: Path) -> None:
    where, etag = f"/{RESOLVE}/model.safetensors", f'"{DIGESTS["model.safetensors"]}"'
    repository = Repository(FILES)
    async with serving({"acme/tiny": repository}) as hub, asking(tmp_path, hub.url) as client:
        async with client.head(where) as head:
            assert (head.headers["ETag"], head.headers["X-Repo-Commit"]) == (etag, COMMIT)
            assert head.headers["Content-Length"] == str(len(WEIGHTS))
        async with client.get(where, headers={"Range": "bytes=10-19"}) as part:
            assert (part.status, await part.read()) == (206, WEIGHTS[10:20])
            assert part.headers["Content-Range"] == f"bytes 10-19/{len(WEIGHTS)}"
        async with client.get(where, headers={"Range": "bytes=999999-"}) as beyond:
            assert beyond.status == 416
        async with client.get(where, headers={"If-None-Match": etag}) as same:
            assert same.status == 304


@pytest.mark.parametrize("token", [None, "wrong"])
async def test_a_private_repository_in_a_warm_cache_needs_a_token_that_opens_it(
    tmp_path: Path, token: str | None
) -> None:
    repository = Repository(FILES, token="right")
    async with serving({"acme/tiny": repository}) as hub, asking(tmp_path, hub.url) as client:
        right = {"Authorization": "Bearer right"}
        async with client.get(f"/{RESOLVE}/config.json", headers=right) as answer:
            assert await answer.read() == b"{}"
        other = {} if token is None else {"Authorization": f"Bearer {token}"}
        async with client.get(f"/{RESOLVE}/config.json", headers=other) as refused:
            assert refused.status == (401 if token is None else 404)
            assert refused.headers["X-Error-Code"] == "RepoNotFound"


async def test_a_gated_repository_in_a_warm_cache_is_refused_and_the_hub_away_opens_nothing(
    tmp_path: Path,
) -> None:
    repository = Repository(FILES, token="right")
    async with serving({"acme/tiny": repository}) as hub:
        assert await _asked(tmp_path, hub.url) == (200, "")
        repository.gated = True
        assert await _asked(tmp_path, hub.url) == (403, "GatedRepo")
    assert await _asked(tmp_path, NOWHERE) == (503, "")


async def test_the_agents_own_token_opens_nothing_for_others(tmp_path: Path) -> None:
    environ = {"HF_TOKEN": "right", "HF_ENDPOINT": "", "HOME": str(tmp_path)}
    async with serving({"acme/tiny": Repository(FILES, token="right")}) as hub:
        upstream = Upstream(tmp_path, {**environ, "HF_ENDPOINT": hub.url})
        with pytest.raises(Refused, match="needs a token"):
            await upstream.listing("acme/tiny", "main", None)
    assert hub.tokens == {None}


async def test_a_link_planted_in_the_cache_leads_nowhere(tmp_path: Path) -> None:
    secret = tmp_path / "secret"
    secret.write_bytes(b"{}")
    cache = tmp_path / "cache"
    async with serving({"acme/tiny": Repository(FILES)}) as hub:
        assert await _asked(cache, hub.url) == (200, "")
    tree = Tree.of(cache, "hub", "acme/tiny")
    write_acl(tree.root, Acl(visibility=Visibility.PUBLIC))
    for blob in (tree.root / "blobs").iterdir():
        blob.unlink()
        blob.symlink_to(secret)
    assert await _asked(cache, NOWHERE, fetches=False) == (404, "EntryNotFound")


async def _asked(cache: Path, hub_url: str, *, fetches: bool = True) -> tuple[int, str]:
    """Ask for a file with the right token; return the status and the hub's code of an error."""
    async with (
        asking(cache, hub_url, token="right", fetches=fetches) as client,
        client.get(f"/{RESOLVE}/config.json") as answer,
    ):
        return answer.status, answer.headers.get("X-Error-Code", "")


async def test_what_clients_read_counts_as_used(tmp_path: Path) -> None:
    cache = tmp_path / "cache"
    repository = Repository(FILES)
    async with serving({"acme/tiny": repository}) as hub, asking(cache, hub.url) as client:
        await _text(client, "model.safetensors")
        (snapshot,) = cache.glob("hub/models--*/snapshots/*")
        os.utime(snapshot, (0, 0))
        await _text(client, "model.safetensors")
        assert snapshot.stat().st_mtime > 0


async def _text(client: aiohttp.ClientSession, path: str) -> None:
    async with client.get(f"/{RESOLVE}/{path}") as answer:
        assert await answer.read() == FILES[path]
