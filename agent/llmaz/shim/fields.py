"""The fields of a request, read from JSON: a wrong type is told in words."""

import math
import signal


def text(value: object) -> str:
    if not isinstance(value, str):
        raise TypeError(f"{type(value).__name__} where text is wanted")
    return value


def integer(value: object) -> int:
    if not isinstance(value, int):
        raise TypeError(f"{type(value).__name__} where an integer is wanted")
    return value


def signal_number(value: object) -> int:
    number = integer(value)
    if number not in signal.valid_signals():
        raise ValueError(f"{number} is no signal")
    return number


def number(value: object) -> float:
    if isinstance(value, bool) or not isinstance(value, int | float):
        raise TypeError(f"{type(value).__name__} where a number is wanted")
    if not math.isfinite(value):  # Python's JSON knows NaN and Infinity
        raise ValueError(f"{value} where a number is wanted")
    return float(value)


def texts(value: object) -> list[str]:
    if not isinstance(value, list):
        raise TypeError(f"{type(value).__name__} where a list is wanted")
    return [text(item) for item in value]


def text_map(value: object) -> dict[str, str]:
    if not isinstance(value, dict):
        raise TypeError(f"{type(value).__name__} where an object is wanted")
    return {text(key): text(item) for key, item in value.items()}


def int_map(value: object) -> dict[str, int]:
    if not isinstance(value, dict):
        raise TypeError(f"{type(value).__name__} where an object is wanted")
    return {text(key): integer(item) for key, item in value.items()}
