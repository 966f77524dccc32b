"""The hub's own programs against the endpoint, and without any hub on the trees that it left."""

import asyncio
import hashlib
import os
import sys
from pathlib import Path

import pytest

from support.downloads import Downloads
from support.hub import COMMIT, Repository, serving
from support.mirrors import PRINT_FILES, mirroring, run_client
from support.origins import ModelScopeKind, serving_routes
from support.weights import safetensors

WEIGHTS = safetensors(size=400_000)
FILES = {"config.json": b"{}", "model.safetensors": WEIGHTS, "extra/notes.txt": b"notes"}


async def test_the_command_of_the_hub_downloads_by_the_endpoint_and_later_needs_no_hub(
    tmp_path: Path,
) -> None:
    cache, home, tree = tmp_path / "cache", tmp_path / "home", tmp_path / "cache/hub"
    async with (
        serving({"acme/tiny": Repository(FILES)}) as hub,
        mirroring(cache, hub.url) as url,
    ):
        code, said = await _hf("acme/tiny", home=home, HF_ENDPOINT=url)
        assert code == 0, said
        snapshot = next(home.rglob("snapshots/*"))
        for path, data in FILES.items():
            assert _sha256(snapshot / path) == hashlib.sha256(data).hexdigest()
    offline = {"HF_HUB_OFFLINE": "1", "HF_HUB_CACHE": str(tree)}
    code, said = await _hf("acme/tiny", home=home, **offline)
    assert code == 0, said
    assert f"snapshots/{COMMIT}" in said

    (tree / f"models--acme--tiny/snapshots/{COMMIT}/model.safetensors").unlink()
    code, said = await _hf("acme/tiny", home=home, **offline)
    assert code != 0, said


@pytest.mark.slow
async def test_the_hubs_client_of_the_major_version_before_downloads_by_it_as_well(
    tmp_path: Path,
) -> None:
    packages = tmp_path / "packages"
    pip = (sys.executable, "-m", "pip", "install", "-q", "--target", str(packages))
    installing = await asyncio.create_subprocess_exec(
        *pip, "huggingface_hub>=1,<2", stderr=asyncio.subprocess.DEVNULL
    )
    if await installing.wait() != 0:
        pytest.skip("no package index is reached")
    async with (
        serving({"acme/tiny": Repository(FILES)}) as hub,
        mirroring(tmp_path / "cache", hub.url) as url,
    ):
        environ = {"PYTHONPATH": str(packages)}
        script = f"{PRINT_FILES}print(json.dumps([h.__version__, files]))"
        said = await run_client(script, url, tmp_path / "home", environ)
    assert isinstance(said, list)
    assert said[0].startswith("1.")
    assert said[1] == {path: hashlib.sha256(data).hexdigest() for path, data in FILES.items()}


async def _hf(*args: str, home: Path, **environ: str) -> tuple[int | None, str]:
    child = await asyncio.create_subprocess_exec(
        *(str(Path(sys.executable).parent / "hf"), "download", *args),
        env={**os.environ, "HF_HOME": str(home), "HF_HUB_DISABLE_PROGRESS_BARS": "1", **environ},
        stdout=asyncio.subprocess.PIPE,
        stderr=asyncio.subprocess.PIPE,
    )
    printed, complaint = await child.communicate()
    return child.returncode, (printed + complaint).decode()


def _sha256(path: Path) -> str:
    return hashlib.sha256(path.read_bytes()).hexdigest()


MODELSCOPE = """
import json, sys
from pathlib import Path
from modelscope.hub.api import HubApi
from modelscope.hub.file_download import model_file_download
from modelscope.hub.snapshot_download import snapshot_download
root = Path(snapshot_download('acme/tiny'))
one = Path(model_file_download('acme/tiny', 'config.json', local_dir=sys.argv[1]))
listed = [file['Path'] for file in HubApi().get_model_files('acme/tiny', root='extra')]
print(json.dumps([{path: (root / path).stat().st_size for path in
    ('config.json', 'model.safetensors', 'extra/notes.txt')}, one.read_text(), listed]))
"""


async def test_modelscopes_own_client_downloads_by_the_endpoint_and_then_without_the_hub(
    tmp_path: Path,
) -> None:
    kind, cache = ModelScopeKind(FILES, Downloads()), tmp_path / "cache"
    right = [{path: len(data) for path, data in FILES.items()}, "{}", ["extra", "extra/notes.txt"]]
    async with serving_routes(kind.routes()) as hub, mirroring(cache, hub) as url:
        assert await _by_modelscope(url, tmp_path / "one") == right
        sent = kind.downloads.sent
        assert await _by_modelscope(url, tmp_path / "two") == right
        assert kind.downloads.sent == sent <= sum(map(len, FILES.values())) + 1  # a byte to prove
    async with mirroring(cache, "http://127.0.0.1:9") as url:
        assert await _by_modelscope(url, tmp_path / "three") == right
    snapshot = next((cache / "modelscope/models--acme--tiny/snapshots").iterdir())
    assert {path: (snapshot / path).read_bytes() for path in FILES} == FILES


async def _by_modelscope(url: str, home: Path) -> object:
    environ = {
        "HOME": str(home),
        "MODELSCOPE_CACHE": str(home),
        "MODELSCOPE_ENDPOINT": url,
        "MODELSCOPE_DOWNLOAD_INTRA_CLOUD": "false",
    }
    script = MODELSCOPE.replace("sys.argv[1]", repr(str(home / "one")))
    return await run_client(script, url, home, environ)
