"""How long to wait after a failure: longer after each one in a row, never in step with others."""


def delay(
    failures: int, *, jitter: float, first_seconds: float = 0.5, longest_seconds: float = 30.0
) -> float:
    """Return the seconds to wait after `failures` failures in a row.

    The wait doubles up to the longest one. `jitter`, from 0 to 1, takes away up to half of it, so
    that many clients of one server that failed do not come back to it at the same moment.
    """
    if failures <= 0:
        return 0.0
    doublings = min(failures - 1, 32)  # beyond that the cap decides anyway
    full = min(first_seconds * 2.0**doublings, longest_seconds)
    return full * (1.0 - jitter / 2.0)
