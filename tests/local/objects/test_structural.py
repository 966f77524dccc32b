"""What is refused in a CRD's schema, against the recorded refusal and the server's rules."""

import pytest

from llmaz.local.objects.structural import structural_errors
from llmaz.local.objects.values import Json
from support.objects import causes, messages, record, recorded, widget_schema

TEXT = {"type": "string"}
LIST = {"type": "array", "items": record(name=TEXT)}


def wrong(field: Json) -> list[str]:
    """Return the errors of a schema with one field, less the common beginning of their paths."""
    errors = messages(structural_errors(record(a=field), "s"))
    return [message.removeprefix("s.properties[a]").removeprefix(".") for message in errors]


def test_a_field_without_a_type_is_refused_as_recorded() -> None:
    step = recorded("01-crd")[-1]
    schema = step["request"]["body"]["spec"]["versions"][0]["schema"]["openAPIV3Schema"]
    details = step["response"]["body"]["details"]
    assert causes(structural_errors(schema)) == details["causes"]


@pytest.mark.parametrize(
    "metadata",
    [
        {"type": "object", "description": "What every object has."},
        record(labels={"type": "object", "additionalProperties": TEXT}),
    ],
)
def test_metadata_is_the_servers_to_describe(metadata: Json) -> None:
    (message,) = messages(structural_errors(record(metadata=metadata), "s"))
    words = "must not specify anything other than name and generateName"
    assert message.startswith(f"s.properties[metadata]: Forbidden: {words}")


def test_the_names_of_objects_may_be_bound() -> None:
    named = record(name={**TEXT, "maxLength": 60}, generateName=TEXT)
    assert structural_errors(record(metadata=named)) == []
    assert structural_errors(record(metadata={"type": "object"})) == []


def test_the_recorded_schema_is_structural() -> None:
    assert structural_errors(widget_schema()) == []


@pytest.mark.parametrize(
    ("schema", "message"),
    [
        ({}, "type: Required value: must not be empty at the root"),
        (
            {"type": "array", "items": TEXT},
            'type: Invalid value: "array": must be object at the root',
        ),
    ],
)
def test_a_schema_describes_an_object(schema: Json, message: str) -> None:
    assert messages(structural_errors(schema, "")) == [message]


@pytest.mark.parametrize(
    "field",
    [
        {"x-kubernetes-int-or-string": True},
        {"x-kubernetes-int-or-string": True, "anyOf": [{"type": "integer"}, {"type": "string"}]},
        {"x-kubernetes-preserve-unknown-fields": True},
        {"type": "object", "additionalProperties": TEXT},
        {**TEXT, "default": "x", "enum": ["x"]},
        {**record(b=TEXT), "oneOf": [{"required": ["b"]}, {"not": {"required": ["b"]}}]},
        {
            "type": "array",
            "x-kubernetes-list-type": "map",
            "x-kubernetes-list-map-keys": ["name"],
            "items": {**record(name=TEXT), "required": ["name"]},
        },
    ],
)
def test_a_sound_field_is_no_error(field: Json) -> None:
    assert wrong(field) == []


@pytest.mark.parametrize(
    ("field", "message"),
    [
        (
            {"type": "text"},
            (
                'type: Unsupported value: "text": supported values: '
                '"array", "boolean", "integer", "number", "object", "string"'
            ),
        ),
        ({"type": "array"}, "items: Required value: must be specified"),
        (
            {"type": "array", "items": {}},
            "items.type: Required value: must not be empty for specified array items",
        ),
        (
            {"type": "string", "x-kubernetes-int-or-string": True},
            'type: Invalid value: "string": must be empty if x-kubernetes-int-or-string is true',
        ),
        ({**TEXT, "$ref": "#/x"}, "$ref: Forbidden: $ref is not supported"),
        (
            {**LIST, "uniqueItems": True},
            (
                "uniqueItems: Forbidden: uniqueItems cannot be set to true "
                "since the runtime complexity becomes quadratic"
            ),
        ),
        (
            {**record(b=TEXT), "additionalProperties": TEXT},
            (
                "additionalProperties: Forbidden: "
                "additionalProperties and properties are mutual exclusive"
            ),
        ),
        (
            {**TEXT, "pattern": "(?=a)"},
            (
                'pattern: Invalid value: "(?=a)": must be a valid regular expression, but isn\'t: '
                "error parsing regexp: invalid or unsupported Perl syntax: `(?=`"
            ),
        ),
        (
            {**LIST, "x-kubernetes-list-type": "bag"},
            (
                'x-kubernetes-list-type: Unsupported value: "bag": '
                'supported values: "atomic", "set", "map"'
            ),
        ),
        (
            {**LIST, "x-kubernetes-list-type": "map"},
            (
                "x-kubernetes-list-map-keys: Required value: "
                "must not be empty if x-kubernetes-list-type is map"
            ),
        ),
        (
            {**LIST, "x-kubernetes-list-type": "map", "x-kubernetes-list-map-keys": ["b"]},
            (
                'x-kubernetes-list-map-keys[0]: Invalid value: "b": '
                "entries must all be names of item properties"
            ),
        ),
        (
            {**LIST, "x-kubernetes-list-type": "map", "x-kubernetes-list-map-keys": ["name"]},
            (
                "items.properties[name].default: Required value: this property is in "
                "x-kubernetes-list-map-keys, so it must have a default or be a required property"
            ),
        ),
        (
            {**TEXT, "default": 1},
            (
                'default: Invalid value: "integer": s.properties[a].default in body '
                'must be of type string: "integer"'
            ),
        ),
        (
            {**record(b=TEXT), "default": {"c": 1}},
            'default: Invalid value: {"c":1}: must not have unknown fields: {}',
        ),
        (
            {**record(b=TEXT), "anyOf": [{"properties": {"c": {"minLength": 1}}}]},
            (
                "properties[c]: Required value: because it is defined in "
                "s.properties[a].anyOf[0].properties[c]"
            ),
        ),
        (
            {**TEXT, "anyOf": [{"type": "string"}]},
            "anyOf[0].type: Forbidden: must be empty to be structural",
        ),
        (
            {**TEXT, "x-kubernetes-validations": [{"rule": " "}]},
            "x-kubernetes-validations[0].rule: Required value: rule is not specified",
        ),
    ],
)
def test_an_unsound_field_is_refused_with_its_path(field: Json, message: str) -> None:
    assert wrong(field) == [message]


def test_a_rule_that_does_not_compile_is_refused_with_the_compilers_words() -> None:
    [message] = wrong({**TEXT, "x-kubernetes-validations": [{"rule": "self =="}]})
    assert message.startswith(
        'x-kubernetes-validations[0].rule: Invalid value: {"rule":"self =="}: '
    )
    assert "compilation failed: ERROR: <input>:1:" in message


def test_a_reason_must_be_one_that_the_api_knows() -> None:
    [message] = wrong({**TEXT, "x-kubernetes-validations": [{"rule": "true", "reason": "Bad"}]})
    assert message.startswith('x-kubernetes-validations[0].reason: Unsupported value: "Bad"')


def test_a_rule_can_not_select_a_field_that_the_schema_does_not_have() -> None:
    rule = "!has(self.b) || self.b.c == 1"
    field = {**record(b=record(d=TEXT)), "x-kubernetes-validations": [{"rule": rule}]}
    [message] = wrong(field)
    assert message.endswith(
        f"compilation failed: ERROR: <input>:1:23: undefined field 'c'\n | {rule}\n | {'.' * 22}^"
    )


@pytest.mark.parametrize(
    "field",
    [
        {
            **record(**{"a-b": TEXT}),
            "x-kubernetes-validations": [{"rule": "self.a__dash__b == ''"}],
        },
        {
            "type": "object",
            "additionalProperties": TEXT,
            "x-kubernetes-validations": [{"rule": "self.anything == '' && self.size() > 0"}],
        },
        {
            **record(b=TEXT),
            "x-kubernetes-embedded-resource": True,
            "x-kubernetes-validations": [{"rule": "self.kind == 'X' && self.metadata.name != ''"}],
        },
    ],
)
def test_a_rule_may_select_what_is_there(field: Json) -> None:
    assert wrong(field) == []


def test_a_rule_can_not_look_back_where_items_are_not_known_again() -> None:
    looking_back = {**TEXT, "x-kubernetes-validations": [{"rule": "self == oldSelf"}]}
    [message] = wrong({"type": "array", "items": looking_back})
    assert message.endswith(
        "oldSelf cannot be used on the uncorrelatable portion of the schema within s.properties[a]"
    )
    keyed = {
        "type": "array",
        "x-kubernetes-list-type": "map",
        "x-kubernetes-list-map-keys": ["name"],
        "items": {**record(name=TEXT, b=looking_back), "required": ["name"]},
    }
    assert wrong(keyed) == []
