"""Which files are wanted, and what an engine is to open."""

import pytest

from llmaz.agent.cache.origin import Bucket, HubRepository
from llmaz.agent.cache.remote import Refused, RemoteFile
from llmaz.agent.cache.selection import chosen, entrance

SPLIT = ("q4/m-00001-of-00002.gguf", "q4/m-00002-of-00002.gguf")


def _files(*paths: str) -> tuple[RemoteFile, ...]:
    return tuple(RemoteFile(path=path, size=1) for path in paths)


def _repository(
    *,
    filename: str | None = None,
    allow: tuple[str, ...] | None = None,
    ignore: tuple[str, ...] | None = None,
) -> HubRepository:
    return HubRepository(
        repository="a/b",
        revision="main",
        filename=filename,
        allow_patterns=allow,
        ignore_patterns=ignore,
    )


def _chosen(origin: HubRepository, *paths: str) -> tuple[str, ...]:
    return tuple(file.path for file in chosen(origin, _files(*paths)))


def test_patterns_select_and_leave_out_as_the_hubs_clients_do() -> None:
    paths = ("a.bin", "a.safetensors", "original/a.pth", "original/deep/b")
    assert _chosen(_repository(ignore=("*.bin", "original/")), *paths) == ("a.safetensors",)
    assert _chosen(_repository(allow=("original/",)), *paths) == paths[2:]
    assert _chosen(_repository(allow=("*",), ignore=("*.pth",)), *paths) == (
        *paths[:2],
        paths[3],
    )


def test_nothing_selected_is_refused_in_words() -> None:
    with pytest.raises(Refused, match="no file that the patterns select"):
        _chosen(_repository(allow=("*.gguf",)), "a.bin")
    with pytest.raises(Refused, match=r"no file 'b\.gguf'"):
        _chosen(_repository(filename="b.gguf"), "a.gguf")


def test_a_part_brings_the_others() -> None:
    assert _chosen(_repository(filename=SPLIT[0]), "x.gguf", *SPLIT) == SPLIT


@pytest.mark.parametrize(
    ("paths", "path"),
    [
        (SPLIT, SPLIT[0]),
        (("README.md", "m.gguf"), "m.gguf"),
        (("a.gguf", "b.gguf"), ""),
        (("config.json", "m.gguf"), ""),
        (("config.json", "model.safetensors"), ""),
        (("model.safetensors",), ""),
    ],
)
def test_a_lone_gguf_is_opened_by_its_name_and_else_the_folder(
    paths: tuple[str, ...], path: str
) -> None:
    assert entrance(_repository(), _files(*paths)) == path


def test_a_lone_object_is_opened_by_its_name() -> None:
    origin = Bucket(scheme="s3", bucket="b", key="m.safetensors")
    assert entrance(origin, _files("m.safetensors")) == "m.safetensors"
