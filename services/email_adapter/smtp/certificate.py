"""The certificate of the port on which mail is taken: read again when its files change, as they do when it is renewed."""

from __future__ import annotations

import asyncio
import hashlib
import ssl
from pathlib import Path
from typing import Final

import structlog
from cryptography import x509

from shared.contract.errors import Misconfigured
from shared.runtime.observe import CERTIFICATE_END, CERTIFICATE_RELOADS
from shared.runtime.settings import Settings

PERIOD: Final = 10.0  # seconds between two looks at the files
log = structlog.get_logger(__name__)


class Certificate:
    """`context`: what the next connection is encrypted with; None where no certificate is set."""

    def __init__(self, settings: Settings) -> None:
        """Raises Misconfigured where the files cannot be used."""
        self._files = (settings.smtp_certificate, settings.smtp_key)
        self._seen = self._look()
        self.context = self._load() if any(self._files) else None
        self.trouble: str | None = None

    async def watch(self, period: float = PERIOD) -> None:
        """Look for changes for ever: at content, since Kubernetes swaps links under the name."""
        while self.context is not None:
            await asyncio.sleep(period)
            await self.refresh()

    async def refresh(self) -> None:
        """Look once. New files that cannot be used (yet) leave the old certificate in place."""
        seen = await asyncio.to_thread(self._look)
        if seen == self._seen and self.trouble is None:
            return
        try:
            self.context = await asyncio.to_thread(self._load)
        except Misconfigured as error:
            self._keep(error)
        else:
            self._seen, self.trouble = seen, None
            CERTIFICATE_RELOADS.labels("changed").inc()
            log.info("certificate.reloaded", file=self._files[0])

    def _keep(self, error: Misconfigured) -> None:
        """Go on with the one there was, and say once why: it may be a key that comes a moment later."""
        if error.detail != self.trouble:
            self.trouble = error.detail
            CERTIFICATE_RELOADS.labels("failed").inc()
            log.error("certificate.reload_failed", detail=error.detail, kept="the certificate read before")

    def _look(self) -> tuple[bytes, ...]:
        return tuple(_digest(Path(file)) for file in self._files if file)

    def _load(self) -> ssl.SSLContext:
        context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
        chain, key = self._files
        try:
            context.load_cert_chain(chain, key or None, password=lambda: "")  # never asked for at a terminal
        except (OSError, ssl.SSLError) as error:
            raise Misconfigured(f"PARLEY_SMTP_CERTIFICATE, PARLEY_SMTP_KEY: {error}") from error
        CERTIFICATE_END.set(_end(Path(chain)))
        return context


def _end(chain: Path) -> float:
    """When the first certificate of a chain, the port's own, ends: seconds since 1970."""
    return x509.load_pem_x509_certificates(chain.read_bytes())[0].not_valid_after_utc.timestamp()


def _digest(path: Path) -> bytes:
    """A fingerprint of the file's content; a missing file has one too."""
    try:
        return hashlib.blake2b(path.read_bytes()).digest()
    except OSError:
        return b"missing"
