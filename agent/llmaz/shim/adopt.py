"""The engine of the working directory, with what its journal knows of a former shim's."""

import os

from llmaz.shim import journal
from llmaz.shim.crash import Effects
from llmaz.shim.engine import Engine
from llmaz.shim.output import Output


def engine_of(output: Output, effects: Effects) -> Engine:
    """Return the engine; what a dead shim left of it is ended first."""
    former = journal.read()
    mark = former["mark"] if former else os.urandom(16).hex()
    engine = Engine(str(mark), output, effects)
    if former:
        engine.recover(former)
    else:
        journal.write(engine.record, effects)
    return engine
