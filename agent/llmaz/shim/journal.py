"""What a shim must still know after its death, on disk: written before each act, all of it or none.

No argument and no variable of the engine is in it, since those may be secrets.
"""

import json
import os

from llmaz.shim import protocol
from llmaz.shim.crash import Effects

Record = dict[str, object]


def write(record: Record, effects: Effects) -> None:
    """Replace the working directory's journal; once this returns it survives a loss of power."""
    effects.announce("write the journal")
    beside = protocol.JOURNAL + ".new"
    file = os.open(beside, os.O_WRONLY | os.O_CREAT | os.O_TRUNC | os.O_CLOEXEC, 0o600)
    try:
        os.write(file, json.dumps(record).encode())
        os.fsync(file)
    finally:
        os.close(file)
    effects.announce("rename the journal")
    os.rename(beside, protocol.JOURNAL)
    directory = os.open(".", os.O_RDONLY | os.O_DIRECTORY | os.O_CLOEXEC)
    try:
        os.fsync(directory)
    finally:
        os.close(directory)


def read(directory: str = ".") -> Record | None:
    """Return the last journal of a directory; None where none can be read."""
    try:
        with open(os.path.join(directory, protocol.JOURNAL), "rb") as file:
            record = json.loads(file.read())
    except (FileNotFoundError, ValueError):
        return None
    return record if isinstance(record, dict) else None
