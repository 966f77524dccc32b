"""TLS between nodes: each shows a certificate of one authority, and is believed by that alone."""

import ssl
from dataclasses import dataclass


@dataclass(frozen=True, slots=True, kw_only=True)
class TlsFiles:
    """The files that make peers speak TLS, each of them proving itself to the other."""

    certificate: str
    key: str
    authority: str  # who signed the certificates of all nodes


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
