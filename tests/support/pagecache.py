"""Which pages of a file are in memory, and how to have none of them there."""

import ctypes
import mmap
import os
from pathlib import Path

_PAGE = mmap.PAGESIZE


def drop(path: Path) -> None:
    """Write a file out and let go of its pages."""
    descriptor = os.open(path, os.O_RDONLY)
    try:
        os.fsync(descriptor)
        os.posix_fadvise(descriptor, 0, 0, os.POSIX_FADV_DONTNEED)
    finally:
        os.close(descriptor)


def resident(path: Path) -> float:
    """Return the share of a file's pages that are in memory."""
    size = path.stat().st_size
    pages = -(-size // _PAGE)
    libc = ctypes.CDLL(None, use_errno=True)
    libc.mmap.restype = ctypes.c_void_p
    libc.mmap.argtypes = [ctypes.c_void_p, ctypes.c_size_t, *[ctypes.c_int] * 3, ctypes.c_long]
    found = (ctypes.c_ubyte * pages)()
    descriptor = os.open(path, os.O_RDONLY)
    try:
        address = libc.mmap(None, size, mmap.PROT_READ, mmap.MAP_SHARED, descriptor, 0)
        libc.mincore(ctypes.c_void_p(address), ctypes.c_size_t(size), found)
        libc.munmap(ctypes.c_void_p(address), ctypes.c_size_t(size))
    finally:
        os.close(descriptor)
    return sum(page & 1 for page in found) / pages
