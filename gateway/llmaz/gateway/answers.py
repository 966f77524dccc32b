"""Answers of the gateway itself, as OpenAI's clients read them: errors and the list of models."""

import json
from collections.abc import Mapping

from aiohttp import web

from llmaz.gateway.routes import Origin, Served, Table

INVALID_REQUEST = "invalid_request_error"
UNAVAILABLE = "service_unavailable_error"
BAD_GATEWAY = "bad_gateway_error"


class OpenAIError(Exception):
    """A request that the gateway itself answers, with an error."""

    def __init__(
        self,
        status: int,
        message: str,
        *,
        kind: str = INVALID_REQUEST,
        code: str | None = None,
        param: str | None = None,
        retry_after: int | None = None,
        headers: Mapping[str, str] = {},  # never written to
    ) -> None:
        super().__init__(message)
        self.status = status
        self.error = {"message": message, "type": kind, "param": param, "code": code}
        later = {} if retry_after is None else {"Retry-After": str(retry_after)}
        self.headers = {**headers, **later}

    def response(self) -> web.Response:
        return web.json_response({"error": self.error}, status=self.status, headers=self.headers)

    def event(self) -> bytes:
        """The error as an event, for a stream whose status was sent long ago."""
        return b"data: " + json.dumps({"error": self.error}).encode() + b"\n\n"


def model_list(table: Table) -> dict[str, object]:
    """List every served model, also those whose engines are not ready."""
    return {
        "object": "list",
        "data": [
            model_entry(name, served, table.origin(name)) for name, served in table.models.items()
        ],
    }


def model_entry(name: str, served: tuple[Served, ...], origin: Origin) -> Mapping[str, object]:
    """Describe one model; `llmaz` says what OpenAI's fields can't.

    Without its OpenModel it is as old as the first Playground that serves it.
    """
    known = [origin.created_at] if origin.created_at else [one.created_at for one in served]
    created = [int(moment.timestamp()) for moment in known if moment is not None]
    ready = sum(len(one.endpoints) for one in served)
    waiting = {} if ready else {"message": "; ".join(one.waits_because for one in served)}
    return {
        "id": name,
        "object": "model",
        "created": min(created, default=0),
        "owned_by": origin.owned_by,
        "llmaz": {"served_by": [one.name for one in served], "ready_engines": ready, **waiting},
    }
