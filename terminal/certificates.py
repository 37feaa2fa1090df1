"""The terminal's own certificate: made at enrolment, shown to the back office, renewed in time.

The key is made here and kept in the store, sealed, together with the certificate. A new one takes
its place only when its certificate is there, and the present one stays good until it ends; so
whatever is lost on the way, the terminal has one that works.
"""

from __future__ import annotations

import logging
from collections.abc import Callable
from dataclasses import dataclass, field
from datetime import datetime
from typing import TYPE_CHECKING

from backend_client.certificate_messages import CertificateRequest, TerminalCertificate
from backend_client.client import BackendClient
from backend_client.errors import BackendError
from backend_client.identity import TlsIdentity, certificate_request, new_key
from terminal.clock import Clock
from terminal.store.identity import load_tls, save_tls
from terminal.store.store import Store

if TYPE_CHECKING:
    from cryptography.hazmat.primitives.asymmetric.ec import EllipticCurvePrivateKey

log = logging.getLogger(__name__)


@dataclass(frozen=True, slots=True)
class NewKey:
    """A key without a certificate yet, and the request for one."""

    key: EllipticCurvePrivateKey = field(repr=False)
    request: str = field(repr=False)

    def certified(self, answer: TerminalCertificate) -> TlsIdentity:
        """The key with the certificate that came for it. Raises `BadCertificate`."""
        return TlsIdentity.received(self.key, answer)


class CertificateKeeper:
    """Keeps the certificate and has it shown. `show` None: nobody asks for one."""

    def __init__(
        self,
        store: Store,
        clock: Clock,
        random: Callable[[int], bytes],
        show: Callable[[TlsIdentity], None] | None,
    ) -> None:
        self._store = store
        self._clock = clock
        self._random = random
        self._show = show
        self._others: list[Callable[[TlsIdentity], None]] = []
        self.show()

    @property
    def until(self) -> datetime | None:
        """When the certificate ends, None without one."""
        return self._identity.certificate.not_after if self._identity else None

    def new_key(self) -> NewKey | None:
        """A key to be certified, None where nobody asks for certificates."""
        if self._show is None:
            return None
        key = new_key(self._random)
        return NewKey(key, certificate_request(key))

    def show(self) -> None:
        """Show the certificate that is kept from now on.

        One that has ended is not shown: the back office then says so (CERTIFICATE_REQUIRED), where
        TLS would only break off.
        """
        self._identity = None if self._show is None else load_tls(self._store)
        if self._show is not None and self._identity is not None:
            if self._identity.is_valid(self._clock.now()):
                for show in (self._show, *self._others):
                    show(self._identity)
            else:
                log.warning("the terminal's certificate does not hold now; it is not shown")

    def show_also(self, show: Callable[[TlsIdentity], None]) -> None:
        """Show it over another connection too, now and whenever it is renewed."""
        self._others.append(show)
        self.show()

    def renew_if_due(self, client: BackendClient) -> None:
        """Get the next certificate, for a new key, when a third of the time is left.

        A back office that is away, or says no, changes nothing; the next call tries again. Raises
        `StoreError`.
        """
        now = self._clock.now()
        identity = self._identity
        if identity is None or not identity.is_valid(now) or not identity.is_renewal_due(now):
            return
        fresh = self.new_key()
        if fresh is None:
            return
        try:
            answer = client.certificates.renew(CertificateRequest(fresh.request))
            renewed = fresh.certified(answer)
        except BackendError as error:
            log.warning("the certificate was not renewed: %s", error.code)
            return
        save_tls(self._store, renewed)
        log.info("the certificate was renewed until %s", answer.not_after.isoformat())
        self.show()
