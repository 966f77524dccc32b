"""The forms of names in Kubernetes, and a kube-apiserver's complaints about other forms."""

import re

from llmaz.local.objects.values import quoted

_LABEL = "[a-z0-9]([-a-z0-9]*[a-z0-9])?"
_LABEL_1035 = "[a-z]([-a-z0-9]*[a-z0-9])?"
_SUBDOMAIN = rf"{_LABEL}(\.{_LABEL})*"
_NAME_PART = "([A-Za-z0-9][-A-Za-z0-9_.]*)?[A-Za-z0-9]"
_LABEL_VALUE = f"({_NAME_PART})?"
_KEY = r"[-._a-zA-Z0-9]+"


def _too_long(length: int) -> str:
    return f"must be no more than {length} bytes"


def _form(sentence: str, pattern: str, *examples: str) -> str:
    shown = ",  or ".join(f"'{example}'" for example in examples)
    return f"{sentence} (e.g. {shown}, regex used for validation is '{pattern}')"


def subdomain_errors(name: str) -> list[str]:
    """Complain about a name which is no DNS-1123 subdomain."""
    errors = [_too_long(253)] if len(name) > 253 else []
    if not re.fullmatch(_SUBDOMAIN, name):
        sentence = (
            "a lowercase RFC 1123 subdomain must consist of lower case alphanumeric "
            "characters, '-' or '.', and must start and end with an alphanumeric character"
        )
        errors.append(_form(sentence, _SUBDOMAIN, "example.com"))
    return errors


def label_errors(name: str) -> list[str]:
    """Complain about a name which is no DNS-1123 label."""
    errors = [_too_long(63)] if len(name) > 63 else []
    if not re.fullmatch(_LABEL, name):
        sentence = (
            "a lowercase RFC 1123 label must consist of lower case alphanumeric characters "
            "or '-', and must start and end with an alphanumeric character"
        )
        errors.append(_form(sentence, _LABEL, "my-name", "123-abc"))
    return errors


def label_1035_errors(name: str) -> list[str]:
    """Complain about a name which is no DNS-1035 label, as names of Services once had to be."""
    errors = [_too_long(63)] if len(name) > 63 else []
    if not re.fullmatch(_LABEL_1035, name):
        sentence = (
            "a DNS-1035 label must consist of lower case alphanumeric characters or '-', "
            "start with an alphabetic character, and end with an alphanumeric character"
        )
        errors.append(_form(sentence, _LABEL_1035, "my-name", "abc-123"))
    return errors


def label_key_errors(key: str) -> list[str]:
    """Complain about a key of labels or annotations: an optional subdomain, a slash, a name."""
    errors: list[str] = []
    prefix, slash, name = key.partition("/")
    if not slash:
        prefix, name = "", key
    elif "/" in name:
        sentence = (
            "a qualified name must consist of alphanumeric characters, '-', '_' or '.', and "
            "must start and end with an alphanumeric character"
        )
        form = _form(sentence, _NAME_PART, "MyName", "my.name", "123-abc")
        return [f"{form} with an optional DNS subdomain prefix and '/' (e.g. 'example.com/MyName')"]
    elif not prefix:
        errors.append("prefix part must be non-empty")
    else:
        errors += [f"prefix part {words}" for words in subdomain_errors(prefix)]
    if not name:
        errors.append("name part must be non-empty")
    elif len(name) > 63:
        errors.append(f"name part {_too_long(63)}")
    if not re.fullmatch(_NAME_PART, name):
        sentence = (
            "name part must consist of alphanumeric characters, '-', '_' or '.', and must "
            "start and end with an alphanumeric character"
        )
        errors.append(_form(sentence, _NAME_PART, "MyName", "my.name", "123-abc"))
    return errors


def label_value_errors(value: str) -> list[str]:
    """Complain about the value of a label."""
    errors = [_too_long(63)] if len(value) > 63 else []
    if not re.fullmatch(_LABEL_VALUE, value):
        sentence = (
            "a valid label must be an empty string or consist of alphanumeric characters, "
            "'-', '_' or '.', and must start and end with an alphanumeric character"
        )
        errors.append(_form(sentence, _LABEL_VALUE, "MyValue", "my_value", "12345"))
    return errors


def data_key_errors(key: str) -> list[str]:
    """Complain about a key of a Secret's or ConfigMap's data."""
    errors = [_too_long(253)] if len(key) > 253 else []
    if not re.fullmatch(_KEY, key):
        sentence = "a valid config key must consist of alphanumeric characters, '-', '_' or '.'"
        errors.append(_form(sentence, _KEY, "key.name", "KEY_NAME", "key-name"))
    if key in (".", "..") or key.startswith(".."):
        what = "must not be" if key in (".", "..") else "must not start with"
        errors.append(f"{what} {quoted(key[:2]).strip(chr(34)).join(chr(39) * 2)}")
    return errors
