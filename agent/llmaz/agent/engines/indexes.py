"""Where packages come from: pip's configuration -> uv's variables. Pure.

uv reads nothing of pip's. A node whose administrator told pip of an index of the house would ask
the public one as soon as somebody installs uv there.
"""

import configparser
import re
from collections.abc import Iterable, Mapping

_SECTIONS = ("global", "install")  # the later one prevails, as in pip
_OF_UV = re.compile(
    r"UV_(DEFAULT_INDEX|INDEX(_.*)?|EXTRA_INDEX_URL|FIND_LINKS|NO_INDEX|CONFIG_FILE)"
)
# pip separates values by blanks. uv does as well, but for links.
_NAMES = {
    "index-url": ("UV_DEFAULT_INDEX", " "),
    "extra-index-url": ("UV_INDEX", " "),
    "find-links": ("UV_FIND_LINKS", ","),
    "trusted-host": ("UV_INSECURE_HOST", " "),
    "constraint": ("UV_CONSTRAINT", " "),
    "cert": ("SSL_CERT_FILE", " "),
    "no-index": ("UV_NO_INDEX", " "),
}


def pip_files(environ: Mapping[str, str]) -> tuple[str, ...]:
    """Return where pip's files are, the one that prevails last."""
    home = environ.get("HOME", "")
    given = environ.get("PIP_CONFIG_FILE", "")
    if given == "/dev/null":  # pip's way to say "none"
        return ()
    user = environ.get("XDG_CONFIG_HOME") or f"{home}/.config"
    machine = [
        f"{directory}/pip/pip.conf"
        for directory in reversed((environ.get("XDG_CONFIG_DIRS") or "/etc/xdg").split(":"))
    ]
    files = (*machine, "/etc/pip.conf", f"{home}/.pip/pip.conf", f"{user}/pip/pip.conf", given)
    return tuple(file for file in files if file)


def uv_files(environ: Mapping[str, str]) -> tuple[str, ...]:
    """Return where uv's own files are."""
    user = environ.get("XDG_CONFIG_HOME") or f"{environ.get('HOME', '')}/.config"
    return (f"{user}/uv/uv.toml", "/etc/xdg/uv/uv.toml", "/etc/uv/uv.toml")


def for_uv(environ: Mapping[str, str], pip_texts: Iterable[str]) -> dict[str, str]:
    """Return variables by which uv asks what pip would ask; none where uv has its own.

    `pip_texts` are the contents of pip's files, the one that prevails last; its variables prevail
    over all of them. pip takes the best version of any index, uv that of the first which has one.
    """
    if any(_OF_UV.fullmatch(name) for name in environ):
        return {}
    told: dict[str, str] = {}
    for text in pip_texts:
        told |= _settings(text)
    told |= {
        name: environ[variable]
        for name in _NAMES
        if (variable := "PIP_" + name.upper().replace("-", "_")) in environ
    }
    found = {
        variable: separator.join(told[name].split())
        for name, (variable, separator) in _NAMES.items()
        if told.get(name, "").strip() and variable not in environ
    }
    return found | ({"UV_INDEX_STRATEGY": "unsafe-best-match"} if "UV_INDEX" in found else {})


def _settings(text: str) -> dict[str, str]:
    parser = configparser.RawConfigParser()
    try:
        parser.read_string(text)
    except configparser.Error:  # pip itself says so when it is asked
        return {}
    return {
        name.replace("_", "-"): value
        for section in _SECTIONS
        if parser.has_section(section)
        for name, value in parser.items(section)
    }
