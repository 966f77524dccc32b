"""What came of a question to an engine."""

from dataclasses import dataclass


@dataclass(frozen=True, slots=True, kw_only=True)
class Answer:
    """What came of a question; `detail` says in words why it is no success."""

    ok: bool
    detail: str = ""
    refused: bool = False  # the engine did answer, that it won't: it does not hang
    listens: bool = True
    heard: bool = True  # something was answered, if only that it is unwell
