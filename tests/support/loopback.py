"""Addresses of this machine that no other process of tests uses."""

import itertools
import os

_NUMBERS = itertools.count(1)


def own_address() -> str:
    """Return another address of 127.0.0.0/8 each time.

    Two of its parts are this process's pid: those of tests that run side by side are close to each
    other. The last one turns round, after more than are in use at a time.
    """
    high, low = divmod(os.getpid() % 65_024, 256)
    return f"127.{high + 1}.{low}.{next(_NUMBERS) % 250 + 1}"
