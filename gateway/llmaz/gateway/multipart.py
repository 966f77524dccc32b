"""The `model` of a multipart form, such as a transcription's: found, and replaced. Pure.

Only the form's own fields are looked at; the bytes of its files pass as they are.
"""

import re
from dataclasses import dataclass
from email.message import Message

from llmaz.gateway.answers import OpenAIError

_NAME = re.compile(rb'(?:^|[;\s])name="?model"?\s*(?:;|\r?$)', re.IGNORECASE | re.MULTILINE)
_FIELD = re.compile(rb"^content-disposition:[^\r\n]*", re.IGNORECASE | re.MULTILINE)


@dataclass(frozen=True, slots=True)
class ModelField:
    """Where the name of the model stands in a form."""

    name: str
    start: int
    end: int

    def replaced(self, body: bytes, name: str) -> bytes:
        """Return the form with another model's name."""
        return body[: self.start] + name.encode() + body[self.end :]


def is_form(content_type: str) -> bool:
    return content_type.partition(";")[0].strip().lower() == "multipart/form-data"


def model_field(body: bytes, content_type: str) -> ModelField:
    """Return a form's field `model`; raise OpenAIError where there is none."""
    delimiter = b"\r\n--" + _boundary(content_type)
    # The first delimiter begins the body, the others follow a line end.
    position = 0 if body.startswith(delimiter[2:]) else body.find(delimiter)
    while position >= 0:
        end = body.find(delimiter, position + 1)
        if found := _model_in(body, position, end):
            return found
        position = end
    raise OpenAIError(400, "`model` is required: a field of the form", param="model")


def _model_in(body: bytes, start: int, end: int) -> ModelField | None:
    """Return the part of a form between two delimiters, if it is the field `model`."""
    split = body.find(b"\r\n\r\n", start, end)
    if end < 0 or split < 0:
        return None
    disposition = _FIELD.search(body, start, split)
    if disposition is None or not _NAME.search(disposition[0]):
        return None
    begin = split + len(b"\r\n\r\n")
    try:
        name = body[begin:end].decode()
    except UnicodeDecodeError:
        raise OpenAIError(400, "`model` must be text", param="model") from None
    return ModelField(name, begin, end) if name else None


def _boundary(content_type: str) -> bytes:
    header = Message()
    header["Content-Type"] = content_type
    boundary = header.get_param("boundary")
    if not isinstance(boundary, str) or not boundary:
        raise OpenAIError(400, "the form has no boundary in its Content-Type")
    return boundary.encode()
