"""JSONPath of printer columns."""

import pytest

from llmaz.local.objects.jsonpath import PathError, compiled
from llmaz.local.objects.values import Json

POD: Json = {
    "metadata": {"labels": {"k.io/x": "y"}},
    "spec": {"n": 3, "list": [{"a": 1, "b": "x"}, {"a": 2, "b": "y"}, {"c": 3}]},
    "status": {"conditions": [{"type": "Available", "reason": "Up"}, {"type": "Other"}]},
}


@pytest.mark.parametrize(
    ("path", "found"),
    [
        (".spec.n", [3]),
        ("spec.n", [3]),
        ("$.spec.n", [3]),
        ("{.spec.n}", [3]),
        (".spec.absent.x", []),
        (r".metadata.labels.k\.io/x", ["y"]),
        (".metadata.labels['k.io/x']", ["y"]),
        (".spec.list[0].a", [1]),
        (".spec.list[-1].c", [3]),
        (".spec.list[7]", []),
        (".spec.list[*].a", [1, 2]),
        (".spec.list[0:2].a", [1, 2]),
        (".spec.list[1:].a", [2]),
        ('.status.conditions[?(@.type=="Available")].reason', ["Up"]),
        (".status.conditions[?(@.type=='Available')].reason", ["Up"]),
        (".status.conditions[?(@.reason)].type", ["Available"]),
        (".spec.list[?(@.a > 1)].b", ["y"]),
        (".spec.list[?(@.a <= 1)].b", ["x"]),
        ('.spec.list[?(@.b != "x")].a', [2]),
        ("..type", ["Available", "Other"]),
        (".spec.list[0]['a','b']", [1, "x"]),
        (".", [POD]),
    ],
)
def test_a_path_finds_what_it_names(path: str, found: Json) -> None:
    assert compiled(path)(POD) == found


@pytest.mark.parametrize("path", [".spec[", ".a[?(@.x == y)]", ".a b"])
def test_a_path_that_can_not_be_read_is_an_error(path: str) -> None:
    with pytest.raises(PathError):
        compiled(path)
