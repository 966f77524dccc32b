"""The engine of the working directory, with what its journal knows of a former shim's."""

import os

from llmaz.shim import journal, proc, protocol
from llmaz.shim.crash import Effects
from llmaz.shim.engine import Engine
from llmaz.shim.output import Output


def engine_of(output: Output, effects: Effects) -> Engine:
    """Return the engine; what a dead shim left of it is ended first.

    The mark stands in the lock's file as well, which is written once: by it even a shim whose
    journal can't be read any more finds what runs.
    """
    former = journal.read() or {}
    kept = _kept_mark()
    mark = str(former.get("mark", kept)) or os.urandom(16).hex()
    engine = Engine(mark, output, effects)
    if mark != kept:
        _keep_mark(mark, effects)
    if former or kept:
        engine.recover(former or {"boot": proc.boot_id()})
    else:
        journal.write(engine.record, effects)
    return engine


def _kept_mark() -> str:
    with open(protocol.LOCK, "rb") as file:
        text = file.read().decode(errors="replace")
    return text if text.isalnum() else ""


def _keep_mark(mark: str, effects: Effects) -> None:
    effects.announce("keep the mark")
    with open(protocol.LOCK, "wb") as file:
        file.write(mark.encode())
        file.flush()
        os.fsync(file.fileno())
