"""Reads the header of a GGUF file: whether the file is whole, and what it says of the model."""

import struct
from dataclasses import dataclass
from typing import BinaryIO

MAGIC = b"GGUF"
_DEFAULT_ALIGNMENT = 32
_MOST_ENTRIES = 2**20
_LONGEST_TEXT = 2**26
_STRING, _ARRAY = 8, 9
_LONGEST_LIST = 4096  # of numbers, one a layer; those of a tokenizer are longer and no use here
_SCALAR_SIZES = {0: 1, 1: 1, 2: 2, 3: 2, 4: 4, 5: 4, 6: 4, 7: 1, 10: 8, 11: 8, 12: 8}
_INTEGERS = {0: "<B", 1: "<b", 2: "<H", 3: "<h", 4: "<I", 5: "<i", 10: "<Q", 11: "<q"}
_ALIGNMENT_KEY = "general.alignment"


class _Broken(Exception):  # never leaves this module
    """The header ends or says what no header says."""


@dataclass
class _Reader:
    file: BinaryIO

    def take(self, size: int) -> bytes:
        read = self.file.read(size)
        if len(read) < size:
            raise _Broken("its header is cut short")
        return read

    def skip(self, size: int) -> None:
        self.file.seek(size, 1)

    def integer(self, form: str) -> int:
        (value,) = struct.unpack(form, self.take(struct.calcsize(form)))
        return int(value)

    def count(self, most: int) -> int:
        value = self.integer("<Q")
        if value > most:
            raise _Broken(f"its header can't be read ({value} is too large)")
        return value

    def text(self) -> str:
        return self.take(self.count(_LONGEST_TEXT)).decode(errors="replace")


def defect(file: BinaryIO, size: int) -> str | None:
    """Return what is wrong with the file, or None.

    The last tensor must begin within the file; how long it is depends on its type, which new
    versions of the format keep adding to, so a cut within the last tensor alone is not seen.
    """
    magic = file.read(4)
    if magic != MAGIC:
        return f"is no GGUF file: it begins with {magic!r}, not {MAGIC!r}"
    reader = _Reader(file)
    try:
        version = reader.integer("<I")
        if version not in (2, 3):
            return f"is a GGUF file of version {version}; 2 and 3 can be read"
        needed = _last_tensor_at(reader)
    except _Broken as broken:
        return f"is a broken GGUF file: {broken}"
    if size <= needed:
        return f"is cut short: {size} bytes, and its last tensor begins at {needed}"
    return None


def metadata(file: BinaryIO) -> dict[str, int | str | list[int]]:
    """Return the texts, integers and short lists of integers of the header.

    Raises ValueError where it can't be read.
    """
    reader = _Reader(file)
    found: dict[str, int | str | list[int]] = {}
    try:
        if reader.take(4) != MAGIC or reader.integer("<I") not in (2, 3):
            raise _Broken("it is no GGUF file of version 2 or 3")
        reader.skip(8)  # how many tensors there are
        for _ in range(reader.count(_MOST_ENTRIES)):
            key, kind = reader.text(), reader.integer("<I")
            value = _value(reader, kind)
            if value is not None:
                found[key] = value
    except _Broken as broken:
        raise ValueError(str(broken)) from None
    return found


def _value(reader: _Reader, kind: int) -> int | str | list[int] | None:
    """Return a value that is of use; pass over any other."""
    if kind in _INTEGERS:
        return reader.integer(_INTEGERS[kind])
    if kind == _STRING:
        return reader.text()
    if kind != _ARRAY:
        _skip_value(reader, kind)
        return None
    inner, count = reader.integer("<I"), reader.integer("<Q")
    if inner in _INTEGERS and count <= _LONGEST_LIST:
        return [reader.integer(_INTEGERS[inner]) for _ in range(count)]
    _skip_items(reader, inner, count)
    return None


def _last_tensor_at(reader: _Reader) -> int:
    tensors, entries = reader.count(_MOST_ENTRIES), reader.count(_MOST_ENTRIES)
    if tensors == 0:
        raise _Broken("it holds no tensors")
    alignment = _DEFAULT_ALIGNMENT
    for _ in range(entries):
        key, kind = reader.text(), reader.integer("<I")
        if key == _ALIGNMENT_KEY and kind in _INTEGERS:
            alignment = max(1, reader.integer(_INTEGERS[kind]))
        else:
            _skip_value(reader, kind)
    last = 0
    for _ in range(tensors):
        reader.text()
        reader.skip(8 * reader.integer("<I"))  # its dimensions
        reader.skip(4)  # its type
        last = max(last, reader.integer("<Q"))
    start = reader.file.tell()
    return start + -start % alignment + last


def _skip_value(reader: _Reader, kind: int) -> None:
    if kind == _STRING:
        reader.skip(reader.count(_LONGEST_TEXT))
    elif kind == _ARRAY:
        _skip_array(reader)
    elif kind in _SCALAR_SIZES:
        reader.skip(_SCALAR_SIZES[kind])
    else:
        raise _Broken(f"its header can't be read (value of type {kind})")


def _skip_array(reader: _Reader) -> None:
    _skip_items(reader, reader.integer("<I"), reader.integer("<Q"))


def _skip_items(reader: _Reader, kind: int, count: int) -> None:
    if kind in _SCALAR_SIZES:
        reader.skip(_SCALAR_SIZES[kind] * count)
        return
    if count > _LONGEST_TEXT:
        raise _Broken(f"its header can't be read ({count} is too large)")
    for _ in range(count):
        _skip_value(reader, kind)
