"""What a request asks for: the name of a model, and the body that an engine gets. Pure."""

import json
from dataclasses import dataclass
from typing import cast

from llmaz.gateway.answers import OpenAIError
from llmaz.gateway.multipart import ModelField, is_form, model_field
from llmaz.gateway.routes import Route


@dataclass(frozen=True, slots=True)
class AskedFor:
    """A request's body, and the name in it; a form's with its place."""

    name: str
    body: bytes
    field: ModelField | None = None

    def body_for(self, route: Route) -> bytes:
        """Return the body with the name that the engines of a route have for their model."""
        if route.engine_name == self.name:
            return self.body
        if self.field is not None:
            return self.field.replaced(self.body, route.engine_name)
        _, content = _model_of(self.body)
        return json.dumps(content | {"model": route.engine_name}).encode()


def asked_for(body: bytes, content_type: str) -> AskedFor:
    """Read which model a request names; raise OpenAIError where it names none."""
    if is_form(content_type):
        field = model_field(body, content_type)
        return AskedFor(field.name, body, field)
    name, _ = _model_of(body)
    return AskedFor(name, body)


def _model_of(body: bytes) -> tuple[str, dict[str, object]]:
    """Return the `model` that a body names, and the body; raise OpenAIError without one."""
    try:
        content = json.loads(body)
    except (ValueError, RecursionError) as error:  # the latter of thousands of brackets
        raise OpenAIError(400, f"the request's body is not JSON: {error}") from None
    if not isinstance(content, dict):
        raise OpenAIError(400, "the request's body must be a JSON object")
    name = content.get("model")
    if not isinstance(name, str) or not name:
        raise OpenAIError(400, "`model` is required and must be a string", param="model")
    return name, cast("dict[str, object]", content)
