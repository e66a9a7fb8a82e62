"""TLS for the embedded Snowflake: a local certificate authority and one server certificate.

The connector and Airflow's hook cannot speak plain HTTP to a host given by ``host`` and ``port``, so the server must
speak TLS with a certificate that the client can check.
"""

from __future__ import annotations

import os
from dataclasses import dataclass
from pathlib import Path

import certifi
import trustme

HOST_NAMES = ("localhost", "127.0.0.1")


@dataclass(frozen=True)
class Certificate:
    """Where the files of one server certificate are.

    :param chain_file: server certificate, PEM
    :param key_file: its private key, PEM, mode 600
    :param ca_file: the local authority and the public ones, for ``REQUESTS_CA_BUNDLE``
    """

    chain_file: Path
    key_file: Path
    ca_file: Path


def ensure_certificate(directory: Path) -> Certificate:
    """Create the authority and the server certificate once, and reuse them afterwards.

    The bundle is rewritten on each call: public authorities change with certifi's releases.

    :param directory: created if missing
    """
    directory.mkdir(parents=True, exist_ok=True)
    authority_file = directory / "local-ca.pem"
    certificate = Certificate(directory / "server.pem", directory / "server.key", directory / "ca-bundle.pem")
    if not all(file.exists() for file in (authority_file, certificate.chain_file, certificate.key_file)):
        authority = trustme.CA(organization_name="Embedded Snowflake")
        leaf = authority.issue_cert(*HOST_NAMES)
        authority_file.write_bytes(authority.cert_pem.bytes())
        certificate.chain_file.write_bytes(b"".join(pem.bytes() for pem in leaf.cert_chain_pems))
        write_private(certificate.key_file, leaf.private_key_pem.bytes())
    # Both in one file, because a process that trusts the embedded Snowflake may also call the internet.
    certificate.ca_file.write_bytes(authority_file.read_bytes() + Path(certifi.where()).read_bytes())
    return certificate


def write_private(file: Path, content: bytes) -> None:
    """Write a file that only its owner can read, in one step: a reader sees the old content or the new."""
    draft = file.with_name(f".{file.name}.{os.getpid()}")
    descriptor = os.open(draft, os.O_WRONLY | os.O_CREAT | os.O_TRUNC, 0o600)
    with os.fdopen(descriptor, "wb") as stream:
        stream.write(content)
    draft.replace(file)
