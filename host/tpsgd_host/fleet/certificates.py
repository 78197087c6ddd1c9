"""Certificates with which boards know the server that they join: made once, or brought by the user."""

from __future__ import annotations

import ipaddress
import os
import socket
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta, timezone
from pathlib import Path
from typing import Any

from tpsgd_host.errors import ConfigError
from tpsgd_host.files import write_atomic
from tpsgd_host.names import listing

#: Files in the folder: of the authority that vouches for the server, the server's own, and the server's secret key.
AUTHORITY, CERTIFICATE, KEY = "ca.pem", "server.pem", "server.key"

DAYS = 1825


@dataclass(frozen=True)
class Certificates:
    """The files of a folder of certificates.

    Attributes
    ----------
    authority : Path
        Who joins needs a copy.
    certificate, key : Path
        For the server alone.
    made : bool
        Whether they are new.
    """

    authority: Path
    certificate: Path
    key: Path
    made: bool


def certificates(folder: Path, names: Sequence[str]) -> Certificates:
    """Return a folder's certificates; where it has none, make them for this computer and ``names``.

    The authority's key signs the server's certificate and is forgotten: nobody can make another certificate with it.

    Parameters
    ----------
    names : sequence of str
        Host names and addresses by which boards reach the server, besides ``localhost`` and this computer's name.

    Raises
    ------
    ConfigError
        When some of the files are missing, they cannot be written, or a name is none of a host.
    """
    found = Certificates(folder / AUTHORITY, folder / CERTIFICATE, folder / KEY, False)
    missing = [path.name for path in (found.authority, found.certificate, found.key) if not path.is_file()]
    if not missing:
        return found
    if len(missing) < 3:
        raise ConfigError(
            f"{folder} has no {missing[0]}", f"It holds {AUTHORITY}, {CERTIFICATE} and {KEY}, or none of them."
        )
    try:
        _make(folder, [*names, "localhost", "127.0.0.1", "::1", socket.gethostname()])
    except OSError as error:
        raise ConfigError(f"cannot write certificates to {folder}: {error.strerror or error}") from None
    except ValueError as error:  # of the package, for a name that no certificate can hold
        raise ConfigError(f"no certificate can name {listing(names)}: {error}", "Name hosts with --name.") from None
    return Certificates(found.authority, found.certificate, found.key, True)


def _make(folder: Path, names: Sequence[str]) -> None:
    """Write an authority's certificate, and a server's with its key."""
    from cryptography import x509  # it comes with Flower
    from cryptography.hazmat.primitives import serialization
    from cryptography.hazmat.primitives.asymmetric import ec

    authority_key, key = ec.generate_private_key(ec.SECP256R1()), ec.generate_private_key(ec.SECP256R1())
    issuer = x509.Name([x509.NameAttribute(x509.oid.NameOID.COMMON_NAME, "tpsgd fleet authority")])
    subject = x509.Name([x509.NameAttribute(x509.oid.NameOID.COMMON_NAME, "tpsgd fleet server")])
    authority = _signed(issuer, issuer, authority_key.public_key(), authority_key, None)
    server = _signed(subject, issuer, key.public_key(), authority_key, list(dict.fromkeys(names)))
    folder.mkdir(parents=True, exist_ok=True)
    pem, plain = serialization.Encoding.PEM, serialization.NoEncryption()
    secret = key.private_bytes(pem, serialization.PrivateFormat.PKCS8, plain)
    descriptor = os.open(folder / KEY, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600)
    with os.fdopen(descriptor, "wb") as file:
        file.write(secret)
    write_atomic(folder / CERTIFICATE, server.public_bytes(pem))
    write_atomic(folder / AUTHORITY, authority.public_bytes(pem))


def _signed(subject: Any, issuer: Any, public: Any, by: Any, names: Sequence[str] | None) -> Any:
    """Return a certificate: of a server with ``names``, or without names of an authority."""
    from cryptography import x509
    from cryptography.hazmat.primitives import hashes

    now, signer = datetime.now(timezone.utc), names is None
    builder = x509.CertificateBuilder(
        issuer, subject, public, x509.random_serial_number(), now - timedelta(days=1), now + timedelta(days=DAYS)
    )
    usage = x509.KeyUsage(
        digital_signature=not signer, key_cert_sign=signer, crl_sign=signer, content_commitment=False,
        key_encipherment=False, data_encipherment=False, key_agreement=False, encipher_only=False, decipher_only=False,
    )  # fmt: skip
    extensions: list[tuple[Any, bool]] = [
        (x509.BasicConstraints(ca=signer, path_length=0 if signer else None), True), (usage, True),
        (x509.SubjectKeyIdentifier.from_public_key(public), False),
        (x509.AuthorityKeyIdentifier.from_issuer_public_key(by.public_key()), False),
    ]  # fmt: skip
    if names is not None:
        extensions.append((x509.SubjectAlternativeName([_general(name) for name in names]), False))
        extensions.append((x509.ExtendedKeyUsage([x509.oid.ExtendedKeyUsageOID.SERVER_AUTH]), False))
    for extension, critical in extensions:
        builder = builder.add_extension(extension, critical)
    return builder.sign(by, hashes.SHA256())


def _general(name: str) -> Any:
    from cryptography import x509

    try:
        return x509.IPAddress(ipaddress.ip_address(name))
    except ValueError:
        return x509.DNSName(name)
