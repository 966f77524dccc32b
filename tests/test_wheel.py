"""The wheel carries what `llmaz up` applies."""

import subprocess
import sys
import zipfile
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[1]


@pytest.mark.timeout(300)
def test_it_has_the_crds_and_the_runtimes(tmp_path: Path) -> None:
    subprocess.run(
        [sys.executable, "-m", "hatchling", "build", "-t", "wheel", "-d", str(tmp_path)],
        cwd=ROOT,
        check=True,
        capture_output=True,
    )
    (wheel,) = tmp_path.glob("*.whl")
    carried = set(zipfile.ZipFile(wheel).namelist())
    for folder in ("crds", "runtimes"):
        for path in (ROOT / "charts" / "llmaz" / folder).glob("*.yaml"):
            assert f"llmaz/local/manifests/{folder}/{path.name}" in carried
