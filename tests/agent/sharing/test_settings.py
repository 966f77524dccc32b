"""What the sharing process is told at its start."""

from pathlib import Path

from llmaz.agent.sharing.settings import SharingSettings, from_argv, to_argv
from llmaz.agent.sharing.tls import TlsFiles


def test_a_command_line_says_all_settings() -> None:
    settings = SharingSettings(
        node_name="n",
        listen_host="127.0.0.1",
        listen_port=0,
        cache_dir=Path("/cache"),
        token_file=Path("/token"),
        tls=TlsFiles(certificate="/c", key="/k", authority="/a"),
        mirror_fetch="any",
        state_dir=Path("/state"),
        cache_quota=7,
        plain_http=("hub.example", "other:80"),
    )
    assert from_argv(to_argv(settings)) == settings
