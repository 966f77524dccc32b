from typing import cast

import pytest

from llmaz.api.kinds import CORE_SERVICE
from llmaz.api.manifest import Json, Manifest
from llmaz.controller.owned import ensure
from llmaz.controller.snapshot import Ref

REF = Ref(kind=CORE_SERVICE, namespace="default", name="chat-lb")


def wanted(*envs: str) -> Manifest:
    items: list[Json] = [{"name": name, "value": "1"} for name in envs]
    return {"metadata": {"name": "chat-lb"}, "spec": {"envs": items, "type": "ClusterIP"}}


def written(manifest: Manifest) -> Manifest:
    """What the server holds after the controller wrote a manifest: it adds words of its own."""
    write = ensure(REF, manifest, None)
    assert write is not None
    metadata = cast("Manifest", write.manifest["metadata"])
    spec = cast("Manifest", write.manifest["spec"])
    return {
        "metadata": {**metadata, "uid": "1", "resourceVersion": "7"},
        "spec": {**spec, "clusterIP": "10.0.0.1"},
    }


def test_what_was_never_seen_is_written_as_new() -> None:
    write = ensure(REF, wanted("A"), None)
    assert write is not None
    assert not write.version


def test_what_is_as_wanted_is_not_written() -> None:
    assert ensure(REF, wanted("A"), written(wanted("A"))) is None


def test_what_others_added_does_not_matter() -> None:
    seen = written(wanted("A"))
    spec = cast("dict[str, list[Json]]", seen["spec"])
    spec["envs"] = [{"name": "THEIRS", "value": "2"}, *spec["envs"]]
    assert ensure(REF, wanted("A"), seen) is None


@pytest.mark.parametrize("now", [wanted("A"), wanted("A", "B", "C")])
def test_a_field_that_is_wanted_no_more_or_anew_is_written(now: Manifest) -> None:
    write = ensure(REF, now, written(wanted("A", "B")))
    assert write is not None
    assert write.version == "7"


def test_a_foreign_edit_is_written_over() -> None:
    seen = written(wanted("A"))
    cast("Manifest", seen["spec"])["type"] = "NodePort"
    assert ensure(REF, wanted("A"), seen) is not None
