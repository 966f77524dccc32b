"""A port for programs that must be told one."""

import socket


def free_port() -> int:
    """Return a port that nobody has at this moment."""
    with socket.socket() as listener:
        listener.bind(("127.0.0.1", 0))
        return int(listener.getsockname()[1])
