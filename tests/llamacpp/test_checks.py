import os
import socket
from pathlib import Path

import pytest

from llmaz.llamacpp.checks import StartError, check_address, check_model, spare_threads


def test_a_missing_model_is_named_with_the_reason(tmp_path: Path) -> None:
    with pytest.raises(StartError, match=r"cannot read model .*none\.gguf: No such file") as caught:
        check_model(tmp_path / "none.gguf")
    assert caught.value.exit_code == os.EX_NOINPUT


def test_a_file_that_is_no_gguf_is_refused_with_how_it_begins(tmp_path: Path) -> None:
    path = tmp_path / "page.gguf"
    path.write_text("<html>")
    with pytest.raises(StartError, match="is not a GGUF file: it begins with b'<htm'") as caught:
        check_model(path)
    assert caught.value.exit_code == os.EX_DATAERR


def test_a_directory_is_refused_with_the_models_in_it(tmp_path: Path) -> None:
    (tmp_path / "a.gguf").write_bytes(b"GGUF")
    with pytest.raises(StartError, match=r"is a directory; name one file in it: a\.gguf"):
        check_model(tmp_path)


def test_a_port_in_use_is_refused_before_a_model_is_loaded() -> None:
    with socket.create_server(("127.0.0.1", 0)) as other:
        port = other.getsockname()[1]
        with pytest.raises(StartError, match=f"127.0.0.1:{port}: address already in") as caught:
            check_address("127.0.0.1", port)
    assert caught.value.exit_code == os.EX_TEMPFAIL


def cores(system: Path, siblings: str, quota: str = "max 100000") -> Path:
    for cpu in os.sched_getaffinity(0):
        topology = system / f"devices/system/cpu/cpu{cpu}/topology"
        topology.mkdir(parents=True)
        (topology / "thread_siblings_list").write_text(siblings.format(cpu=cpu))
    (system / "fs/cgroup").mkdir(parents=True)
    (system / "fs/cgroup/cpu.max").write_text(quota)
    return system


def test_one_core_is_left_free(tmp_path: Path) -> None:
    mine = len(os.sched_getaffinity(0))
    assert spare_threads(cores(tmp_path, "{cpu}")) == max(1, mine - 1)


def test_two_threads_of_one_core_count_once(tmp_path: Path) -> None:
    assert spare_threads(cores(tmp_path, "0-127")) == 1


def test_the_control_groups_quota_bounds_the_threads(tmp_path: Path) -> None:
    assert spare_threads(cores(tmp_path, "{cpu}", quota="150000 100000")) == 1
