"""The catalogue as the rules use it: service banks and service points by what names them."""

from __future__ import annotations

from collections.abc import Mapping

from backend_client.life_messages import Catalogue, ServicePoint
from simulator.backoffice.errors import Refused
from simulator.backoffice.refusals import Refusal
from simulator.backoffice.schema import Card


class Services:
    """Service banks (Article 14) and service points (Article 28) of one catalogue."""

    def __init__(self, catalogue: Catalogue) -> None:
        self.catalogue = catalogue
        self._banks: Mapping[str, str] = {bank.code: bank.name_zh for bank in catalogue.banks}

    def point(self, point_id: str) -> ServicePoint:
        """The service point of that id. Raises `Refused` POINT_UNKNOWN."""
        for point in self.catalogue.points:
            if point.point_id == point_id:
                return point
        raise Refused(Refusal.POINT_UNKNOWN)

    def check_bank(self, code: str) -> None:
        """Raise `Refused` BANK_UNKNOWN where no service bank has that code."""
        if code not in self._banks:
            raise Refused(Refusal.BANK_UNKNOWN)

    def choose_bank(self, card: Card, code: str) -> None:
        """Let a bank be the card's service bank. Raises `Refused` BANK_UNKNOWN or OTHER_BANK."""
        self.check_bank(code)
        if card.service_bank not in (None, code):
            raise Refused(Refusal.OTHER_BANK)
        card.service_bank = code

    def bank_name(self, code: str | None) -> str:
        """The name of a service bank, empty for none."""
        return self._banks.get(code or "", code or "")
