"""What of a repository is on the disk: its commits, their files, and a file's verified bytes.

Bytes are opened by their digest, each directory without following a link, so that neither a name
from outside nor a link that somebody planted leads out of the cache.
"""

import json
import os
import re
import stat
from pathlib import Path

from llmaz.agent.cache.names import why_unsafe
from llmaz.agent.cache.remote import Listing, RemoteFile
from llmaz.agent.cache.sources.answers import hexadecimal, number
from llmaz.agent.cache.store import Tree
from llmaz.agent.cache.wire import CutError

_COMMIT = re.compile(r"[0-9a-f]{40}")
_LARGEST_TEXT = 64 * 2**20
_DIRECTORY = os.O_RDONLY | os.O_DIRECTORY | os.O_NOFOLLOW | os.O_CLOEXEC
_FILE = os.O_RDONLY | os.O_NOFOLLOW | os.O_NONBLOCK | os.O_CLOEXEC


def is_commit(revision: str) -> bool:
    return _COMMIT.fullmatch(revision) is not None


def open_beneath(root: Path, name: str) -> int | None:
    """Open a regular file below a directory; None where there is none, or a link is on the way."""
    if why_unsafe(name) is not None:
        return None
    *folders, last = name.split("/")
    try:
        at = os.open(root, os.O_RDONLY | os.O_DIRECTORY | os.O_CLOEXEC)
    except OSError:
        return None
    try:
        for folder in folders:
            below = os.open(folder, _DIRECTORY, dir_fd=at)
            os.close(at)
            at = below
        descriptor = os.open(last, _FILE, dir_fd=at)
    except OSError:
        return None
    finally:
        os.close(at)
    if not stat.S_ISREG(os.fstat(descriptor).st_mode):
        os.close(descriptor)
        return None
    return descriptor


def open_bytes(cache_dir: Path, family: str, repository: str, file: RemoteFile) -> int | None:
    """Open the verified bytes of a file, if the cache has all of them."""
    if file.sha256 is not None:
        descriptor = open_beneath(cache_dir, f"store/sha256/{file.sha256[:2]}/{file.sha256}")
    elif file.git_sha1 is not None:
        folder = Tree.of(cache_dir, family, repository).root.name
        descriptor = open_beneath(cache_dir, f"{family}/{folder}/blobs/{file.git_sha1}")
    else:
        return None
    if descriptor is not None and os.fstat(descriptor).st_size != file.size:
        os.close(descriptor)
        return None
    return descriptor


def cached_listing(cache_dir: Path, family: str, repository: str, revision: str) -> Listing | None:
    """Return the commit that a revision was pinned to, and its files; None: it is not here."""
    folder = f"{family}/{Tree.of(cache_dir, family, repository).root.name}"
    commit = revision
    if not is_commit(revision):
        commit = (_text(cache_dir, f"{folder}/refs/{revision}") or "").strip()
    if not is_commit(commit):
        return None
    try:
        tree = json.loads(_text(cache_dir, f"{folder}/trees/{commit}.json") or "")
        # ModelScope has no commits: what it lacks is asked for by the branch.
        address = revision if family == "modelscope" else commit
        files = tuple(_file(path, entry, address) for path, entry in tree["files"].items())
    except (ValueError, KeyError, TypeError, AttributeError, CutError):
        return None
    return Listing(commit=commit, files=files)


def _file(path: str, entry: dict[str, object], address: str) -> RemoteFile:
    return RemoteFile(
        path=path,
        address=address,
        size=number(entry.get("size")),
        sha256=hexadecimal(entry.get("lfs_sha256"), 64),
        git_sha1=hexadecimal(entry.get("blob_id"), 40),
    )


def _text(root: Path, name: str) -> str | None:
    descriptor = open_beneath(root, name)
    if descriptor is None:
        return None
    with os.fdopen(descriptor, encoding="utf-8") as file:
        try:
            return file.read(_LARGEST_TEXT)
        except ValueError:
            return None
