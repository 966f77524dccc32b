"""Has the kernel begin to write a file to the disk while the rest of it still comes.

Left to itself it waits for half a minute, and whoever flushes a file at its end then waits for all
of it: longer, on many a disk, than the network took for its last gigabyte.
"""

import ctypes
from collections.abc import Callable

WRITE_BEHIND_BYTES = 32 * 2**20  # dirty pages that may gather: what the flush at the end waits for
_SYNC_FILE_RANGE_WRITE = 2


def _of_the_libc() -> Callable[[int, int, int, int], int] | None:
    try:
        function = ctypes.CDLL(None).sync_file_range
    except AttributeError:  # a C library without it: the flush at the end writes all
        return None
    function.argtypes = (ctypes.c_int, ctypes.c_int64, ctypes.c_int64, ctypes.c_uint)
    return function


_sync_file_range = _of_the_libc()


def begin_writing(descriptor: int) -> None:
    """Begin to write what is dirty of a file, and wait for none of it.

    An error is left for the flush at the end, which tells it: nothing is durable before.
    """
    if _sync_file_range is not None:
        _sync_file_range(descriptor, 0, 0, _SYNC_FILE_RANGE_WRITE)
