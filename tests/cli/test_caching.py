"""`llmaz cache` over a real cache directory."""

import json
import os
import subprocess
import sys
from pathlib import Path

from support.snapshots import put_snapshot


def _llmaz(home: Path, *arguments: str) -> "subprocess.CompletedProcess[str]":
    return subprocess.run(
        (sys.executable, "-m", "llmaz.cli", "cache", *arguments),
        env={**os.environ, "LLMAZ_HOME": str(home), "COLUMNS": "200"},
        capture_output=True,
        text=True,
        check=False,
        timeout=120,
    )


def test_what_is_here_is_listed_pinned_and_removed(tmp_path: Path) -> None:
    snapshot = put_snapshot(tmp_path / "cache", "tiny", b"a", b"b", age=7300)
    listed = _llmaz(tmp_path, "ls")
    assert listed.stdout.split("\n")[1].split() == (
        ["acme/tiny", "hub", snapshot.name[:12], "128.0Ki", "2h", "ago"]
    )
    assert _llmaz(tmp_path, "pin", "acme/tiny").stdout == "acme/tiny is pinned\n"
    (one,) = json.loads(_llmaz(tmp_path, "ls", "-o", "json").stdout)
    assert (one["pinned"], one["bytes"]) == (True, 2**17)
    refused = _llmaz(tmp_path, "rm", "acme/tiny")
    assert (refused.returncode, refused.stderr.split("\n")[0]) == (1, "error: acme/tiny is pinned")
    assert _llmaz(tmp_path, "unpin", "acme/tiny").stdout == "acme/tiny is not pinned\n"
    assert _llmaz(tmp_path, "rm", "acme/tiny").returncode == 0
    assert list((tmp_path / "cache" / "store").rglob("??/*")) == []
    again = _llmaz(tmp_path, "rm", "acme/tiny")
    assert (again.returncode, again.stdout) == (3, "")


def test_an_empty_cache_is_said_to_be_empty(tmp_path: Path) -> None:
    answer = _llmaz(tmp_path, "ls")
    assert (answer.returncode, answer.stdout) == (0, "")
    assert answer.stderr == f"no models in {tmp_path}/cache\n"
    assert json.loads(_llmaz(tmp_path, "ls", "-o", "json").stdout) == []


def test_a_name_that_is_not_here_is_said(tmp_path: Path) -> None:
    (tmp_path / "cache").mkdir()
    answer = _llmaz(tmp_path, "rm", "acme/none")
    assert answer.returncode == 3
    assert answer.stderr == f"error: acme/none is not in the cache at {tmp_path}/cache\n"


def test_a_flipped_bit_is_found_by_verify(tmp_path: Path) -> None:
    put_snapshot(tmp_path / "cache", "tiny", b"a", b"b")
    assert _llmaz(tmp_path, "verify").stdout == "2 files, 128.0Ki: 0 wrong\n"
    stored = next((tmp_path / "cache" / "store").rglob("??/*"))
    stored.chmod(0o644)
    with stored.open("r+b") as file:
        file.write(b"\0")
    answer = _llmaz(tmp_path, "verify")
    assert (answer.returncode, answer.stdout) == (1, "2 files, 128.0Ki: 1 wrong\n")
    assert not stored.exists()


def test_what_the_cache_takes_of_the_disk_is_told(tmp_path: Path) -> None:
    put_snapshot(tmp_path / "cache", "tiny", b"a", b"b")
    sizes = json.loads(_llmaz(tmp_path, "df", "-o", "json").stdout)
    assert (sizes["models"], sizes["partial"]) == (2**17, 0)
    whole = tmp_path / "cache" / "store" / "sha256" / "00" / ("0" * 64)
    whole.parent.mkdir(exist_ok=True)
    whole.write_bytes(bytes(2**16))  # a file of a model that is not whole yet
    sizes = json.loads(_llmaz(tmp_path, "df", "-o", "json").stdout)
    assert (sizes["models"], sizes["partial"]) == (2**17, 2**16)
