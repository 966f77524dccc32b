"""Which repositories of a cache are never evicted, and on whose word.

    pins/<family>/<models--org--name>    a line for each who asked: `user`, `model <name>`

A pin is a file, so that it outlives the agent and what is assigned, and so that the command on the
machine and the agent can each take back their own.
"""

from contextlib import suppress
from pathlib import Path

from llmaz.agent.cache.store import Tree
from llmaz.agent.files import write_atomically

USER = "user"


def of_model(name: str) -> str:
    """Return the one who asks where an OpenModel is pinned."""
    return f"model {name}"


def pin(cache_dir: Path, tree: Tree, who: str) -> None:
    """Keep a tree, whether it is here yet or not."""
    asked = _asked(_file(cache_dir, tree))
    if who not in asked:
        write_atomically(_file(cache_dir, tree), "".join(f"{one}\n" for one in (*asked, who)))


def unpin(cache_dir: Path, tree: Tree, who: str) -> bool:
    """Take back one's pin; tell whether others keep the tree still.

    Who has none writes nothing, so that a cache that can't be written serves what is in it.
    """
    file = _file(cache_dir, tree)
    before = _asked(file)
    if who not in before:
        return bool(before)
    asked = [one for one in before if one != who]
    if asked:
        write_atomically(file, "".join(f"{one}\n" for one in asked))
    else:
        with suppress(FileNotFoundError):
            file.unlink()
    return bool(asked)


def pinned(cache_dir: Path) -> frozenset[Path]:
    """Return the roots of all trees that are pinned."""
    return frozenset(
        cache_dir / file.parent.name / file.name
        for file in (cache_dir / "pins").glob("*/*")
        if not file.name.startswith(".")
    )


def _file(cache_dir: Path, tree: Tree) -> Path:
    return cache_dir / "pins" / tree.root.parent.name / tree.root.name


def _asked(file: Path) -> list[str]:
    try:
        return file.read_text().splitlines()
    except FileNotFoundError:
        return []
