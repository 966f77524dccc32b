"""What a server refuses in the rules of a schema before any object is held against them."""

from collections.abc import Iterator

from llmaz.local.objects.cel import REASONS, RuleError, expression
from llmaz.local.objects.celsource import selections
from llmaz.local.objects.celvalues import escaped
from llmaz.local.objects.fielderror import FieldError, unsupported
from llmaz.local.objects.values import Object, Schema, child


def rule_errors(
    schema: Schema, path: str, *, root: bool, unknown_again: str
) -> Iterator[FieldError]:
    """Yield what is wrong with the rules on one node of a schema.

    `unknown_again` is the path of a list above whose items can't be told to be the same as before,
    so that a rule below it has no old value to compare with.
    """
    for i, rule in enumerate(schema.get("x-kubernetes-validations") or ()):
        where = child(child(path, "x-kubernetes-validations"), i)
        if not isinstance(rule.get("rule"), str) or not rule["rule"].strip():
            yield FieldError(child(where, "rule"), "required", None, "rule is not specified")
            continue
        yield from _compilation_errors(rule, schema, where, root=root)
        if rule.get("reason") not in (None, *REASONS):
            yield unsupported(child(where, "reason"), rule["reason"], tuple(REASONS))
        if unknown_again and _looks_back(rule):
            words = "oldSelf cannot be used on the uncorrelatable portion of the schema within"
            yield FieldError(
                child(where, "rule"), "invalid", rule["rule"], f"{words} {unknown_again}"
            )


def _compilation_errors(
    rule: Object, schema: Schema, where: str, *, root: bool
) -> Iterator[FieldError]:
    for key in ("rule", "messageExpression"):
        text = rule.get(key) or "true"
        try:
            expression(text)
        except RuleError as error:
            yield FieldError(child(where, key), "invalid", rule, str(error))
            continue
        for words in _undefined_fields(text, schema, root=root):
            yield FieldError(child(where, key), "invalid", rule, words)


def _looks_back(rule: Object) -> bool:
    try:
        return expression(rule["rule"]).transition
    except RuleError:
        return False


def _undefined_fields(text: str, schema: Schema, *, root: bool) -> Iterator[str]:
    for chain in selections(text):
        node: Schema | None = schema
        for depth, (name, place) in enumerate(chain):
            known = _fields(node, resource=root and depth == 0)
            if known is None:
                break
            if name not in known:
                words = (
                    f"compilation failed: ERROR: <input>:1:{place + 1}: undefined field '{name}'"
                )
                yield f"{words}\n | {text}\n | {'.' * place}^"
                break
            node = known[name]


def _fields(schema: Schema | None, *, resource: bool) -> dict[str, Schema | None] | None:
    """Return the fields that a rule can select here; None where nothing is known of them."""
    if schema is None or schema.get("type") != "object":
        return None
    if schema.get("additionalProperties") or "properties" not in schema:
        return None
    own = {escaped(name): field for name, field in schema["properties"].items()}
    if resource or schema.get("x-kubernetes-embedded-resource"):
        return {**own, "apiVersion": None, "kind": None, "metadata": None}
    return own
