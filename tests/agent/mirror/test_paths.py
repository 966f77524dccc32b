"""What a path means, and that no path leads out of the cache."""

import random
import string
from pathlib import Path

import pytest

from llmaz.agent.cache.store import Tree
from llmaz.agent.mirror.paths import Asked, asked_of

CACHE = Path("/cache")


@pytest.mark.parametrize(
    ("path", "asked"),
    [
        ("/api/models/gpt2", Asked(what="info", repository="gpt2")),
        ("/api/models/a/b", Asked(what="info", repository="a/b")),
        (
            "/api/models/a/b/revision/refs%2Fpr%2F1",
            Asked(what="info", repository="a/b", revision="refs/pr/1"),
        ),
        (
            "/api/models/gpt2/tree/main/x/y",
            Asked(what="tree", repository="gpt2", path="x/y"),
        ),
        (
            "/api/models/a/b/paths-info/v1",
            Asked(what="paths-info", repository="a/b", revision="v1"),
        ),
        ("/api/models/a/b/refs", Asked(what="refs", repository="a/b")),
        (
            "/a/b/resolve/main/x/y%20z.bin",
            Asked(what="resolve", repository="a/b", path="x/y z.bin"),
        ),
        ("/gpt2/resolve/main/x", Asked(what="resolve", repository="gpt2", path="x")),
    ],
)
def test_repositories_with_and_without_a_namespace_are_read(path: str, asked: Asked) -> None:
    assert asked_of(path) == asked


@pytest.mark.parametrize(
    "path",
    [
        "/a/b/resolve/main/../../../etc/passwd",
        "/a/b/resolve/main/%2e%2e/x",
        "/a/b/resolve/main/%2fetc%2fpasswd",
        "/a/b/resolve/..%2f..%2fx/config.json",
        "/a%2fb/c/resolve/main/x",
        "/../b/resolve/main/x",
        "/a--b/c/resolve/main/x",  # its directory would be that of a/b--c
        "/a/b/resolve/main/x%00y",
        "/a/b/resolve/main/%ff",
        "/api/models/a/b/c/d",
        "/" + "a/" * 2000 + "resolve/main/x",
    ],
)
def test_what_leads_elsewhere_is_no_path_of_a_hub(path: str) -> None:
    assert asked_of(path) is None


SIGNS = (*string.ascii_letters, "..", "/", "%2f", "%2e", "%00", "\\", "~", "-", ".", "%", "api/")
SEED = 20_260


def test_whatever_of_a_hundred_thousand_names_is_asked_stays_below_the_cache() -> None:
    chance = random.Random(SEED)
    for _ in range(100_000):
        name = "".join(chance.choices(SIGNS, k=chance.randrange(1, 24)))
        form = chance.choice(("/{}/resolve/main/x", "/a/b/resolve/{}/x", "/a/b/resolve/main/{}"))
        asked = asked_of(form.format(name))
        if asked is not None:
            assert Tree.of(CACHE, "hub", asked.repository).root.parent == CACHE / "hub", name
            for part in (*asked.path.split("/"), *asked.revision.split("/")):
                assert part not in ("", ".", ".."), name
