import pytest

from llmaz.agent.accelerators.families import cuda_family, rocm_family


@pytest.mark.parametrize(
    ("capability", "family"),
    [
        ((6, 0), "pascal"),
        ((7, 0), "volta"),
        ((7, 5), "turing"),
        ((8, 0), "ampere"),
        ((8, 6), "ampere"),
        ((8, 9), "ada-lovelace"),
        ((9, 0), "hopper"),
        ((10, 0), "blackwell"),
        ((12, 1), "blackwell"),
        ((13, 0), "rubin"),
        ((99, 0), ""),
    ],
)
def test_a_compute_capability_has_a_family(capability: tuple[int, int], family: str) -> None:
    assert cuda_family(*capability) == family


@pytest.mark.parametrize(
    ("target", "family"),
    [
        ("gfx90a", "cdna2"),
        ("gfx942", "cdna3"),
        ("gfx950", "cdna4"),
        ("gfx1030", "rdna2"),
        ("gfx1100", "rdna3"),
        ("gfx1201", "rdna4"),
        ("gfx803", ""),
    ],
)
def test_an_llvm_target_has_a_family(target: str, family: str) -> None:
    assert rocm_family(target) == family
