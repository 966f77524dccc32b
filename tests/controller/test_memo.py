"""What a decision remembers of the ones before."""

import dataclasses

from llmaz.controller.memo import Memo
from llmaz.controller.plan import plan
from support.controlling import world_of


class Counted:
    """A function that counts its calls."""

    def __init__(self) -> None:
        self.calls = 0

    def __call__(self, words: list[str]) -> str:
        self.calls += 1
        return " ".join(words)


def test_the_same_object_is_worked_on_once() -> None:
    memo, work, words = Memo(), Counted(), ["a", "b"]
    assert [memo.recall(work, words), memo.recall(work, words)] == ["a b", "a b"]
    assert work.calls == 1


def test_another_object_is_worked_on_though_it_says_the_same() -> None:
    memo, work = Memo(), Counted()
    assert [memo.recall(work, ["a"]), memo.recall(work, ["a"])] == ["a", "a"]
    assert work.calls == 2


def test_what_one_round_did_not_ask_for_is_forgotten() -> None:
    memo, work, words = Memo(), Counted(), ["a"]
    memo.recall(work, words)
    memo.forget_unused()
    memo.recall(work, words)
    assert work.calls == 1
    memo.forget_unused()
    memo.forget_unused()
    memo.recall(work, words)
    assert work.calls == 2


def test_the_same_objects_are_the_same_tuple() -> None:
    memo, one, two = Memo(), ["a"], ["b"]
    assert memo.same(one, two) is memo.same(one, two)
    assert memo.same(one, two) is not memo.same(two, one)


def test_a_decision_that_remembers_is_the_one_that_does_not() -> None:
    world, memo = world_of(3), Memo()
    world.settle()
    world.edit("chat", 5)
    for _ in range(20):
        actions = world.plan()
        assert plan(dataclasses.replace(world.snapshot(), memo=memo), world.now).actions == actions
        for action in actions:
            world.perform(action)
        if not world.tick() and not actions:
            return
    raise AssertionError("does not settle")
