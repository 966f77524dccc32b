"""Kubernetes' own functions in rules."""

import pytest

from llmaz.local.objects.cel import expression
from llmaz.local.objects.values import Json


@pytest.mark.parametrize(
    "rule",
    [
        "quantity('1Gi').isGreaterThan(quantity('1G'))",
        "quantity('1') == quantity('1000m')",
        "quantity('1').add(quantity('500m')).sub(quantity('1')).isLessThan(quantity('1'))",
        "quantity('2').compareTo(quantity('1')) == 1 && quantity('-1').sign() == -1",
        "quantity('1k').asInteger() == 1000 && quantity('500m').asApproximateFloat() == 0.5",
        "isQuantity('3Ki') && !isQuantity('3 apples') && !quantity('1500m').isInteger()",
        "[1, 2, 3].isSorted() && ![2, 1].isSorted()",
        "[1, 2, 3].sum() == 6 && [1.5].sum() == 1.5 && [].sum() == 0",
        "[3, 1].min() == 1 && [3, 1].max() == 3",
        "[1, 2, 1].indexOf(1) == 0 && [1, 2, 1].lastIndexOf(1) == 2 && [1].indexOf(5) == -1",
        "'AbC'.lowerAscii() == 'abc' && 'AbC'.upperAscii() == 'ABC'",
        "'a,b'.split(',') == ['a', 'b'] && ['a', 'b'].join('-') == 'a-b'",
        "'hello'.substring(1, 3) == 'el' && 'hello'.replace('l', 'L') == 'heLLo'",
        "'hello'.indexOf('l') == 2 && 'hello'.lastIndexOf('l') == 3 && 'hello'.charAt(0) == 'h'",
        "' x '.trim() == 'x'",
        "'a12b3'.find('[0-9]+') == '12' && 'a12b3'.findAll('[0-9]+') == ['12', '3']",
        "'a1'.matches('^[a-z][0-9]$') && !'a1\\n'.matches('1$')",
        "'%s has %d of %.1f'.format(['x', 2, 3.0]) == 'x has 2 of 3.0'",
        "url('https://h.io:80/p?q=1').getHostname() == 'h.io'",
        "url('https://h.io:80/p?q=1').getPort() == '80' && isURL('/path') && !isURL('no url')",
        "ip('127.0.0.1').isLoopback() && ip('::1').family() == 6 && !isIP('1.2.3')",
        "ip.isCanonical('10.0.0.1') && ip('10.0.0.1') == ip('10.0.0.1')",
        "cidr('10.0.0.0/8').containsIP('10.1.1.1') && cidr('10.0.0.0/8').prefixLength() == 8",
        "cidr('10.0.0.0/8').containsCIDR('10.1.0.0/16') && !isCIDR('10.0.0.0')",
        "cidr('10.1.0.0/8').masked() == cidr('10.0.0.0/8')",
        "cidr('10.1.0.0/8').ip() == ip('10.1.0.0')",
        "!format.dns1123Label().validate('a-b').hasValue()",
        "format.dns1123Label().validate('A_b').hasValue()",
        "semver('1.2.3').isLessThan(semver('1.10.0')) && semver('1.2.3').minor() == 2",
        "semver('1.0.0-rc.1').isLessThan(semver('1.0.0')) && !isSemver('v1')",
        "sets.contains([1, 2], [1]) && math.greatest(1, 3) == 3",
        "base64.decode('aGk=') == b'hi'",
    ],
)
def test_the_function_does_what_kubernetes_says(rule: str) -> None:
    assert expression(rule).value({}) is True


@pytest.mark.parametrize(
    "rule",
    [
        "quantity('apples')",
        "quantity('500m').asInteger()",
        "url('no url')",
        "ip('1.2.3')",
        "cidr('10.0.0.0')",
        "semver('1')",
        "'%d'.format([])",
    ],
)
def test_a_value_that_a_function_can_not_take_is_an_error(rule: str) -> None:
    with pytest.raises((RuntimeError, ValueError)):
        expression(rule).value({})


def test_fields_named_as_functions_stay_fields() -> None:
    this: Json = {"format": "x", "value": 1, "math": {"abs": 2}}
    rule = "self.format.contains('x') && self.value == 1 && self.math.abs == 2"
    assert expression(rule).value({"self": this}) is True
