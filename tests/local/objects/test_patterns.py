"""Go's regular expressions with Python's `re`."""

import pytest

from llmaz.local.objects.patterns import PatternError, compiled


@pytest.mark.parametrize(
    ("pattern", "text", "found"),
    [
        ("a", "xax", True),
        ("^a$", "a", True),
        ("^a$", "a\n", False),
        (r"a\z", "a\n", False),
        (r"a\$", "a$", True),
        ("[$]", "$", True),
        (r"^\d$", "٣", False),
        (r"^\w$", "ä", False),
        (r"^\pL$", "ä", True),
        (r"^[[:alpha:]]+$", "abc", True),
        (r"^[^[:space:]]+$", "a c", False),
        (r"^[]a]+$", "a]", True),
        (r"\Qa.b\E", "axb", False),
        (r"(?P<x>a)(?<y>b)", "ab", True),
        ("(?i)A", "a", True),
        ("^a{2,3}?$", "aa", True),
        (r"^\x{41}$", "A", True),
        (r"^[a\]]$", "]", True),
    ],
)
def test_a_pattern_means_what_go_means(pattern: str, text: str, found: bool) -> None:
    assert bool(compiled(pattern).search(text)) is found


@pytest.mark.parametrize(
    ("pattern", "message"),
    [
        ("(?=a)", "error parsing regexp: invalid or unsupported Perl syntax: `(?=`"),
        ("(?<!a)", "error parsing regexp: invalid or unsupported Perl syntax: `(?<`"),
        (r"(a)\1", r"error parsing regexp: invalid escape sequence: `\1`"),
        (r"\Z", r"error parsing regexp: invalid escape sequence: `\Z`"),
        ("a++", "error parsing regexp: invalid nested repetition operator: `++`"),
        ("a{1001}", "error parsing regexp: invalid repeat count: `{1001}`"),
        (r"\p{Greek}", r"error parsing regexp: invalid character class range: `\p{Greek}`"),
        ("(a", "error parsing regexp: missing ), unterminated subpattern: `(a`"),
    ],
)
def test_a_pattern_that_go_does_not_take_is_refused(pattern: str, message: str) -> None:
    with pytest.raises(PatternError) as caught:
        compiled(pattern)
    assert str(caught.value) == message
