"""The bodies of requests: JSON or YAML into plain values, with refusals in the server's words."""

import json
import math
import re
from collections import Counter
from dataclasses import dataclass

import yaml

from llmaz.local.apiserver.messages import MESSAGES
from llmaz.local.apiserver.protobuf import ProtobufError, decoded
from llmaz.local.apiserver.status import StatusError, bad_request, unsupported_media_type
from llmaz.local.objects.values import Json, Object

OBJECTS = ("application/json", "application/yaml")
PROTOBUF = "application/vnd.kubernetes.protobuf"
_LONE_SURROGATE = re.compile(rb"\\u[dD][89a-fA-F]")
_SHOWN = 1024  # bytes of a bad body that the refusal repeats


@dataclass(frozen=True, slots=True)
class Decoded:
    """A body as a value, with the keys that it gives twice."""

    value: Json
    duplicates: tuple[str, ...] = ()


class _Unreadable(Exception):
    """A text that is not what its content type says; the message is the parser's."""


def media_type(content_type: str) -> str:
    return content_type.split(";", maxsplit=1)[0].strip().lower()


def read_object(body: bytes, content_type: str, kind: str) -> tuple[Object, tuple[str, ...]]:
    """Return the object in a body and the keys it gives twice, or refuse in words about `kind`."""
    type_ = media_type(content_type) or "application/json"
    if type_ == PROTOBUF:
        try:
            return decoded(body, MESSAGES), ()
        except (ProtobufError, UnicodeDecodeError) as error:
            raise StatusError(415, "UnsupportedMediaType", f"protobuf: {error}") from None
    if type_ not in OBJECTS:
        raise unsupported_media_type(OBJECTS)
    try:
        parsed = _parsed(body, type_)
    except _Unreadable as error:
        shown = body[:_SHOWN].decode(errors="replace")
        message = (
            f"the object provided is unrecognized (must be of type {kind}): couldn't get "
            f"version/kind; json parse error: {error} ({shown})"
        )
        raise bad_request(message) from None
    if parsed.value is None:
        return {}, ()  # an object without fields, to the real server
    if not isinstance(parsed.value, dict):
        raise bad_request(
            f"the object provided is unrecognized (must be of type {kind}): couldn't get "
            "version/kind; json parse error: json: cannot unmarshal "
            f"{_go_type(parsed.value)} into Go value of type struct"
        )
    return parsed.value, parsed.duplicates


def read_patch(body: bytes, type_: str) -> Json:
    """Return the value of a patch: YAML for a server-side apply, JSON for the others."""
    try:
        kind = "application/yaml" if type_ == "application/apply-patch+yaml" else "application/json"
        return _parsed(body, kind).value
    except _Unreadable as error:
        raise bad_request(f"error decoding patch: {error}") from None


def _parsed(body: bytes, type_: str) -> Decoded:
    try:
        return _yaml(body) if type_ == "application/yaml" else _json(body)
    except RecursionError:
        raise _Unreadable("exceeded max depth") from None
    except UnicodeDecodeError:
        raise _Unreadable("invalid UTF-8") from None


def _json(body: bytes) -> Decoded:
    text = body.decode()
    duplicates: list[str] = []

    def member(pairs: list[tuple[str, Json]]) -> Object:
        made = dict(pairs)
        if len(made) != len(pairs):
            seen = Counter(key for key, _ in pairs)
            duplicates.extend(key for key in made if seen[key] > 1)
        return made

    try:
        value = json.loads(
            text,
            object_pairs_hook=member,
            parse_constant=_refuse_constant,
            parse_float=_finite,
        )
        if _LONE_SURROGATE.search(body):
            pairs = json.dumps(value, ensure_ascii=False).encode("utf-16", "surrogatepass")
            value = json.loads(pairs.decode("utf-16", "replace"))
    except json.JSONDecodeError as error:
        raise _Unreadable(_go_words(error)) from None
    except ValueError as error:  # an integer of thousands of digits
        raise _Unreadable(str(error)) from None
    return Decoded(value, tuple(duplicates))


def _finite(text: str) -> float:
    number = float(text)
    if math.isinf(number):
        raise _Unreadable(f"json: cannot unmarshal number {text} into Go value of type float64")
    return number


def _refuse_constant(name: str) -> Json:
    raise _Unreadable(f"invalid character '{name[0]}' looking for beginning of value")


class _Loader(yaml.SafeLoader):
    """YAML as an API server reads it: times stay texts, and aliases can't blow up a small body."""

    def compose_node(self, parent: yaml.Node | None, index: int) -> yaml.Node | None:
        if self.check_event(yaml.AliasEvent):
            raise _Unreadable("yaml: aliases are not accepted")
        return super().compose_node(parent, index)


_Loader.yaml_implicit_resolvers = {
    first: [(tag, pattern) for tag, pattern in resolvers if tag != "tag:yaml.org,2002:timestamp"]
    for first, resolvers in yaml.SafeLoader.yaml_implicit_resolvers.items()
}


def _yaml(body: bytes) -> Decoded:
    if body.lstrip()[:1] in (b"{", b"["):
        try:
            return _json(body)
        except _Unreadable:
            pass  # the flow style of YAML looks like JSON
    try:
        loader = _Loader(body)
        value = loader.get_single_data()
        # Through JSON: keys become texts, and what JSON does not know (dates, binary) is refused.
        return _json(json.dumps(value).encode())
    except yaml.YAMLError as error:
        raise _Unreadable(f"error converting YAML to JSON: {_one_line(error)}") from None
    except TypeError as error:
        raise _Unreadable(f"error converting YAML to JSON: {error}") from None


def _one_line(error: yaml.YAMLError) -> str:
    return " ".join(str(error).split())


def _go_words(error: json.JSONDecodeError) -> str:
    """Return what Go's decoder says where Python's stops."""
    if error.pos >= len(error.doc.rstrip()):
        return "unexpected end of JSON input"
    found = f"invalid character {_go_character(error.doc[error.pos])}"
    for words, go in _WHERE.items():
        if error.msg.startswith(words):
            return f"{found} {go}"
    return f"{found} in string literal"


_WHERE = {
    "Expecting property name": "looking for beginning of object key string",
    "Expecting value": "looking for beginning of value",
    "Expecting ':'": "after object key",
    "Expecting ','": "after object key:value pair",
    "Extra data": "after top-level value",
    "Illegal trailing comma": "looking for beginning of value",
}


def _go_character(character: str) -> str:
    return "'\\''" if character == "'" else f"'{character}'"


def _go_type(value: Json) -> str:
    match value:
        case list():
            return "array"
        case str():
            return "string"
        case bool():
            return "bool"
        case None:
            return "null"
    return "number"


def read_options(body: bytes, content_type: str) -> Object:
    """Return the DeleteOptions of a body, or an empty object for none."""
    if not body.strip():
        return {}
    options, _ = read_object(body, content_type, "DeleteOptions")
    if options.get("kind") not in (None, "DeleteOptions"):
        raise StatusError(400, "BadRequest", "expected DeleteOptions in the body of a deletion")
    return options
