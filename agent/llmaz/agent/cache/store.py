"""Verified bytes, each once: the store under their sha256, and hard links to it in the trees.

    store/sha256/ab/abcd...                        the bytes; read-only
    hub/models--org--name/blobs/<etag>             hard links to them
                          snapshots/<commit>/...   relative links, under the source's names
                          trees/<commit>.json      what the commit consists of
                          refs/<revision>          the commit; written last

A tree is a Hugging Face cache: engines and `huggingface_hub` itself read `hub/`, offline too. Other
sources have trees of the same form under another name than `hub/`, since a repository of one hub
is not that of another. Nothing is under a name of these before its digest was found right.
"""

import hashlib
import json
import os
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from pathlib import Path

from llmaz.agent.cache.partial import Partial, flush_directory
from llmaz.agent.cache.remote import Listing, RemoteFile
from llmaz.agent.files import write_atomically

_TREE_FORMAT = 1
_BLOCK = 2**20


@dataclass(frozen=True, slots=True, kw_only=True)
class Tree:
    """One repository's directory."""

    root: Path

    @classmethod
    def of(cls, cache_dir: Path, family: str, repository: str) -> "Tree":
        """Return the tree of a repository: `hub` is the family that Hugging Face's client reads."""
        name = repository.replace("/", "--")
        if len(name.encode()) > 200:
            name = name[:100] + "--" + hashlib.sha256(name.encode()).hexdigest()[:32]
        return cls(root=cache_dir / family / f"models--{name}")

    def snapshot(self, commit: str) -> Path:
        return self.root / "snapshots" / commit

    def blob(self, file: RemoteFile, sha256: str) -> Path:
        """Return where the client looks for a file's bytes: under its ETag at the hub."""
        return self.root / "blobs" / (file.sha256 or file.git_sha1 or sha256)


class Store:
    """The bytes of one cache directory."""

    def __init__(self, cache_dir: Path) -> None:
        self._root = cache_dir / "store" / "sha256"
        self._partial = cache_dir / "partial"
        self._digests = cache_dir / "digests"

    def path(self, sha256: str) -> Path:
        return self._root / sha256[:2] / sha256

    def holds(self, sha256: str, size: int) -> bool:
        with suppress(OSError):
            return self.path(sha256).stat().st_size == size
        return False

    @contextmanager
    def partial(self, key: str, size: int) -> Iterator[Partial]:
        """Hold a file on its way inside the `with` block, alone on this node."""
        partial = Partial(self._partial, key, size)
        try:
            yield partial
        finally:
            partial.close()

    def adopt(self, blob: Path, file: RemoteFile) -> str | None:
        """Take bytes that another client left in a tree, if they are right; return their sha256."""
        digests = Digests(file)
        try:
            with blob.open("rb") as left:
                while block := left.read(_BLOCK):
                    digests.update(block)
                if left.tell() != file.size or digests.complaint() is not None:
                    return None
        except OSError:
            return None
        target = self.path(digests.sha256)
        if not self.holds(digests.sha256, file.size):
            _link(blob, target)
        return digests.sha256

    def learn(self, key: str, sha256: str) -> None:
        """Remember what a file was whose source knows no digest, under a name of that version."""
        write_atomically(self._digests / key[:2] / key, sha256)

    def learned(self, key: str) -> str | None:
        try:
            return (self._digests / key[:2] / key).read_text()
        except OSError:
            return None

    def show(self, tree: Tree, commit: str, file: RemoteFile, sha256: str) -> None:
        """Show stored bytes in a snapshot, under the source's name of them."""
        blob, name = tree.blob(file, sha256), tree.snapshot(commit) / file.path
        if not _is_same(blob, self.path(sha256)):
            _link(self.path(sha256), blob)
        up = "../" * (file.path.count("/") + 2)
        _symlink(f"{up}blobs/{blob.name}", name)


def publish(tree: Tree, listing: Listing, revision: str) -> None:
    """Make a commit known under its revision; its files are in place by now."""
    entries = {file.path: _entry(file) for file in sorted(listing.files, key=lambda f: f.path)}
    text = json.dumps({"format_version": _TREE_FORMAT, "files": entries})
    flush_directory(tree.snapshot(listing.commit))
    flush_directory(tree.root / "blobs")
    write_atomically(tree.root / "trees" / f"{listing.commit}.json", text)
    if revision != listing.commit:
        write_atomically(tree.root / "refs" / revision, listing.commit)


class Digests:
    """The digests that a file is judged by, of bytes that come in order.

    A sha256 is always taken, since the store goes by it; another only where the source knows no
    sha256, for each costs as much processor time again.
    """

    def __init__(self, file: RemoteFile) -> None:
        self._file = file
        self._sha256 = hashlib.sha256()
        self._others: list[tuple[str, str, hashlib._Hash]] = []
        if file.sha256 is None and file.git_sha1 is not None:
            git = hashlib.sha1(b"blob %d\0" % file.size, usedforsecurity=False)
            self._others.append(("git id", file.git_sha1, git))
        if file.sha256 is None and file.md5 is not None:
            self._others.append(("md5", file.md5, hashlib.md5(usedforsecurity=False)))

    def update(self, block: bytes | memoryview) -> None:
        self._sha256.update(block)
        for _, _, digest in self._others:
            digest.update(block)

    @property
    def sha256(self) -> str:
        return self._sha256.hexdigest()

    def complaint(self) -> str | None:
        """Return which digest of the source's the bytes do not have, or None."""
        wanted = [("sha256", self._file.sha256 or self.sha256, self._sha256), *self._others]
        for name, right, digest in wanted:
            if digest.hexdigest() != right:
                return f"its {name} is {digest.hexdigest()}, not {right}"
        return None


def _entry(file: RemoteFile) -> dict[str, str | int]:
    entry: dict[str, str | int] = {"size": file.size, "blob_id": file.git_sha1 or ""}
    if file.sha256 is not None:
        entry |= {"lfs_sha256": file.sha256, "lfs_size": file.size}
    return entry


def _is_same(one: Path, other: Path) -> bool:
    try:
        return one.samefile(other)
    except FileNotFoundError:
        return False


def _link(source: Path, target: Path) -> None:
    target.parent.mkdir(parents=True, exist_ok=True)
    beside = _beside(target)
    beside.hardlink_to(source)
    beside.replace(target)
    beside.unlink(missing_ok=True)  # a rename onto another link of the same file leaves both


def _symlink(text: str, name: Path) -> None:
    name.parent.mkdir(parents=True, exist_ok=True)
    if name.is_symlink() and str(name.readlink()) == text:
        return
    beside = _beside(name)
    beside.symlink_to(text)
    beside.replace(name)


def _beside(target: Path) -> Path:
    """Return a free name in the same directory; a killed process may have left one there."""
    beside = target.with_name(f".{os.getpid()}.{hash(target.name) & 0xFFFFFFFF:08x}")
    beside.unlink(missing_ok=True)
    return beside
