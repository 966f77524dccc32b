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
    flags = os.O_WRONLY | os.O_CREAT | os.O_TRUNC | os.O_CLOEXEC
    with open(os.open(beside, flags, 0o600), "wb") as file:  # the rest of a short write is tried
        file.write(json.dumps(record).encode())
        file.flush()
        os.fsync(file.fileno())
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
    return record if isinstance(record, dict) and "mark" in record else None
