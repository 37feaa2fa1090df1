"""Renewing the terminal's certificate at the back office."""

from __future__ import annotations

from backend_client.calls import Calls
from backend_client.certificate_messages import CertificateRequest, TerminalCertificate


class CertificateClient:
    """Raises what `BackendClient` raises."""

    def __init__(self, calls: Calls) -> None:
        self._calls = calls

    def renew(self, request: CertificateRequest) -> TerminalCertificate:
        """The next certificate, for the key of the request. Sent once; the present one stays good.

        So a lost answer costs nothing: the terminal asks again with its next synchronisation.
        """
        return self._calls.change("/v1/certificates", request, TerminalCertificate)
