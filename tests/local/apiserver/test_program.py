"""The program: how it starts, what it refuses to start on, and what it leaves in its directory."""

import stat
import subprocess
import sys
from pathlib import Path

import pytest

from llmaz.local.apiserver.settings import Settings
from support.apicalls import got
from support.controlplane import EmbeddedServer
from support.recordings import call

COMMAND = [sys.executable, "-m", "llmaz.local.apiserver"]


def _start(directory: Path, listen: str) -> "subprocess.CompletedProcess[str]":
    return subprocess.run(
        [*COMMAND, "--data-dir", str(directory), "--listen", listen],
        capture_output=True,
        text=True,
        timeout=120,
        check=False,
    )


def test_a_port_in_use_is_one_sentence_and_exit_code_1(
    embedded_server: EmbeddedServer, tmp_path: Path
) -> None:
    embedded_server.start()
    listen = f"127.0.0.1:{embedded_server.port}"
    second = _start(tmp_path / "other", listen)
    assert second.returncode == 1
    expected = f"llmaz apiserver: cannot listen on {listen}: Address already in use\n"
    assert second.stderr == expected


def test_a_second_server_on_the_same_directory_is_refused(embedded_server: EmbeddedServer) -> None:
    embedded_server.start()
    second = _start(embedded_server.directory, "127.0.0.1:0")
    assert second.returncode == 1
    assert "another server is running on" in second.stderr
    assert second.stderr.count("\n") == 1


def test_a_file_that_is_no_database_is_one_sentence(tmp_path: Path) -> None:
    (tmp_path / "objects.db").write_bytes(b"no database at all, but some text" * 100)
    refused = _start(tmp_path, "127.0.0.1:0")
    assert refused.returncode == 1
    assert "objects.db: file is not a database" in refused.stderr
    assert refused.stderr.count("\n") == 1


def test_secrets_are_readable_by_their_owner_alone(embedded_server: EmbeddedServer) -> None:
    embedded_server.start()
    for name in ("token", "kubeconfig", "tls.key", "objects.db"):
        mode = stat.S_IMODE((embedded_server.directory / name).stat().st_mode)
        assert mode & 0o077 == 0, name
    token = (embedded_server.directory / "token").read_text()
    assert token not in embedded_server.log.read_text()


def test_token_and_certificate_are_the_same_after_a_restart(
    embedded_server: EmbeddedServer,
) -> None:
    before = embedded_server.start()
    authority = before.authority.read_bytes()
    embedded_server.stop()
    after = embedded_server.start()
    assert (after.url, after.token) == (before.url, before.token)
    assert after.authority.read_bytes() == authority


def test_the_end_of_the_lifeline_ends_the_server(embedded_server: EmbeddedServer) -> None:
    embedded_server.start()
    assert embedded_server.process is not None
    assert embedded_server.process.stdin is not None
    embedded_server.process.stdin.close()
    assert embedded_server.process.wait(120) == 0


def test_an_open_watch_does_not_keep_the_server_from_ending(
    embedded_server: EmbeddedServer,
) -> None:
    plane = embedded_server.start()
    assert embedded_server.process is not None
    kubectl = Path(sys.executable).with_name("kubectl")
    watching = subprocess.Popen(
        [str(kubectl), f"--kubeconfig={plane.kubeconfig}", "get", "namespaces", "--watch"],
        stdout=subprocess.PIPE,
        stderr=subprocess.DEVNULL,
    )
    assert watching.stdout is not None
    watching.stdout.readline()
    embedded_server.stop()  # which fails the test where it takes long: a watch goes on for ever
    watching.kill()
    watching.wait()
    watching.stdout.close()


def test_figures_are_published(embedded_server: EmbeddedServer) -> None:
    plane = embedded_server.start()
    got(plane, "/api/v1/namespaces")
    call(plane, "GET", "/api/v1/inventions")
    text = call(plane, "GET", "/metrics").text
    assert 'apiserver_requests_total{code="200",resource="namespaces",verb="list"} 1.0' in text
    assert 'apiserver_objects{resource="namespaces"} 5.0' in text
    assert "apiserver_wal_bytes" in text
    assert "inventions" not in text


def test_settings_are_read_from_the_arguments() -> None:
    read = Settings.from_argv(["--data-dir", "d", "--listen", "[::1]:0", "--lifeline"])
    assert (read.data_dir, read.host, read.port, read.lifeline) == (Path("d"), "::1", 0, True)
    assert Settings.from_argv(["--data-dir", "d"]).host == "127.0.0.1"


@pytest.mark.parametrize("listen", ["6445", "host", "host:port", "host:65536", ":1"])
def test_an_address_that_is_none_is_refused(
    listen: str, capsys: pytest.CaptureFixture[str]
) -> None:
    with pytest.raises(SystemExit):
        Settings.from_argv(["--data-dir", "d", "--listen", listen])
    assert "is not HOST:PORT" in capsys.readouterr().err
