"""Who the other nodes are: a small file that the agent keeps, read by fetches under way too."""

import json
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

from llmaz.agent.files import write_atomically
from llmaz.agent.sharing.tls import TlsFiles
from llmaz.api.manifest import decode, encode
from llmaz.api.peer import ModelPeer


@dataclass(frozen=True, slots=True, kw_only=True)
class Peering:
    """What a fetch needs to share: its own name, where peers are listed, and proof of its right."""

    node: str
    peers_file: str
    token_file: str
    tls: TlsFiles | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class _Listed:
    peers: tuple[ModelPeer, ...] = ()


def peers_path(cache_dir: Path, model: str) -> Path:
    """Return the file that lists the nodes which want or hold a model."""
    return cache_dir / "peers" / f"{model}.json"


def write_peers(path: Path, peers: Sequence[ModelPeer]) -> None:
    text = json.dumps(encode(_Listed(peers=tuple(peers))))
    try:
        if path.read_text() == text:
            return
    except OSError:
        pass  # there is none yet
    write_atomically(path, text)


def read_peers(path: Path) -> tuple[ModelPeer, ...]:
    """Return the nodes that are listed; none where the list can't be read."""
    try:
        return decode(_Listed, json.loads(path.read_text())).peers
    except (OSError, ValueError):
        return ()
