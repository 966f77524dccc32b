"""Puts verified models into a cache directory, without a hub."""

import os
import time
from pathlib import Path

from llmaz.agent.cache.remote import Listing, RemoteFile
from llmaz.agent.cache.store import Digests, Store, Tree, publish


def put_snapshot(
    cache_dir: Path, name: str, *contents: bytes, age: float = 0.0, size: int = 2**16
) -> Path:
    """Put a repository with files of these letters into the cache, last used so long ago."""
    store, tree = Store(cache_dir), Tree.of(cache_dir, "hub", f"acme/{name}")
    commit, files = name.ljust(40, "0"), []
    for letter in contents:
        data = (letter * (size // len(letter) + 1))[:size]
        digests = Digests(RemoteFile(path="x", size=size))
        digests.update(data)
        file = RemoteFile(path=f"{letter.decode()}.bin", size=size, sha256=digests.sha256)
        if not store.holds(digests.sha256, size):
            with store.partial(digests.sha256, size) as partial:
                partial.write(0, memoryview(data))
                partial.seal(store.path(digests.sha256))
        store.show(tree, commit, file, digests.sha256)
        files.append(file)
    publish(tree, Listing(commit=commit, files=tuple(files)), "main")
    then = time.time() - age
    os.utime(tree.snapshot(commit), (then, then))
    return tree.snapshot(commit)
