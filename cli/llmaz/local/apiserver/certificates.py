"""The server's certificate and the authority that signs it: kubectl sends tokens over TLS only."""

import ipaddress
import ssl
from datetime import UTC, datetime, timedelta
from pathlib import Path

from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.x509.oid import ExtendedKeyUsageOID, NameOID

from llmaz.local.apiserver.auth import write_secret

_YEARS = timedelta(days=3650)
_RENEW = timedelta(days=30)  # a certificate with less left is made anew at the next start
_NAMES = ("localhost", "kubernetes", "kubernetes.default", "kubernetes.default.svc")


def certified(directory: Path, host: str, now: datetime) -> ssl.SSLContext:
    """Return the TLS context for a host; missing, old or foreign certificates are made first."""
    if not _fits(directory, host, now):
        _make(directory, host, now)
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    context.minimum_version = ssl.TLSVersion.TLSv1_2
    context.set_alpn_protocols(["http/1.1"])
    context.load_cert_chain(directory / "tls.crt", directory / "tls.key")
    return context


def _fits(directory: Path, host: str, now: datetime) -> bool:
    try:
        certificate = x509.load_pem_x509_certificate((directory / "tls.crt").read_bytes())
        authority = x509.load_pem_x509_certificate((directory / "ca.crt").read_bytes())
        serialization.load_pem_private_key((directory / "tls.key").read_bytes(), None)
        certificate.verify_directly_issued_by(authority)
        alternatives = certificate.extensions.get_extension_for_class(x509.SubjectAlternativeName)
    except Exception:  # whatever is wrong with the files, new ones put it right
        return False
    return (
        _alternative(host) in alternatives.value
        and certificate.not_valid_after_utc - now > _RENEW
        and authority.not_valid_after_utc - now > _RENEW
    )


def _make(directory: Path, host: str, now: datetime) -> None:
    authority_key = ec.generate_private_key(ec.SECP256R1())
    authority_name = x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, "llmaz-ca")])
    authority = (
        _builder(authority_name, authority_name, authority_key.public_key(), now)
        .add_extension(x509.BasicConstraints(ca=True, path_length=0), critical=True)
        .sign(authority_key, hashes.SHA256())
    )
    key = ec.generate_private_key(ec.SECP256R1())
    name = x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, "llmaz-apiserver")])
    usage = x509.ExtendedKeyUsage([ExtendedKeyUsageOID.SERVER_AUTH])
    certificate = (
        _builder(name, authority_name, key.public_key(), now)
        .add_extension(x509.BasicConstraints(ca=False, path_length=None), critical=True)
        .add_extension(usage, critical=False)
        .add_extension(x509.SubjectAlternativeName(_alternatives(host)), critical=False)
        .sign(authority_key, hashes.SHA256())
    )
    # The authority's key is not kept: it signs this one certificate.
    private = key.private_bytes(
        serialization.Encoding.PEM,
        serialization.PrivateFormat.PKCS8,
        serialization.NoEncryption(),
    )
    write_secret(directory / "tls.key", private)
    write_secret(directory / "tls.crt", certificate.public_bytes(serialization.Encoding.PEM))
    write_secret(directory / "ca.crt", authority.public_bytes(serialization.Encoding.PEM))


def _builder(
    name: x509.Name, issuer: x509.Name, key: ec.EllipticCurvePublicKey, now: datetime
) -> x509.CertificateBuilder:
    return (
        x509.CertificateBuilder()
        .subject_name(name)
        .issuer_name(issuer)
        .public_key(key)
        .serial_number(x509.random_serial_number())
        .not_valid_before(now - timedelta(hours=1))
        .not_valid_after(now + _YEARS)
    )


def _alternatives(host: str) -> list[x509.GeneralName]:
    names: list[x509.GeneralName] = [x509.DNSName(name) for name in _NAMES]
    names += [x509.IPAddress(ipaddress.ip_address(text)) for text in ("127.0.0.1", "::1")]
    given = _alternative(host)
    return names if given in names else [*names, given]


def _alternative(host: str) -> x509.GeneralName:
    try:
        return x509.IPAddress(ipaddress.ip_address(host))
    except ValueError:
        return x509.DNSName(host)


def utc_now() -> datetime:
    return datetime.now(UTC)
