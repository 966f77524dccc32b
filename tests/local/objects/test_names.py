"""Forms of names."""

from collections.abc import Callable

import pytest

from llmaz.local.objects import names
from support.objects import recorded

Check = Callable[[str], list[str]]


@pytest.mark.parametrize(
    ("check", "name"),
    [
        (names.subdomain_errors, "a.b-c.1"),
        (names.label_errors, "1-a"),
        (names.label_1035_errors, "a-1"),
        (names.label_key_errors, "example.io/My_name.1"),
        (names.label_key_errors, "name"),
        (names.label_value_errors, ""),
        (names.label_value_errors, "My_value.1"),
        (names.data_key_errors, "KEY_name.1"),
    ],
)
def test_a_good_name_is_not_complained_about(check: Check, name: str) -> None:
    assert check(name) == []


@pytest.mark.parametrize(
    ("check", "name", "beginning"),
    [
        (names.subdomain_errors, "A", "a lowercase RFC 1123 subdomain must"),
        (names.subdomain_errors, "a" * 254, "must be no more than 253 bytes"),
        (names.subdomain_errors, "a\n", "a lowercase RFC 1123 subdomain must"),
        (names.label_errors, "a.b", "a lowercase RFC 1123 label must"),
        (names.label_errors, "a" * 64, "must be no more than 63 bytes"),
        (names.label_1035_errors, "1a", "a DNS-1035 label must"),
        (names.label_key_errors, "", "name part must be non-empty"),
        (names.label_key_errors, "/a", "prefix part must be non-empty"),
        (names.label_key_errors, "A/a", "prefix part a lowercase RFC 1123 subdomain must"),
        (names.label_key_errors, "a/b/c", "a qualified name must"),
        (names.label_key_errors, "a" * 64, "name part must be no more than 63 bytes"),
        (names.label_value_errors, "a" * 64, "must be no more than 63 bytes"),
        (names.data_key_errors, "a/b", "a valid config key must"),
        (names.data_key_errors, "..", "must not be '..'"),
        (names.data_key_errors, "..a", "must not start with '..'"),
    ],
)
def test_a_bad_name_is_complained_about(check: Check, name: str, beginning: str) -> None:
    assert check(name)[0].startswith(beginning)


def test_complaints_are_worded_as_recorded() -> None:
    body = recorded("10-core-resources")[4]["response"]["body"]
    words = {cause["message"].partition(": ")[2] for cause in body["details"]["causes"]}
    [key], [value] = names.label_key_errors("bad label"), names.label_value_errors("not ok value!")
    assert words == {f'"bad label": {key}', f'"not ok value!": {value}'}
    refused = recorded("03-create-get")[5]["response"]["body"]
    assert refused["message"].endswith(f'"Bad_Name": {names.subdomain_errors("Bad_Name")[0]}')
