"""Rules of a schema (`x-kubernetes-validations`): compiled once, evaluated where they stand.

The expressions are CEL, evaluated by the `common-expression-language` library with Kubernetes' own
functions added. A rule with `oldSelf` compares an update with what was stored, and runs only where
both are known.
"""

import functools
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass, field

from llmaz.local.objects import celengine
from llmaz.local.objects.celfunctions import FUNCTIONS
from llmaz.local.objects.celsource import NAMESPACES, rewritten
from llmaz.local.objects.celvalues import converter
from llmaz.local.objects.fielderror import UNSAID, ErrorKind, FieldError
from llmaz.local.objects.validating import Absent, old_items
from llmaz.local.objects.values import Json, Object, Schema, child, equal, keyed

REASONS: Mapping[str, ErrorKind] = {
    "FieldValueInvalid": "invalid",
    "FieldValueForbidden": "forbidden",
    "FieldValueRequired": "required",
    "FieldValueDuplicate": "duplicate",
}
_NATIVE_WORDS = (
    "size contains startsWith endsWith matches int uint double string bytes bool duration "
    "timestamp dyn type getFullYear getMonth getDate getDayOfMonth getDayOfWeek getDayOfYear "
    "getHours getMinutes getSeconds getMilliseconds optional.of optional.none "
    "optional.ofNonZeroValue hasValue value or orValue"
)
_NATIVE = frozenset(_NATIVE_WORDS.split())
_NAMES_WORDS = "self oldSelf bool int uint double string bytes list map null_type type optional"
_NAMES = frozenset(_NAMES_WORDS.split())


class RuleError(ValueError):
    """A rule that does not compile, with the compiler's words."""


@dataclass(frozen=True, slots=True)
class Expression:
    """One compiled expression and the functions that it calls."""

    program: celengine.Program
    functions: Mapping[str, Callable[..., Json]]
    transition: bool

    def value(self, variables: Mapping[str, Json]) -> Json:
        """Evaluate; raises whatever the expression fails with."""
        if not self.functions:
            return self.program.execute(dict(variables))
        return self.program.execute(celengine.Context(dict(variables), dict(self.functions)))


@functools.lru_cache(maxsize=4096)
def expression(text: str) -> Expression:
    """Compile an expression; raise RuleError with what the server would say."""
    source = rewritten(text)
    try:
        program = celengine.compile(source.text)
    except ValueError as error:
        found = str(error).partition(": ERROR")[2] or f": {error}"
        raise RuleError(f"compilation failed: ERROR{found.rstrip()}") from None
    plain = {name.partition(".")[2] for name in source.qualified}
    called = [name for name in program.functions() if name[0].isalpha() or name.startswith("__")]
    called = [*(name for name in called if name not in plain), *source.qualified]
    known = _NAMES | source.bound | (NAMESPACES if source.qualified else frozenset())
    unknown = [name for name in program.variables() if name not in known]
    unknown += [name for name in called if name not in _NATIVE and name not in FUNCTIONS]
    if unknown:
        words = f"undeclared reference to '{unknown[0]}' (in container '')"
        raise RuleError(f"compilation failed: ERROR: <input>:1:1: {words}\n | {text}\n | ^")
    functions = {name: FUNCTIONS[name] for name in called if name in FUNCTIONS}
    return Expression(program, functions, "oldSelf" in program.variables())


@dataclass(frozen=True, slots=True)
class Rule:
    """One of `x-kubernetes-validations`."""

    text: str
    test: Expression
    message: str
    message_expression: Expression | None
    kind: ErrorKind
    field_path: str
    optional_old: bool

    @classmethod
    def of(cls, manifest: Object) -> "Rule":
        """Compile a rule; raise RuleError if it does not."""
        words = manifest.get("messageExpression")
        return cls(
            text=manifest["rule"].strip(),
            test=expression(manifest["rule"]),
            message=(manifest.get("message") or "").strip(),
            message_expression=expression(words) if words else None,
            kind=REASONS[manifest.get("reason", "FieldValueInvalid")],
            field_path=manifest.get("fieldPath", ""),
            optional_old=bool(manifest.get("optionalOldSelf")),
        )

    def error(self, path: str, variables: Mapping[str, Json]) -> FieldError | None:
        """Return the rule's verdict at `path`; None if the rule holds."""
        try:
            if self.test.value(variables) is True:
                return None
        except Exception as error:
            words = f"{_reason(error)} evaluating rule: {self.message or self.text}"
            return FieldError(path, "invalid", UNSAID, words)
        where = path + (self.field_path if path else self.field_path.removeprefix("."))
        return FieldError(where, self.kind, UNSAID, self._words(variables))

    def _words(self, variables: Mapping[str, Json]) -> str:
        default = self.message or f"failed rule: {self.text}"
        if self.message_expression is None:
            return default
        try:
            said = self.message_expression.value(variables)
        except Exception:
            return default
        return (
            said.strip() if isinstance(said, str) and said.strip() and "\n" not in said else default
        )


def _reason(error: Exception) -> str:
    match error:
        case KeyError():
            return f"no such key: {error.args[0]}"
        case IndexError() | RuntimeError():
            return str(error)
        case ZeroDivisionError():
            return "division by zero"
        case TypeError():
            return "no such overload"
    return str(error)


@dataclass(slots=True)
class CompiledRules:
    """The rules of a schema and of everything below it; false if there are none."""

    rules: list[Rule] = field(default_factory=list)
    convert: Callable[[Json], Json] | None = None
    schema: Schema = field(default_factory=dict)
    properties: dict[str, "CompiledRules"] = field(default_factory=dict)
    additional: "CompiledRules | None" = None
    items: "CompiledRules | None" = None

    @classmethod
    def of(cls, schema: Schema, *, root: bool = False) -> "CompiledRules":
        """Compile; raise RuleError if a rule does not compile (structural errors say which)."""
        additional, items = schema.get("additionalProperties"), schema.get("items")
        below = {key: cls.of(value) for key, value in (schema.get("properties") or {}).items()}
        rules = [Rule.of(rule) for rule in schema.get("x-kubernetes-validations") or ()]
        resource = root or bool(schema.get("x-kubernetes-embedded-resource"))
        return cls(
            rules=rules,
            convert=converter(schema, root=resource) if rules else None,
            schema=schema,
            properties={key: value for key, value in below.items() if value},
            additional=(cls.of(additional) or None) if isinstance(additional, dict) else None,
            items=(cls.of(items) or None) if isinstance(items, dict) else None,
        )

    def __bool__(self) -> bool:
        return bool(self.rules or self.properties or self.additional or self.items)

    def errors(self, value: Json, old: Json = None, path: str = "") -> Iterator[FieldError]:
        """Yield the rules that `value` breaks; `old` is None where nothing was stored."""
        if value is None:
            return
        if self.rules:
            yield from self._own_errors(value, old, path)
        if isinstance(value, dict):
            yield from self._map_errors(value, old if isinstance(old, dict) else {}, path)
        elif isinstance(value, list) and self.items:
            before = old_items(self.schema, value, old) or [None] * len(value)
            for i, item in enumerate(value):
                was = None if isinstance(before[i], Absent) else before[i]
                yield from self.items.errors(item, was, child(path, i))

    def _own_errors(self, value: Json, old: Json, path: str) -> Iterator[FieldError]:
        unchanged = old is not None and equal(value, old)
        current = self.convert(value) if self.convert else value
        previous = self.convert(old) if self.convert and old is not None else old
        for rule in self.rules:
            variables: dict[str, Json] = {"self": current}
            if rule.optional_old:
                none = celengine.OptionalValue.none()
                variables["oldSelf"] = none if old is None else celengine.OptionalValue.of(previous)
            elif rule.test.transition:
                if old is None:
                    continue
                variables["oldSelf"] = previous
            elif unchanged:
                continue
            error = rule.error(path, variables)
            if error:
                yield error

    def _map_errors(self, value: Object, old: Object, path: str) -> Iterator[FieldError]:
        for key, item in sorted(value.items()):
            if key in self.properties:
                yield from self.properties[key].errors(item, old.get(key), child(path, key))
            elif self.additional and key not in (self.schema.get("properties") or {}):
                yield from self.additional.errors(item, old.get(key), keyed(path, key))


class _Same:
    """A schema as a cache key: equal only to itself, and alive as long as the cache holds it."""

    def __init__(self, schema: Schema) -> None:
        self.schema = schema

    def __hash__(self) -> int:
        return id(self.schema)

    def __eq__(self, other: object) -> bool:
        return isinstance(other, _Same) and other.schema is self.schema


def rules_of(schema: Schema) -> CompiledRules:
    """Return the compiled rules of a kind's schema, remembered by the schema's identity."""
    return _rules_of(_Same(schema))


@functools.lru_cache(maxsize=256)
def _rules_of(key: _Same) -> CompiledRules:
    return CompiledRules.of(key.schema, root=True)
