"""Weights that lie on the node already, where somebody put them."""

from contextlib import suppress
from pathlib import Path

from llmaz.agent.cache import marks
from llmaz.agent.cache.outcome import Fetched, FetchFailed
from llmaz.agent.cache.weights import complaint


def looked_at(path: Path, cache_dir: Path) -> Fetched | FetchFailed:
    """Look into what lies at a path; once for what has not changed since."""
    if not path.exists():
        words = f"there is no {path} on this node"
        return FetchFailed(reason="PathNotFound", message=words, passing=False)
    key = marks.key_of_path(path)
    known = marks.recall(cache_dir, key)
    if known is not None:
        return known
    wrong = complaint(path)
    if wrong is not None:
        return FetchFailed(reason="NotAModel", message=wrong, passing=False)
    found = Fetched(path=str(path))
    with suppress(OSError):  # the weights are served from elsewhere, so a full cache does no harm
        marks.remember(cache_dir, key, found)
    return found
