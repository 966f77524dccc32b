import subprocess
import sys
from pathlib import Path

import pytest

from llmaz.cli.enginelogs import EngineLog, print_log
from llmaz.cli.errors import CliError

FOLLOW = """
import sys
from pathlib import Path
from llmaz.cli.enginelogs import EngineLog, print_log
print_log(EngineLog(node="here", path=Path(sys.argv[1])), follow=True)
"""


def test_a_log_is_printed_to_its_end(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    (tmp_path / "engine.log").write_text("one\ntwo\n")
    print_log(EngineLog(node="here", path=tmp_path / "engine.log"), follow=False)
    assert capsys.readouterr().out == "one\ntwo\n"


def test_a_log_on_another_node_is_said_to_be_there(tmp_path: Path) -> None:
    away = EngineLog(node="gpu-7", path=tmp_path / "no-such" / "engine.log")
    with pytest.raises(CliError, match=r"the log is on node gpu-7: .*engine\.log"):
        print_log(away, follow=False)


def test_of_an_engine_that_never_came_to_be_the_agents_word_is_said(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    path = tmp_path / "engine.log"
    told = "default/chat-0 is Failed: ExecutableNotFound: vllm is not on the PATH"
    with pytest.raises(CliError, match="it has not written anything; default/chat-0 is Failed"):
        print_log(EngineLog(node="here", path=path, told=told), follow=False)
    path.touch()
    print_log(EngineLog(node="here", path=path, told=told), follow=False)
    assert capsys.readouterr().err == f"its log is empty; {told}\n"


def test_a_log_is_followed_as_it_grows_and_into_the_file_that_replaces_it(tmp_path: Path) -> None:
    log = tmp_path / "engine.log"
    log.write_text("one\n")
    command = [sys.executable, "-c", FOLLOW, str(log)]
    with subprocess.Popen(command, stdout=subprocess.PIPE, text=True) as reader:
        assert reader.stdout is not None
        assert reader.stdout.readline() == "one\n"
        with log.open("a") as growing:
            growing.write("two\n")
        assert reader.stdout.readline() == "two\n"
        log.rename(tmp_path / "engine.log.1")
        log.write_text("three\n")
        assert reader.stdout.readline() == "three\n"
        reader.kill()
