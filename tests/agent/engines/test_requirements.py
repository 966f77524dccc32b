"""Whether the agent's own packages are what a runtime requires."""

from importlib.metadata import version

import pytest

from llmaz.agent.engines.requirements import are_met, invalid

AIOHTTP = version("aiohttp")


@pytest.mark.parametrize(
    ("requirements", "met"),
    [
        ((), True),
        (("aiohttp",), True),
        ((f"aiohttp=={AIOHTTP}", "psutil>=1"), True),
        ((f"aiohttp!={AIOHTTP}",), False),
        (("no-such-package",), False),
        (("aiohttp", "no-such-package"), False),
        (("llmaz[demo]",), True),  # with what its extra brings
        (("aiohttp @ https://example.com/aiohttp.whl",), False),
    ],
)
def test_requirements_are_met_by_what_is_installed(
    requirements: tuple[str, ...], met: bool
) -> None:
    assert are_met(requirements) is met


def test_an_option_of_the_installer_is_no_requirement() -> None:
    assert invalid(("aiohttp>=3", "llmaz[demo]")) is None
    said = invalid(("aiohttp", "--index-url=https://example.com"))
    assert said is not None
    assert said.startswith("'--index-url=https://example.com' is no Python requirement: ")
