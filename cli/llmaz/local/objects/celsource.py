"""Rewrites CEL source into the part of CEL that the evaluator knows.

Its parser has no optional syntax (`self.?a[?0]`), no `optMap`, no `cel.bind`. Each becomes
functions and macros which it has: `a.?b` is `a.__select("b")`, `o.optMap(x, e)` is
`o.__present().map(x, e).__first()`, and `cel.bind(x, i, e)` is `[i].map(x, e)[0]`.
"""

import re
from collections.abc import Iterator
from dataclasses import dataclass

_WORD = re.compile(
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
NAMESPACES = frozenset({"base64", "format", "ip", "lists", "math", "optional", "sets", "strings"})
_OPTIONAL_MACROS = {"optMap": "__first", "optFlatMap": "__flat"}
_CLOSERS = {"(": ")", "[": "]", "{": "}", "[?": "]"}


@dataclass(frozen=True, slots=True)
class Source:
    """A rewritten expression, the names that its macros bind, and its functions in namespaces."""

    text: str
    bound: frozenset[str]
    qualified: frozenset[str]


def rewritten(expression: str) -> Source:
    """Return the expression in the evaluator's dialect."""
    words = [match.group() for match in _WORD.finditer(expression) if match.lastgroup != "space"]
    bound = {
        words[i + 2]
        for i, word in enumerate(words[:-2])
        if words[i + 1] == "(" and (word in MACROS or word in _OPTIONAL_MACROS or word == "bind")
    }
    qualified = {
        f"{word}.{words[i + 2]}"
        for i, word in enumerate(words[:-3])
        if word in NAMESPACES
        and words[i + 1] == "."
        and words[i + 3] == "("
        and words[max(i - 1, 0)] not in (".", ".?")
    }
    return Source(_joined(_rewrite(words)), frozenset(bound), frozenset(qualified))


def selections(expression: str) -> Iterator[list[tuple[str, int]]]:
    """Yield each chain of fields: for `self.a.b` a and b, with the places of their dots."""
    found = [match for match in _WORD.finditer(expression) if match.lastgroup != "space"]
    words = [match.group() for match in found]
    for start, word in enumerate(words):
        if word not in ("self", "oldSelf") or words[max(start - 1, 0)] in (".", ".?"):
            continue
        chain = []
        i = start + 1
        while words[i : i + 1] in (["."], [".?"]) and words[i + 2 : i + 3] != ["("]:
            chain += [(words[i + 1], found[i].start())] if i + 1 < len(words) else []
            i += 2
        if chain:
            yield chain


def _joined(words: list[str]) -> str:
    return " ".join(words).replace(" . ", ".").replace(" (", "(")


def _rewrite(words: list[str]) -> list[str]:
    result: list[str] = []
    optional = False
    i = 0
    while i < len(words):
        word, following = words[i], words[i + 1 : i + 2]
        if words[i : i + 4] == ["cel", ".", "bind", "("]:
            end = _closing(words, i + 3)
            result += _bind(_arguments(words[i + 4 : end]))
            i, optional = end + 1, False
        elif word in _CLOSERS:
            end = _closing(words, i)
            result += _bracketed(words, i, end, result, optional=optional)
            optional = word == "[?" or (optional and word == "[")
            i = end + 1
        elif word == ".?" and following:
            result += [".", "__select", "(", f'"{following[0]}"', ")"]
            i, optional = i + 2, True
        elif word == "." and following and words[i + 2 : i + 3] == ["("]:
            i, optional = _method(words, i, result), False
        elif word == "." and optional and following:
            result += [".", "__select", "(", f'"{following[0]}"', ")"]
            i += 2
        else:
            result.append("exists_one" if word == "existsOne" else word)
            i += 1
            optional = optional and word == "."
    return result


def _bracketed(
    words: list[str], start: int, end: int, before: list[str], *, optional: bool
) -> list[str]:
    inner = _rewrite(words[start + 1 : end])
    if words[start] == "[?" or (optional and words[start] == "[" and before):
        return [".", "__at", "(", *inner, ")"]
    return [words[start], *inner, _CLOSERS[words[start]]]


def _method(words: list[str], i: int, result: list[str]) -> int:
    """Append the method call at `i` (`.name(...)`) to the result; return where it ends."""
    name, end = words[i + 1], _closing(words, i + 2)
    inner = _rewrite(words[i + 3 : end])
    if name in _OPTIONAL_MACROS:
        if name == "optFlatMap" and "," in inner:
            comma = inner.index(",") + 1
            inner = [*inner[:comma], "(", *inner[comma:], ")", ".", "__present", "(", ")"]
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


def _arguments(words: list[str]) -> list[list[str]]:
    result: list[list[str]] = [[]]
    depth = 0
    for word in words:
        depth += (word in _CLOSERS) - (word in _CLOSERS.values())
        if word == "," and depth == 0:
            result.append([])
        else:
            result[-1].append(word)
    return result


def _closing(words: list[str], start: int) -> int:
    depth = 0
    for i in range(start, len(words)):
        depth += (words[i] in _CLOSERS) - (words[i] in _CLOSERS.values())
        if depth == 0:
            return i
    return len(words)
