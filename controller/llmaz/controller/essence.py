"""What an object asks for, without its version and without most of what its status tells.

Statuses are written all the time, specs are not. What is worked out of an essence is remembered
from one decision to the next, whatever is told of the object meanwhile.
"""

import dataclasses
from typing import TypeVar

from llmaz.api.backendruntime import BackendRuntime
from llmaz.api.openmodel import OpenModel, OpenModelStatus
from llmaz.api.playground import Playground
from llmaz.api.service import Service
from llmaz.controller.memo import Memo

T = TypeVar("T", BackendRuntime, OpenModel, Playground, Service)


def essence(one: T, memo: Memo) -> T:
    """Return an object without what changes all the time: the same one while it asks the same."""
    key = type(one), one.metadata.namespace, one.metadata.name
    bare: T = memo.recall(_essence, one)
    return memo.as_before(key, bare)


def _essence(one: T) -> T:
    metadata = dataclasses.replace(one.metadata, resource_version="")
    if isinstance(one, OpenModel):
        said = one.status
        # How much memory its weights take decides where they go.
        status = OpenModelStatus(observed_generation=said.observed_generation, memory=said.memory)
        return dataclasses.replace(one, metadata=metadata, status=status)
    return dataclasses.replace(one, metadata=metadata, status=type(one.status)())
