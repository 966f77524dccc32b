"""Remembers on the disk what was fetched and verified, so that it is done once."""

import json
from pathlib import Path

from llmaz.agent.cache.state import Fetched
from llmaz.agent.files import write_atomically
from llmaz.api.manifest import decode, encode


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
