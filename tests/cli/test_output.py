import pytest

from llmaz.api.manifest import Manifest
from llmaz.cli.output import print_table, row_keys, table_rows

TABLE: Manifest = {
    "columnDefinitions": [
        {"name": "Name", "priority": 0},
        {"name": "Replicas", "priority": 0},
        {"name": "Message", "priority": 1},
    ],
    "rows": [
        {"cells": ["qwen", 1, None], "object": {"metadata": {"name": "qwen", "namespace": "a"}}}
    ],
}


def test_columns_of_low_priority_are_shown_only_when_asked_for() -> None:
    assert table_rows(TABLE, wide=False) == (["Name", "Replicas"], [["qwen", "1"]])
    assert table_rows(TABLE, wide=True)[1] == [["qwen", "1", "<none>"]]


def test_each_row_is_known_by_its_object() -> None:
    assert row_keys(TABLE) == [("a", "qwen")]


def test_columns_are_aligned_and_no_line_ends_in_spaces(capsys: pytest.CaptureFixture[str]) -> None:
    print_table(("name", "age"), [("qwen", "8s"), ("a", "12m")])
    assert capsys.readouterr().out == "NAME   AGE\nqwen   8s\na      12m\n"
