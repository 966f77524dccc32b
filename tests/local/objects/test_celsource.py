"""The rewriting of CEL into the evaluator's dialect, seen through what it evaluates to."""

import pytest

from llmaz.local.objects.cel import expression
from llmaz.local.objects.values import Json


@pytest.mark.parametrize(
    ("rule", "value"),
    [
        ("self.?a.orValue(3)", 3),
        ("self.?a.?b.orValue('x')", "x"),
        ("self.?p.q.r.orValue('x')", "deep"),
        ("self.?p.no.r.orValue('x')", "x"),
        ("self.?list[1].orValue(0)", 20),
        ("self.list[?5].orValue(0)", 0),
        ("self.?p.hasValue() && has(self.p)", True),
        ("self.?n.optMap(x, x + 1).orValue(0)", 8),
        ("self.?a.optMap(x, x + 1).orValue(0)", 0),
        ("self.?p.optFlatMap(x, x.?q).hasValue()", True),
        ("self.list.filter(x, self.?n.orValue(0) > 5 && x > 10)", [20]),
        ("cel.bind(x, self.n, x > 5 && x < 9)", True),
        ("self.list.existsOne(x, x == 10)", True),
        ("'.?a' + \"[?0]\" == '.?a[?0]'", True),
        ("r'\\d.?' == '\\\\d.?' // a comment", True),
        ("self.n - 1 == 6 && -self.n < 0 && self.n >= 7", True),
        ("self.list.map(x, [x, self.?a.orValue(1)])[1][1]", 1),
        ("self.n in [1, 7] ? {'k': 1}.k : 2", 1),
        ("optional.of(2).orValue(3) + optional.none().orValue(3)", 5),
    ],
)
def test_expressions_mean_what_they_mean_in_kubernetes(rule: str, value: Json) -> None:
    this = {"n": 7, "list": [10, 20], "p": {"q": {"r": "deep"}}}
    assert expression(rule).value({"self": this}) == value
