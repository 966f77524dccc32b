from pathlib import Path

import pytest

from llmaz.api.kinds import OPEN_MODEL, PLAYGROUND
from llmaz.cli.documents import read
from llmaz.cli.errors import NOT_FOUND, CliError

MODEL = "apiVersion: llmaz.io/v1alpha1\nkind: OpenModel\nmetadata: {name: a}\n"
PLAY = "apiVersion: inference.llmaz.io/v1alpha1\nkind: Playground\nmetadata: {name: b}\n"


def written(directory: Path, text: str, name: str = "a.yaml") -> str:
    (directory / name).write_text(text)
    return str(directory / name)


def test_one_file_may_hold_several_objects(tmp_path: Path) -> None:
    found = read([written(tmp_path, f"{MODEL}---\n---\n{PLAY}")], "team")
    assert [(one.kind, one.name, one.namespace) for one in found] == [
        (OPEN_MODEL, "a", None),
        (PLAYGROUND, "b", "team"),
    ]


def test_a_directory_is_read_in_the_order_of_its_names(tmp_path: Path) -> None:
    written(tmp_path, PLAY, "2.yml")
    written(tmp_path, MODEL, "1.yaml")
    written(tmp_path, "not a manifest", "notes.txt")
    assert [one.name for one in read([str(tmp_path)], "default")] == ["a", "b"]


def test_a_list_stands_for_its_items(tmp_path: Path) -> None:
    text = (
        '{"kind": "List", "apiVersion": "v1", "items": [{"apiVersion": "v1", "kind": "Namespace", '
    )
    text += '"metadata": {"name": "team"}}]}'
    assert [one.name for one in read([written(tmp_path, text, "a.json")], "default")] == ["team"]


def test_a_namespace_in_the_manifest_wins(tmp_path: Path) -> None:
    text = PLAY.replace("{name: b}", "{name: b, namespace: own}")
    assert read([written(tmp_path, text)], "team")[0].namespace == "own"


@pytest.mark.parametrize(
    ("text", "words"),
    [
        ("a: [", r"a\.yaml is not YAML: line 1, column 5: "),
        ("- 1", r"a\.yaml: a manifest is an object, not list"),
        ("a: 1", r"a\.yaml: apiVersion and kind are required"),
        ("apiVersion: batch/v1\nkind: Job", r"a\.yaml: batch/v1 Job is not a kind of llmaz"),
        (MODEL.replace("name: a", ""), r"a\.yaml: metadata\.name of a OpenModel is required"),
        ("", r"no object found in .*a\.yaml"),
        ("kind: List\nitems: 3", r"a\.yaml: items: must be a list, not int"),
        ("a: 2026-13-45", r"a\.yaml is not YAML: month must be in 1\.\.12"),
        (f"{MODEL}---\n- 1", r"a\.yaml, document 2: a manifest is an object, not list"),
    ],
)
def test_what_is_no_manifest_is_refused_with_where_it_is(
    text: str, words: str, tmp_path: Path
) -> None:
    with pytest.raises(CliError, match=words):
        read([written(tmp_path, text)], "default")


def test_a_missing_file_is_not_found(tmp_path: Path) -> None:
    with pytest.raises(CliError, match=r"cannot read .*none\.yaml: no such file") as caught:
        read([str(tmp_path / "none.yaml")], "default")
    assert caught.value.code == NOT_FOUND


def test_an_object_knows_what_is_wrong_with_it_and_where(tmp_path: Path) -> None:
    text = f"{MODEL}spec: {{familyName: q, source: {{uri: 'ftp://x'}}}}\n---\n{PLAY}spec: {{x: 1}}"
    model, play = read([written(tmp_path, text)], "default")
    assert [error.path for error in (*model.errors, *play.errors)] == ["spec.source.uri", "spec.x"]
    assert (model.where, play.where) == (
        f"{tmp_path}/a.yaml, document 1",
        f"{tmp_path}/a.yaml, document 2",
    )


def test_only_the_server_judges_objects_that_are_not_llmaz_s(tmp_path: Path) -> None:
    text = "apiVersion: v1\nkind: ConfigMap\nmetadata: {name: a}\nsurely: wrong"
    assert read([written(tmp_path, text)], "default")[0].errors == ()
