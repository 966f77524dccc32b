"""How a fetch ended. Values, apart from others so that a fetch begins without loading those."""

from dataclasses import dataclass


@dataclass(frozen=True, slots=True, kw_only=True)
class FileMark:
    """A file on the disk that was verified when it had this size."""

    path: str
    size: int


@dataclass(frozen=True, slots=True, kw_only=True)
class Fetched:
    """How a fetch ended well: what LLMAZ_MODEL_PATH shall be, and every file that was verified."""

    path: str
    revision: str = ""
    files: tuple[FileMark, ...] = ()
    pickles: tuple[str, ...] = ()  # files that run code when they are opened


@dataclass(frozen=True, slots=True, kw_only=True)
class FetchFailed:
    """How a fetch ended otherwise."""

    reason: str
    message: str
    passing: bool
