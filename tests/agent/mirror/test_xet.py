"""Files that a hub keeps in Xet: its own client reads them there, the agent by their addresses.

The agent's bytes are held to the sha256 that the hub lists; those of the client are not.
"""

import os
from pathlib import Path

from llmaz.agent.cache.child import FetchChild
from llmaz.agent.cache.origin import HubRepository
from llmaz.agent.cache.outcome import Fetched, FetchFailed
from llmaz.agent.cache.request import FetchRequest
from support import rooms
from support.downloads import Downloads, WrongBytes
from support.hub import Repository
from support.mirrors import PRINT_FILES, mirroring, run_client
from support.origins import serving_routes
from support.weights import safetensors
from support.xet import XetHub

WEIGHTS = safetensors(size=3 * 2**20)
FILES = {"config.json": b"{}", "model.safetensors": WEIGHTS}
PRINT_BYTES = """
import json, huggingface_hub as h
from pathlib import Path
print(json.dumps(Path(h.hf_hub_download('acme/tiny', 'model.safetensors')).read_bytes().hex()))
"""


async def test_the_hubs_own_client_reads_the_stand_in_by_xet(tmp_path: Path) -> None:
    hub = XetHub(Repository(FILES))
    async with serving_routes(hub.routes()) as url:
        assert await run_client(PRINT_BYTES, url, tmp_path) == WEIGHTS.hex()
    assert set(hub.asked) == {"token", "reconstruction", "xorb"}


async def test_the_hubs_own_client_takes_wrong_bytes_of_xet_for_right_ones(tmp_path: Path) -> None:
    hub = XetHub(Repository(FILES), flips=True)
    async with serving_routes(hub.routes()) as url:
        assert await run_client(PRINT_BYTES, url, tmp_path) != WEIGHTS.hex()


async def test_the_agent_brings_a_file_of_xet_whole_and_right(tmp_path: Path) -> None:
    hub = XetHub(Repository(FILES, downloads=Downloads([WrongBytes()])))
    async with serving_routes(hub.routes()) as url:
        outcome = await _by_the_agent(url, tmp_path)
    assert isinstance(outcome, Fetched), outcome
    assert {path: (Path(outcome.path) / path).read_bytes() for path in FILES} == FILES
    assert hub.asked == []


async def test_the_agent_shows_no_file_of_xet_whose_bytes_stay_wrong(tmp_path: Path) -> None:
    faults = Downloads([WrongBytes() for _ in range(10)])
    hub = XetHub(Repository({"model.safetensors": WEIGHTS}, downloads=faults))
    async with serving_routes(hub.routes()) as url:
        outcome = await _by_the_agent(url, tmp_path)
    assert isinstance(outcome, FetchFailed)
    assert outcome.reason == "CorruptDownload"
    assert list(tmp_path.glob("hub/*/snapshots/*")) == []


async def _by_the_agent(url: str, cache_dir: Path) -> Fetched | FetchFailed:
    origin = HubRepository(repository="acme/tiny", revision="main")
    request = FetchRequest(origin=origin, cache_dir=str(cache_dir))
    child = FetchChild({**os.environ, "HF_ENDPOINT": url, "HF_HOME": str(cache_dir / "home")})
    return await child.fetch(request, lambda _: None, rooms.plenty)


async def test_by_the_endpoint_the_hubs_own_client_needs_no_xet(tmp_path: Path) -> None:
    hub = XetHub(Repository(FILES))
    async with (
        serving_routes(hub.routes()) as hub_url,
        mirroring(tmp_path / "cache", hub_url) as url,
    ):
        said = await run_client(PRINT_FILES, url, tmp_path / "home")
    assert isinstance(said, dict)
    assert set(said) == set(FILES)
    assert hub.asked == []
