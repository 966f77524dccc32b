"""What is pinned is never evicted."""

from pathlib import Path

from llmaz.agent.cache.pins import USER, of_model, pin, pinned, unpin
from llmaz.agent.cache.store import Tree


def test_a_tree_is_pinned_until_the_last_one_takes_it_back(tmp_path: Path) -> None:
    tree = Tree.of(tmp_path, "hub", "acme/tiny")
    pin(tmp_path, tree, USER)
    pin(tmp_path, tree, USER)
    pin(tmp_path, tree, of_model("tiny"))
    assert pinned(tmp_path) == {tree.root}
    assert unpin(tmp_path, tree, USER)
    assert pinned(tmp_path) == {tree.root}
    assert not unpin(tmp_path, tree, of_model("tiny"))
    assert pinned(tmp_path) == frozenset()
    assert not unpin(tmp_path, tree, USER)
