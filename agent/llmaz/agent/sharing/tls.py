"""TLS between nodes: each shows a certificate of one authority, and is believed by that alone.

The files are read again when they change: certificates are renewed while nodes go on.
"""

import ssl
from dataclasses import dataclass
from typing import Self

from llmaz.agent.sharing.renewed import Renewed


@dataclass(frozen=True, slots=True, kw_only=True)
class TlsFiles:
    """The files that make peers speak TLS, each of them proving itself to the other."""

    certificate: str
    key: str
    authority: str  # who signed the certificates of all nodes

    @property
    def all(self) -> tuple[str, ...]:
        return (self.certificate, self.key, self.authority)


class RenewedContext(ssl.SSLContext):
    """Answers each connection with what the files hold when it begins.

    A context can be given another certificate, but no authority can be taken from it, nor the
    sessions that it has promised to take up again. So each change makes a new one.
    """

    def __new__(cls, files: TlsFiles) -> Self:  # noqa: ARG004  # ssl wants a protocol here
        return super().__new__(cls, ssl.PROTOCOL_TLS_SERVER)

    def __init__(self, files: TlsFiles) -> None:
        self._current = Renewed(files.all, lambda: server_context(files))

    def wrap_bio(
        self,
        incoming: ssl.MemoryBIO,
        outgoing: ssl.MemoryBIO,
        server_side: bool = False,
        server_hostname: str | bytes | None = None,
        session: ssl.SSLSession | None = None,
    ) -> ssl.SSLObject:
        """Begin a connection, as an event loop asks for it."""
        current = self._current.get()
        return current.wrap_bio(incoming, outgoing, server_side, server_hostname, session)


def server_context(files: TlsFiles) -> ssl.SSLContext:
    """Return how peers are answered. Clients on the node itself may come without a certificate."""
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    context.minimum_version = ssl.TLSVersion.TLSv1_3
    context.load_cert_chain(files.certificate, files.key)
    context.load_verify_locations(files.authority)
    context.verify_mode = ssl.CERT_OPTIONAL
    return context


def client_context(files: TlsFiles) -> ssl.SSLContext:
    """Return how peers are asked. Nodes are known by their authority, not by changing addresses."""
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT)
    context.minimum_version = ssl.TLSVersion.TLSv1_3
    context.check_hostname = False
    context.load_cert_chain(files.certificate, files.key)
    context.load_verify_locations(files.authority)
    return context
