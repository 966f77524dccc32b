from pathlib import Path

import pytest

from llmaz.llamacpp.options import from_argv


def test_the_options_are_spelled_as_llama_server_spells_them() -> None:
    line = "-m a.gguf --host 0.0.0.0 --port 0 -a smol -c 512 -t 3 -np 4 -fa --metrics -md d.gguf"
    found = from_argv([*line.split(), "--draft-max", "8", "--draft-min", "5"])
    assert (found.model, found.draft_model) == (Path("a.gguf"), Path("d.gguf"))
    assert (found.host, found.port, found.served_name) == ("0.0.0.0", 0, "smol")
    assert (found.context_size, found.threads, found.parallel) == (512, 3, 4)
    assert (found.flash_attention, found.metrics) == ("on", True)
    assert (found.draft_max, found.draft_min) == (8, 5)


def test_a_model_without_an_alias_is_served_under_its_file_name() -> None:
    assert from_argv(["-m", "/models/a.gguf"]).served_name == "a.gguf"


@pytest.mark.parametrize(
    ("argv", "words"),
    [
        (["--port", "70000"], "must be from 0 to 65535, not 70000"),
        (["--ctx-size", "many"], "must be a whole number, not 'many'"),
        (["--parallel", "0"], "must be at least 1, not 0"),
        (["--warp", "9"], "unrecognized arguments: --warp 9"),
    ],
)
def test_a_wrong_option_is_refused_with_what_was_expected(
    argv: list[str], words: str, capsys: pytest.CaptureFixture[str]
) -> None:
    with pytest.raises(SystemExit) as caught:
        from_argv(["-m", "a.gguf", *argv])
    assert caught.value.code == 2
    assert words in capsys.readouterr().err
