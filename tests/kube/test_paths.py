import pytest

from llmaz.api.kinds import CONFIG_MAP, OPEN_MODEL
from llmaz.kube import Invalid
from llmaz.kube.paths import path_of


def test_an_object_has_the_path_of_its_kind() -> None:
    assert path_of(OPEN_MODEL, "qwen", "") == "/apis/llmaz.io/v1alpha1/openmodels/qwen"
    assert path_of(CONFIG_MAP, "a", "b") == "/api/v1/namespaces/b/configmaps/a"
    assert path_of(CONFIG_MAP, None, None) == "/api/v1/configmaps"


@pytest.mark.parametrize("name", ["", ".", "..", "a/b", "../x", "%2e%2e"])
def test_what_would_address_something_larger_is_no_name(name: str) -> None:
    with pytest.raises(Invalid, match=r"name .* must not be empty"):
        path_of(CONFIG_MAP, name, "default")
    with pytest.raises(Invalid, match=r"namespace .* must not be empty"):
        path_of(CONFIG_MAP, "a", name)


def test_signs_that_urls_give_a_meaning_are_part_of_a_name() -> None:
    assert path_of(OPEN_MODEL, "a?b#c d", None).endswith("/openmodels/a%3Fb%23c%20d")
