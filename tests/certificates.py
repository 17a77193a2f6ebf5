"""An authority of a test's own, and a server's certificate by it, made with the openssl program."""

from __future__ import annotations

import ssl
import subprocess
from pathlib import Path


def certificate(folder: Path, name: str, *, days: int = 2) -> tuple[Path, Path, Path]:
    """The files of an authority, of a certificate for this name that is good for so many days, and of its key."""
    authority, issuer = folder / "authority.pem", folder / "authority.key"
    chain, key, asked = folder / f"{name}.pem", folder / f"{name}.key", folder / f"{name}.csr"
    fresh = ["-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:prime256v1", "-nodes"]
    _openssl("req", "-x509", *fresh, "-keyout", issuer, "-out", authority, "-subj", "/CN=tests", "-days", "2")
    _openssl("req", *fresh, "-keyout", key, "-out", asked, "-subj", f"/CN={name}")
    names = folder / "names"
    names.write_text(f"subjectAltName=DNS:{name}\n")
    _openssl("x509", "-req", "-in", asked, "-CA", authority, "-CAkey", issuer, "-CAcreateserial",
             "-out", chain, "-days", str(days), "-extfile", names)  # fmt: skip
    return authority, chain, key


def authority(folder: Path, name: str) -> tuple[ssl.SSLContext, ssl.SSLContext]:
    """What a server of this name serves with, and what a client trusts it by."""
    trusted, chain, key = certificate(folder, name)
    served = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    served.load_cert_chain(chain, key)
    return served, ssl.create_default_context(cafile=str(trusted))


def _openssl(*arguments: str | Path) -> None:
    subprocess.run(["openssl", *map(str, arguments)], check=True, capture_output=True)
