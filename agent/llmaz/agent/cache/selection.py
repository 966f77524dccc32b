"""Which files of a listing are wanted, and which path the engine is given. Pure."""

import re
from collections.abc import Sequence
from fnmatch import fnmatch

from llmaz.agent.cache.origin import HubRepository, Remote, name_of
from llmaz.agent.cache.remote import Refused, RemoteFile

_PART = re.compile(r"(.+)-(\d{5})-of-(\d{5})\.gguf")


def chosen(origin: Remote, files: Sequence[RemoteFile]) -> tuple[RemoteFile, ...]:
    """Return the files that an origin selects; of a split GGUF all parts, engines find them."""
    if not isinstance(origin, HubRepository):
        return _some(tuple(files), f"{name_of(origin)} holds no files")
    where = f"{origin.repository}@{origin.revision} has no file"
    if origin.filename is not None:
        names = _parts(origin.filename, files)
        named = tuple(file for file in files if file.path in names)
        return _some(named, f"{where} {origin.filename!r}")
    allow, ignore = _globs(origin.allow_patterns), _globs(origin.ignore_patterns)
    matching = tuple(
        file
        for file in files
        if (allow is None or _matches(file.path, allow)) and not _matches(file.path, ignore or [])
    )
    return _some(matching, f"{where} that the patterns select")


def entrance(origin: Remote, files: Sequence[RemoteFile]) -> str:
    """Return what an engine is to open, below the snapshot: one file, or all of it (empty).

    A GGUF file is opened by its name, and a split one by that of its first part; what else is there
    beside it does not matter, unless it is a second GGUF or a configuration.
    """
    if isinstance(origin, HubRepository) and origin.filename is not None:
        return origin.filename
    paths = sorted(file.path for file in files)
    if len(paths) == 1 and not isinstance(origin, HubRepository):
        return paths[0]
    ggufs = [path for path in paths if path.lower().endswith(".gguf")]
    whole = bool(ggufs) and set(ggufs) == _parts(ggufs[0], files)
    others = any(path.endswith((".safetensors", "config.json")) for path in paths)
    return ggufs[0] if whole and not others else ""


def _parts(filename: str, files: Sequence[RemoteFile]) -> frozenset[str]:
    match = _PART.fullmatch(filename)
    if match is None:
        return frozenset({filename})
    stem, _, count = match.groups()
    every = re.compile(rf"{re.escape(stem)}-\d{{5}}-of-{count}\.gguf")
    return frozenset(file.path for file in files if every.fullmatch(file.path))


def _some(files: tuple[RemoteFile, ...], otherwise: str) -> tuple[RemoteFile, ...]:
    if not files:
        raise Refused("FileNotFound", otherwise, passing=False)
    return files


def _globs(patterns: tuple[str, ...] | None) -> list[str] | None:
    """Read patterns as the hubs' clients do: a folder stands for what is in it."""
    if patterns is None:
        return None
    return [f"{pattern}*" if pattern.endswith("/") else pattern for pattern in patterns]


def _matches(path: str, globs: list[str]) -> bool:
    return any(fnmatch(path, glob) for glob in globs)
