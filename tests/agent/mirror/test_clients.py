"""The hub's own programs against the endpoint, and without any hub on the trees that it left."""

import asyncio
import hashlib
import os
import sys
from pathlib import Path

import pytest

from support.hub import COMMIT, Repository, serving
from support.mirrors import PRINT_FILES, mirroring, run_client
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
