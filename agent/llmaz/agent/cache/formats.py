"""Which files run code when they are opened. Pure."""

from collections.abc import Iterable
from pathlib import PurePosixPath

_PICKLES = frozenset({".bin", ".pt", ".pth", ".ckpt", ".pkl", ".pickle", ".joblib", ".dill"})


def pickles(paths: Iterable[str]) -> tuple[str, ...]:
    """Return the names of files that are, by their endings, read by unpickling them.

    A `.bin` may hold plain bytes instead: what opens it decides, so it counts as a pickle.
    """
    return tuple(sorted(path for path in paths if PurePosixPath(path).suffix.lower() in _PICKLES))
