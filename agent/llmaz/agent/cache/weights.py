"""Tells whether a file or directory holds a model, and in words why not.

Only what costs a few reads is looked at: the magic, the header and the size that the header asks
for. An engine would find the same, but minutes later and in its own words.
"""

import json
import struct
from collections.abc import Iterator
from pathlib import Path
from typing import BinaryIO

from llmaz.agent.cache import gguf

_WEIGHTS = (".safetensors", ".gguf", ".bin", ".pt", ".pth", ".onnx", ".engine", ".plan", ".npz")
_LARGEST_HEADER = 100 * 2**20  # the format's own limit
FILES_LOOKED_AT = 10_000  # a path such as / must not be walked for minutes


def complaint(path: Path) -> str | None:
    """Return why `path` is no model that an engine could load, or None where it looks like one."""
    if path.is_file():
        return _file_complaint(path)
    if not path.is_dir():
        return f"{path} is neither a file nor a directory"
    weights = []
    for count, file in enumerate(_files(path)):
        if count >= FILES_LOOKED_AT:
            return None
        if file.suffix.lower() in _WEIGHTS:
            weights.append(file)
    if not weights and not (path / "config.json").is_file():
        return f"{path} holds no weights ({', '.join(_WEIGHTS)}) and no config.json"
    return next((words for file in weights if (words := _file_complaint(file))), None)


def _files(directory: Path) -> Iterator[Path]:
    return (file for file in directory.rglob("*") if file.is_file())


def _file_complaint(path: Path) -> str | None:
    checks = {".gguf": gguf.defect, ".safetensors": _safetensors_defect}
    check = checks.get(path.suffix.lower())
    size = path.stat().st_size
    if size == 0:
        return f"{path} is empty"
    if check is None:
        return None
    with path.open("rb") as file:
        defect = check(file, size)
    return f"{path} {defect}" if defect else None


def _safetensors_defect(file: BinaryIO, size: int) -> str | None:
    start = file.read(8)
    if len(start) < 8:
        return "is no safetensors file: it is shorter than the header's length"
    (length,) = struct.unpack("<Q", start)
    if length > min(_LARGEST_HEADER, size - 8):
        return f"is no safetensors file, or is cut short: {size} bytes, header of {length}"
    try:
        header = json.loads(file.read(length))
        ends = [
            int(tensor["data_offsets"][1])
            for name, tensor in header.items()
            if name != "__metadata__"
        ]
    except (ValueError, AttributeError, LookupError, TypeError):
        return "is no safetensors file: its header can't be read"
    needed = 8 + length + max(ends, default=0)
    return f"is cut short: {size} of {needed} bytes" if size < needed else None
