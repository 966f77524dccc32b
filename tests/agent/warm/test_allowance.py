"""How much memory reading ahead leaves to others."""

from llmaz.agent.warm.allowance import LEFT_FREE, Memory, allowed

TOTAL = 1000
FREE = int(TOTAL * LEFT_FREE)


def test_all_but_what_stays_free_may_be_read() -> None:
    assert allowed(Memory(total=TOTAL, available=800), read=0) == 800 - FREE


def test_what_was_read_counts_although_the_kernel_could_give_it_back() -> None:
    assert allowed(Memory(total=TOTAL, available=800), read=650) == 0


def test_an_engines_own_limit_bounds_what_is_charged_to_it() -> None:
    memory = Memory(total=TOTAL, available=800, limit=200, used=100)
    assert allowed(memory, read=10) == 170 - 100


def test_a_machine_that_is_short_of_memory_reads_nothing() -> None:
    assert allowed(Memory(total=TOTAL, available=FREE), read=0) <= 0
