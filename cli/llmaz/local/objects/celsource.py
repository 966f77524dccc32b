"""Rewrites CEL source into the part of CEL that the evaluator knows.

Its parser has no optional syntax (`self.?a[?0]`), no `optMap`, no `cel.bind`. Each becomes functions and macros
which it has: `a.?b` is `a.__select("b")`, `o.optMap(x, e)` is `o.__present().map(x, e).__first()`, and
`cel.bind(x, i, e)` is `[i].map(x, e)[0]`.
"""

import re
from dataclasses import dataclass

_TOKEN = re.compile(
    r"""(?P<space>\s+|//[^\n]*)
    |(?P<string>[rRbB]{0,2}(?:\"\"\"(?:\\.|[^\\])*?\"\"\"|'''(?:\\.|[^\\])*?'''))
    |(?P<raw>[rR](?:"[^"\n]*"|'[^'\n]*'))
    |(?P<quoted>[bB]?(?:"(?:\\.|[^"\\\n])*"|'(?:\\.|[^'\\\n])*'))
    |(?P<name>[A-Za-z_]\w*)
    |(?P<number>\d[\w.]*(?:[eE][+-]?\d+)?u?)
    |(?P<mark>\.\?|\[\?|&&|\|\||[<>=!]=|.)""",
    re.VERBOSE | re.DOTALL,
)
MACROS = frozenset({"all", "exists", "exists_one", "existsOne", "map", "filter"})
_OPTIONAL_MACROS = {"optMap": "__first", "optFlatMap": "__flat"}
_CLOSERS = {"(": ")", "[": "]", "{": "}", "[?": "]"}


@dataclass(frozen=True, slots=True)
class Source:
    """A rewritten expression, and the names that its macros bind."""

    text: str
    bound: frozenset[str]


def rewritten(expression: str) -> Source:
    """Return the expression in the evaluator's dialect."""
    tokens = [
        match.group()
        for match in _TOKEN.finditer(expression)
        if match.lastgroup != "space"
    ]
    bound = {
        tokens[i + 2]
        for i, token in enumerate(tokens[:-2])
        if tokens[i + 1] == "(" and (token in MACROS or token in _OPTIONAL_MACROS or token == "bind")
    }
    return Source(_joined(_rewrite(tokens)), frozenset(bound))


def _joined(tokens: list[str]) -> str:
    return " ".join(tokens).replace(" . ", ".").replace(" (", "(")


def _rewrite(tokens: list[str]) -> list[str]:
    result: list[str] = []
    optional = False
    i = 0
    while i < len(tokens):
        token, following = tokens[i], tokens[i + 1 : i + 2]
        if tokens[i : i + 4] == ["cel", ".", "bind", "("]:
            end = _closing(tokens, i + 3)
            result += _bind(_arguments(tokens[i + 4 : end]))
            i, optional = end + 1, False
        elif token in _CLOSERS:
            end = _closing(tokens, i)
            result += _bracketed(tokens, i, end, result, optional=optional)
            optional = token == "[?" or (optional and token == "[")
            i = end + 1
        elif token == ".?" and following:
            result += [".", "__select", "(", f'"{following[0]}"', ")"]
            i, optional = i + 2, True
        elif token == "." and following and tokens[i + 2 : i + 3] == ["("]:
            i, optional = _method(tokens, i, result), False
        elif token == "." and optional and following:
            result += [".", "__select", "(", f'"{following[0]}"', ")"]
            i += 2
        else:
            result.append("exists_one" if token == "existsOne" else token)
            i += 1
            optional = optional and token == "."
    return result


def _bracketed(
    tokens: list[str], start: int, end: int, before: list[str], *, optional: bool
) -> list[str]:
    inner = _rewrite(tokens[start + 1 : end])
    if tokens[start] == "[?" or (optional and tokens[start] == "[" and before):
        return [".", "__at", "(", *inner, ")"]
    return [tokens[start], *inner, _CLOSERS[tokens[start]]]


def _method(tokens: list[str], i: int, result: list[str]) -> int:
    """Append the method call at `i` (`.name(...)`) to the result; return where it ends."""
    name, end = tokens[i + 1], _closing(tokens, i + 2)
    inner = _rewrite(tokens[i + 3 : end])
    if name in _OPTIONAL_MACROS:
        result += [".", "__present", "(", ")", ".", "map", "(", *inner, ")"]
        result += [".", _OPTIONAL_MACROS[name], "(", ")"]
    else:
        called = "exists_one" if name == "existsOne" else name
        result += [".", called, "(", *inner, ")"]
    return end + 1


def _bind(arguments: list[list[str]]) -> list[str]:
    if len(arguments) != 3:
        return ["cel", ".", "bind", "(", ")"]
    name, value, body = (_rewrite(argument) for argument in arguments)
    return ["[", *value, "]", ".", "map", "(", *name, ",", *body, ")", "[", "0", "]"]


def _arguments(tokens: list[str]) -> list[list[str]]:
    result: list[list[str]] = [[]]
    depth = 0
    for token in tokens:
        depth += (token in _CLOSERS) - (token in _CLOSERS.values())
        if token == "," and depth == 0:
            result.append([])
        else:
            result[-1].append(token)
    return result


def _closing(tokens: list[str], start: int) -> int:
    depth = 0
    for i in range(start, len(tokens)):
        depth += (tokens[i] in _CLOSERS) - (tokens[i] in _CLOSERS.values())
        if depth == 0:
            return i
    return len(tokens)
