"""What goes wrong between the agent and its engines; an end of an engine is a state.Fault."""


class EngineError(Exception):
    """An engine can't be acted upon; the message says which and why."""


class ShimLost(EngineError):  # reads as what happened
    """The connection to a shim ended: it died, or it was told to shut down."""


class ShimRefused(EngineError):
    """A shim understood a request and did not carry it out."""

    def __init__(self, code: str, message: str) -> None:
        super().__init__(message)
        self.code = code


class ReferenceNotFound(EngineError):
    """A Secret or ConfigMap does not exist: a variable may still be optional."""
