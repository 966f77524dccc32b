"""Small wheels, built in a test, so that installers have something to install."""

import io
import tarfile
import textwrap
import zipfile
from pathlib import Path

_PROGRAM = "def main():\n    print('{name} {version} runs')\n"


def wheel(folder: Path, name: str, version: str = "1.0") -> None:
    """Write a wheel with one module and a program of the same name."""
    folder.mkdir(exist_ok=True)
    about = f"{name}-{version}.dist-info"
    files = {
        f"{name}.py": _PROGRAM.format(name=name, version=version),
        f"{about}/METADATA": f"Metadata-Version: 2.1\nName: {name}\nVersion: {version}\n",
        f"{about}/WHEEL": "Wheel-Version: 1.0\nRoot-Is-Purelib: true\nTag: py3-none-any\n",
        f"{about}/entry_points.txt": f"[console_scripts]\n{name} = {name}:main\n",
    }
    files[f"{about}/RECORD"] = "".join(f"{path},,\n" for path in (*files, f"{about}/RECORD"))
    with zipfile.ZipFile(folder / f"{name}-{version}-py3-none-any.whl", "w") as archive:
        for path, text in files.items():
            archive.writestr(path, text)


def source(folder: Path, name: str, building: str) -> None:
    """Write a source archive whose build runs a text of Python, as a compiler would run."""
    folder.mkdir(exist_ok=True)
    project = f'[project]\nname = "{name}"\nversion = "1.0"\n'
    system = '[build-system]\nrequires = []\nbuild-backend = "backend"\nbackend-path = ["."]\n'
    hook = f"def build_wheel(*_, **__):\n{textwrap.indent(building, '    ')}\n"
    files = {
        "pyproject.toml": project + system,
        "backend.py": hook,
        "PKG-INFO": f"Metadata-Version: 2.2\nName: {name}\nVersion: 1.0\n",
    }
    with tarfile.open(folder / f"{name}-1.0.tar.gz", "w:gz") as archive:
        for path, text in files.items():
            member = tarfile.TarInfo(f"{name}-1.0/{path}")
            member.size = len(text.encode())
            archive.addfile(member, io.BytesIO(text.encode()))
