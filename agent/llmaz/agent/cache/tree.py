"""The layout of a Hugging Face cache tree, and the last steps of putting a commit into it.

    hub/models--org--name/blobs/<etag>             the bytes
                          snapshots/<commit>/...   links to them, under the names of the repository
                          trees/<commit>.json      what the commit consists of
                          refs/<revision>          the commit; written last

Engines and `huggingface_hub` itself read this tree, offline too.
"""

import hashlib
import json
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

from llmaz.agent.files import write_atomically

_CHUNK = 2**20
_TREE_FORMAT = 1


@dataclass(frozen=True, slots=True, kw_only=True)
class RepositoryFile:
    """One file of a commit, with the digests that the hub knows of it."""

    path: str
    size: int
    git_sha1: str
    sha256: str | None = None  # of a large file


def repository_dir(hub_dir: Path, repository: str) -> Path:
    return hub_dir / f"models--{repository.replace('/', '--')}"


def snapshot_dir(hub_dir: Path, repository: str, commit: str) -> Path:
    return repository_dir(hub_dir, repository) / "snapshots" / commit


def is_genuine(file: RepositoryFile, local: Path) -> bool:
    """Tell whether the bytes on the disk are those that the hub has."""
    if local.stat().st_size != file.size:
        return False
    if file.sha256 is not None:
        return _digest(local, hashlib.sha256()) == file.sha256
    return _digest(local, _git_blob(file.size)) == file.git_sha1


def discard(local: Path) -> None:
    """Remove a file of a snapshot and its bytes."""
    blob = local.resolve()
    local.unlink(missing_ok=True)
    blob.unlink(missing_ok=True)


def publish(
    hub_dir: Path,
    repository: str,
    revision: str,
    commit: str,
    files: Mapping[str, RepositoryFile],
) -> None:
    """Make a commit whose files are in place known under its revision."""
    root = repository_dir(hub_dir, repository)
    entries = {path: _entry(file) for path, file in sorted(files.items())}
    tree = {"format_version": _TREE_FORMAT, "files": entries}
    write_atomically(root / "trees" / f"{commit}.json", json.dumps(tree))
    if revision != commit:
        write_atomically(root / "refs" / revision, commit)


def _entry(file: RepositoryFile) -> dict[str, str | int]:
    entry: dict[str, str | int] = {"size": file.size, "blob_id": file.git_sha1}
    if file.sha256 is not None:
        entry |= {"lfs_sha256": file.sha256, "lfs_size": file.size}
    return entry


def _git_blob(size: int) -> "hashlib._Hash":
    digest = hashlib.sha1(usedforsecurity=False)
    digest.update(b"blob %d\0" % size)
    return digest


def _digest(local: Path, digest: "hashlib._Hash") -> str:
    with local.open("rb") as file:
        while chunk := file.read(_CHUNK):
            digest.update(chunk)
    return digest.hexdigest()
