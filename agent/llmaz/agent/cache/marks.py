"""Remembers on the disk what was fetched and verified, so that it is done once."""

import hashlib
import json
from itertools import islice
from pathlib import Path

from llmaz.agent.cache.outcome import Fetched
from llmaz.agent.cache.weights import FILES_LOOKED_AT
from llmaz.agent.files import write_atomically
from llmaz.api.manifest import decode, encode


def key_of_path(path: Path) -> str:
    """Return a name for what lies at a path now: 32 hex digits, others when a file has changed."""
    within = (file for file in path.rglob("*") if file.is_file())
    files = sorted(islice(within, FILES_LOOKED_AT)) if path.is_dir() else [path]
    stats = [(str(file), file.stat().st_size, file.stat().st_mtime_ns) for file in files]
    return hashlib.sha256(json.dumps([str(path), stats]).encode()).hexdigest()[:32]


def remember(cache_dir: Path, key: str, fetched: Fetched) -> None:
    write_atomically(_mark(cache_dir, key), json.dumps(encode(fetched)))


def recall(cache_dir: Path, key: str) -> Fetched | None:
    """Return what was fetched under `key`, if every file of it is still there in its size."""
    try:
        fetched = decode(Fetched, json.loads(_mark(cache_dir, key).read_text()))
        whole = all(Path(file.path).stat().st_size == file.size for file in fetched.files)
    except (OSError, ValueError):  # a ManifestError is a ValueError
        return None
    return fetched if whole else None


def _mark(cache_dir: Path, key: str) -> Path:
    return cache_dir / "marks" / f"{key}.json"
