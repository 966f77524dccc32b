"""Who follows what is on a node's disk is woken by changes of it, and each is looked for once."""

from llmaz.agent.sharing.watch import Watch


class Disk:
    """Keys and what they are like; it counts how often it was looked at."""

    def __init__(self, **states: int) -> None:
        self.states = states
        self.looked: list[str] = []

    def state(self, key: str) -> int | None:
        self.looked.append(key)
        return self.states.get(key)


async def test_one_look_at_a_key_serves_all_that_follow_it() -> None:
    disk = Disk(a=1)
    watch = Watch(disk.state)
    with watch.follower(["a"]) as one, watch.follower(["a"]) as other:
        watch.look()
        assert disk.looked == ["a"]
        assert (one.changed(), other.changed()) == (["a"], ["a"])


async def test_a_follower_is_told_of_all_its_keys_at_first_in_the_order_of_its_question() -> None:
    with Watch(Disk().state).follower(["b", "c", "a"]) as follower:
        assert follower.changed() == ["b", "c", "a"]
        assert follower.changed() == []


async def test_only_who_follows_a_key_is_woken_by_its_change() -> None:
    disk = Disk(a=1, b=1)
    watch = Watch(disk.state)
    with watch.follower(["a"]) as one, watch.follower(["b"]) as other:
        watch.look()
        one.changed(), other.changed()
        disk.states["a"] = 2
        watch.look()
        assert (one.changed(), other.changed()) == (["a"], [])


async def test_what_did_not_change_wakes_nobody() -> None:
    watch = Watch(Disk(a=1).state)
    with watch.follower(["a"]) as follower:
        watch.look()
        follower.changed()
        watch.look()
        assert follower.changed() == []


async def test_a_key_that_nobody_follows_any_more_is_not_looked_at() -> None:
    disk = Disk(a=1, b=1)
    watch = Watch(disk.state)
    with watch.follower(["a"]):
        with watch.follower(["a", "b"]):
            pass
        watch.look()
    watch.look()
    assert disk.looked == ["a"]


async def test_a_follower_that_waits_hears_of_a_change_by_itself() -> None:
    disk = Disk(a=1)
    watch = Watch(disk.state)
    with watch.follower(["a"]) as follower:
        watch.look()
        follower.changed()
        disk.states["a"] = 2
        await follower.wait(60)
        assert follower.changed() == ["a"]


async def test_a_new_follower_is_served_after_all_others_have_left() -> None:
    disk = Disk(a=1)
    watch = Watch(disk.state)
    for number in range(2, 4):
        with watch.follower(["a"]) as follower:
            watch.look()
            follower.changed()
            disk.states["a"] = number
            await follower.wait(60)
            assert follower.changed() == ["a"]


async def test_who_follows_another_key_is_served_after_an_error_of_looking() -> None:
    disk = Disk(b=1)

    def state(key: str) -> int | None:
        if key == "a":
            raise OSError(key)
        return disk.state(key)

    watch = Watch(state)
    with watch.follower(["b"]) as follower:
        with watch.follower(["a"]) as unlucky:
            unlucky.changed()
            await unlucky.wait(60)
            assert unlucky.changed() == ["a"]
        follower.changed()
        disk.states["b"] = 2
        await follower.wait(60)
        assert follower.changed() == ["b"]


async def test_who_follows_meets_an_error_of_looking_and_does_not_wait_in_vain() -> None:
    def state(key: str) -> int:
        raise OSError(key)

    with Watch(state).follower(["a"]) as follower:
        follower.changed()
        await follower.wait(60)
        assert follower.changed() == ["a"]
