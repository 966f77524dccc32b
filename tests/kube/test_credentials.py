"""Tokens that somebody else writes anew."""

from pathlib import Path

from llmaz.kube.credentials import TokenFile


class Clock:
    def __init__(self) -> None:
        self.seconds = 0.0

    def __call__(self) -> float:
        return self.seconds


async def test_a_token_that_was_written_anew_is_used_within_a_minute(tmp_path: Path) -> None:
    clock, path = Clock(), tmp_path / "token"
    path.write_text("first\n")
    token = TokenFile(path, now=clock)
    path.write_text("second\n")
    clock.seconds = 59
    assert await token.header() == "Bearer first"
    clock.seconds = 60
    assert await token.header() == "Bearer second"


async def test_a_token_that_is_just_being_replaced_keeps_its_last_value(tmp_path: Path) -> None:
    clock, path = Clock(), tmp_path / "token"
    path.write_text("first")
    token = TokenFile(path, now=clock)
    path.unlink()
    clock.seconds = 60
    assert await token.header() == "Bearer first"
    path.write_text("")
    clock.seconds = 120
    assert await token.header() == "Bearer first"
