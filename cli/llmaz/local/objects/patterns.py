"""Regular expressions of schemas: Go's RE2 syntax, matched with Python's `re`.

The two differ where it hurts: RE2's `$` never matches before a last newline, its classes are ASCII,
and it has no look-around and no back-references, which a schema must therefore not use here either.
"""

import functools
import re

_MAX_REPEAT = 1000
_POSIX = {
    "alnum": "0-9A-Za-z",
    "alpha": "A-Za-z",
    "ascii": r"\x00-\x7F",
    "blank": r"\t ",
    "cntrl": r"\x00-\x1F\x7F",
    "digit": "0-9",
    "graph": "!-~",
    "lower": "a-z",
    "print": " -~",
    "punct": r"!-/:-@\[-`{-~",
    "space": r"\t\n\v\f\r ",
    "upper": "A-Z",
    "word": r"0-9A-Za-z_",
    "xdigit": "0-9A-Fa-f",
}
_TOKEN = re.compile(
    r"\\Q(?P<literal>.*?)(?:\\E|$)"
    r"|\\(?P<escape>[pP](?:\{\^?\w+\}|[A-Z])|x\{[0-9A-Fa-f]+\}|.)"
    r"|\[:(?P<negated>\^?)(?P<posix>[a-z]+):\]"
    r"|\(\?(?P<group>P?<[A-Za-z_]\w*>|[imsU]*(?:-[imsU]+)?[:)]|.)"
    r"|(?P<repeat>[*+?]|\{\d+(?:,\d*)?\})(?P<suffix>[*+?]?)"
    r"|(?P<other>.)",
    re.DOTALL,
)


class PatternError(ValueError):
    """A pattern that RE2 does not accept, with Go's words."""

    def __init__(self, what: str, where: str) -> None:
        super().__init__(f"error parsing regexp: {what}: `{where}`")


@functools.lru_cache(maxsize=2048)
def compiled(pattern: str) -> re.Pattern[str]:
    """Compile a Go pattern; use `search`, since Go's MatchString looks anywhere in the text."""
    translated = _translated(pattern)
    try:
        return re.compile(translated, re.ASCII)
    except (re.error, OverflowError) as error:
        raise PatternError(str(error).partition(" at position")[0], pattern) from None


def _translated(pattern: str) -> str:
    parts: list[str] = []
    in_class = False
    for match in _TOKEN.finditer(pattern):
        text = match.group()
        parts.append(_translated_token(match, text, in_class=in_class))
        if not in_class and text == "[":
            in_class = True
        elif in_class and text == "]" and not _opens_class(parts):
            in_class = False
    return "".join(parts)


def _opens_class(parts: list[str]) -> bool:
    """A bracket right after `[` or `[^` is a member of the class, not its end."""
    before = "".join(parts[-3:-1])
    return before.endswith(("[", "[^")) and not before.endswith(("\\[", "\\[^"))


def _translated_token(match: re.Match[str], text: str, *, in_class: bool) -> str:
    if match["literal"] is not None:
        return re.escape(match["literal"])
    if match["escape"] is not None:
        return _escape(match["escape"])
    if in_class:
        return _class_member(match, text)
    if match["group"] is not None:
        return _group(match["group"], text)
    if match["repeat"] is not None:
        return _repeat(match["repeat"], match["suffix"], text)
    if text == "$":
        return r"\Z"
    return text


def _escape(escape: str) -> str:
    if escape[0] in "pP":
        return _unicode_class(escape)
    if escape == "z":
        return r"\Z"
    if escape.startswith("x{"):
        return re.escape(chr(int(escape[2:-1], 16)))
    if escape == "a":
        return r"\x07"
    if escape in "dDwWsSbBnrtfvx\\" or not escape.isalnum() or escape == "A":
        return "\\" + escape
    raise PatternError("invalid escape sequence", "\\" + escape)


def _unicode_class(escape: str) -> str:
    """Translate the classes that patterns really use; Python has no Unicode properties."""
    names = {"L": r"[^\W\d_]", "N": r"\d", "Lu": "[A-Z]", "Ll": "[a-z]"}
    name = escape[1:].strip("{}")
    if escape[0] == "P" or name not in names:
        raise PatternError("invalid character class range", "\\" + escape)
    return f"(?u:{names[name]})" if name in ("L", "N") else names[name]


def _class_member(match: re.Match[str], text: str) -> str:
    if match["posix"] is None:
        return text.replace("[", r"\[") if text == "[" else text
    if match["posix"] not in _POSIX or match["negated"]:
        raise PatternError("invalid character class range", text)
    return _POSIX[match["posix"]]


def _group(group: str, text: str) -> str:
    if group.startswith(("P<", "<")) and group.endswith(">"):
        return f"(?P{group.removeprefix('P')}"
    if group[-1] in ":)" and "U" not in group:
        return text
    raise PatternError("invalid or unsupported Perl syntax", text)


def _repeat(repeat: str, suffix: str, text: str) -> str:
    counts = [int(count) for count in re.findall(r"\d+", repeat)]
    if any(count > _MAX_REPEAT for count in counts):
        raise PatternError("invalid repeat count", repeat)
    if suffix in ("*", "+") or (suffix and repeat == "?" and suffix != "?"):
        raise PatternError("invalid nested repetition operator", text)
    return text
