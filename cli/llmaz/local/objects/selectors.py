"""Label and field selectors: text in, a test of objects out, errors in the server's words."""

import re
from collections.abc import Callable, Collection, Iterator, Mapping
from dataclasses import dataclass
from typing import TypeAlias

from llmaz.local.objects.names import label_key_errors, label_value_errors
from llmaz.local.objects.values import Json, Object, quoted

LabelTest: TypeAlias = Callable[[Mapping[str, str]], bool]
FieldTest: TypeAlias = Callable[[Object], bool]

_SYMBOL = re.compile(r"\s*(?:(==|!=|[=!(),<>])|([^\s=!(),<>]+)|$)")
_OPERATORS = ("in", "notin", "=", "==", "!=", "gt", "lt")
_SIGNS = {"=", "==", "!=", "<", ">"}
_END = ""
_NAME = "metadata.name"


class SelectorError(ValueError):
    """A selector that can't be read; the server answers 400 with these words."""


def parse_labels(text: str) -> LabelTest:
    """Return the test of a label selector: `a=b,c!=d,e in (f,g),h,!i`. The empty one takes all."""
    tests = _Parser(_symbols(text)).requirements()
    return lambda labels: all(test(labels) for test in tests)


def parse_fields(text: str, allowed: Collection[str] = (), *, custom: bool = True) -> FieldTest:
    """Return the test of a field selector such as `metadata.name=a,spec.node!=b`.

    Names and namespaces can always be selected, beyond them what is `allowed`. Kinds that are not
    `custom` and allow nothing more are refused in other words.
    """
    known = {_NAME, "metadata.namespace", *allowed}
    tests: list[FieldTest] = []
    for field, value, wanted in _field_terms(text):
        if field not in known:
            raise SelectorError(_unsupported_field(field, short=custom or bool(allowed)))
        tests.append(_field_test(field, value, wanted=wanted))
    return lambda obj: all(test(obj) for test in tests)


def required_name(text: str) -> str:
    """Return the name that all objects of a field selector have; empty if they may have any."""
    terms = _field_terms(text)
    return next((value for field, value, wanted in terms if wanted and field == _NAME), "")


def _field_terms(text: str) -> Iterator[tuple[str, str, bool]]:
    """Yield each field, the value that it is compared with, and whether they shall be equal."""
    for term in re.split(r"(?<!\\),", text):
        if not term:
            continue
        match = re.fullmatch(r"((?:\\.|[^\\=!])+)(==|!=|=)((?:\\.|[^\\=,])*)", term)
        if match is None:
            raise SelectorError(f"invalid selector: '{text}'; can't understand '{term}'")
        yield match[1], re.sub(r"\\(.)", r"\1", match[3]), match[2] != "!="


def field_value(obj: Json, path: str) -> str:
    """Return the text of a field as selectors compare it: empty if it is not there."""
    for key in path.split("."):
        obj = obj.get(key) if isinstance(obj, dict) else None
    if isinstance(obj, bool):
        return "true" if obj else "false"
    return "" if obj is None else str(obj)


def _unsupported_field(field: str, *, short: bool) -> str:
    if short:
        return f"field label not supported: {field}"
    return (
        f'{quoted(field)} is not a known field selector: only "metadata.name", "metadata.namespace"'
    )


def _field_test(field: str, value: str, *, wanted: bool) -> FieldTest:
    return lambda obj: (field_value(obj, field) == value) is wanted


def _symbols(text: str) -> list[str]:
    return [match[1] or match[2] for match in _SYMBOL.finditer(text) if match[1] or match[2]]


def _is_name(symbol: str) -> bool:
    return symbol not in ("", "(", ")", ",", "!") and symbol not in _SIGNS


@dataclass(slots=True)
class _Parser:
    """Reads the symbols of a label selector from left to right."""

    symbols: list[str]

    def requirements(self) -> list[LabelTest]:
        tests: list[LabelTest] = []
        while self._next != _END:
            if not _is_name(self._next) and self._next != "!":
                words = "expected: !, identifier, or 'end of string'"
                raise SelectorError(f"found '{self._next}', {words}")
            try:
                tests.append(self._requirement())
            except SelectorError as error:
                raise SelectorError(f"unable to parse requirement: {error}") from None
            self._separator()
        return tests

    def _separator(self) -> None:
        symbol = self._take()
        if symbol == ",":
            if not _is_name(self._next) and self._next != "!":
                raise SelectorError(f"found '{self._next}', expected: identifier after ','")
        elif symbol != _END:
            raise SelectorError(f"found '{symbol}', expected: ',' or 'end of string'")

    def _requirement(self) -> LabelTest:
        absent = self._next == "!"
        if absent:
            self._take()
        key = self._take()
        if not _is_name(key):
            raise SelectorError(f"found '{key}', expected: identifier")
        for words in label_key_errors(key):
            raise SelectorError(f"<nil>: Invalid value: {quoted(key)}: {words}")
        if absent:
            return lambda labels: key not in labels
        if self._next in (_END, ","):
            return lambda labels: key in labels
        return self._comparison(key)

    def _comparison(self, key: str) -> LabelTest:
        operator = self._take()
        if operator in ("in", "notin"):
            values = self._values()
            _check_values(key, values)
            if operator == "in":
                return lambda labels: labels.get(key) in values
            return lambda labels: labels.get(key) not in values
        if operator not in _SIGNS:
            raise SelectorError(f"found '{operator}', expected: {', '.join(_OPERATORS)}")
        value = "" if self._next in (_END, ",") else self._take()
        if value and not _is_name(value):
            raise SelectorError(f"found '{value}', expected: identifier")
        if operator in "<>":
            return _ordering(key, value, above=operator == ">")
        _check_values(key, [value])
        if operator == "!=":
            return lambda labels: labels.get(key) != value
        return lambda labels: labels.get(key) == value

    def _values(self) -> list[str]:
        symbol = self._take()
        if symbol != "(":
            raise SelectorError(f"found '{symbol}' expected: '('")
        if self._next == ")":
            self._take()
            raise SelectorError(
                "values: Invalid value: []: for 'in', 'notin' operators, values set can't be empty"
            )
        values: list[str] = []
        expect_value = True
        while self._next != ")":
            symbol = self._take()
            if symbol == ",":
                values += [""] if expect_value else []
                expect_value = True
            elif _is_name(symbol) and expect_value:
                values.append(symbol)
                expect_value = False
            else:
                raise SelectorError(f"found '{symbol}', expected: ',' or ')'")
        self._take()
        return [*values, ""] if expect_value else values

    @property
    def _next(self) -> str:
        return self.symbols[0] if self.symbols else _END

    def _take(self) -> str:
        return self.symbols.pop(0) if self.symbols else _END


def _check_values(key: str, values: list[str]) -> None:
    for i, value in enumerate(values):
        for words in label_value_errors(value):
            raise SelectorError(f"values[{i}][{key}]: Invalid value: {quoted(value)}: {words}")


def _ordering(key: str, value: str, *, above: bool) -> LabelTest:
    try:
        bound = int(value)
    except ValueError:
        words = "for 'Gt', 'Lt' operators, the value must be an integer"
        raise SelectorError(f"values[0]: Invalid value: {quoted(value)}: {words}") from None

    def test(labels: Mapping[str, str]) -> bool:
        try:
            have = int(labels.get(key, ""))
        except ValueError:
            return False
        return have > bound if above else have < bound

    return test
