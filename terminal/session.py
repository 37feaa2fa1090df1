"""One card presence: from the moment the reader holds a card until it is given back.

Opening takes the reader, selects the application, has the card prove itself and reads its basic
data, in the order of facts 7.2. A card that cannot prove itself is not an error here: its facts say
so, and admission decides and the audit trail records it. Everything else that goes wrong is raised
as a `CardError`, and the reader is free again before it is.
"""

from __future__ import annotations

import logging
from dataclasses import dataclass

from apdu.channel import CardChannel
from apdu.connection import Connection, Reader
from apdu.layers import stack
from apdu.sam import SecureAccessModule
from apdu.ssc.basic import BasicData, basic_data
from apdu.ssc.card import SocialSecurityCard
from apdu.ssc.files import Generation, file_map
from apdu.ssc.photo import Photo, read_photo
from apdu.status import CardError, CardRemoved, CardReset, NoAnswer, NotAuthentic
from apdu.trace import Trace
from terminal.circumstances import CardFacts

log = logging.getLogger(__name__)


@dataclass(frozen=True, slots=True)
class CardSession:
    """An open session with one card. Close it, or use it in a `with` block.

    `basic` of a card that is not authentic holds only what anybody can read of it (EF05).
    """

    card: SocialSecurityCard
    basic: BasicData
    facts: CardFacts
    _connection: Connection
    _sam: SecureAccessModule

    @classmethod
    def open(
        cls,
        reader: Reader,
        sam: SecureAccessModule,
        *,
        exclusive: bool = True,
        trace: Trace | None = None,
    ) -> CardSession:
        """Begin with the card that is in `reader`; `trace` records the exchange.

        Raises `NoCard`, `ReaderBusy`, `NotACard`, `UnsupportedCard`, `CardRemoved` and the other
        `CardError`s; then the reader is free again.
        """
        connection = reader.connect(exclusive=exclusive)
        try:
            card = SocialSecurityCard.select(CardChannel(stack(connection, trace=trace)))
            authentic = _authentic(card, sam)
            basic = card.read_basic(sam) if authentic else _issuer_only(card)
        except BaseException:
            connection.close()
            raise
        return cls(card, basic, _facts(basic, authentic=authentic), connection, sam)

    def still_here(self) -> None:
        """Have the same card prove itself again, right before something is committed.

        Raises `CardRemoved`, `CardReset` or `NotAuthentic`.
        """
        self.card.authenticate(self._sam)

    def photo(self) -> Photo | None:
        """The holder's photograph; None where the card has none that can be shown.

        Raises `CardRemoved` and the other errors of the line.
        """
        try:
            return read_photo(self.card, self._sam)
        except (CardRemoved, CardReset, NoAnswer):
            raise
        except CardError as error:  # none, not readable with this terminal's keys, or damaged
            log.info("no photograph: %s", error.code)
            return None

    def close(self) -> None:
        """Power the card off and free the reader. May be called more than once."""
        self._connection.close()

    def __enter__(self) -> CardSession:
        return self

    def __exit__(self, *_: object) -> None:
        self.close()


def _authentic(card: SocialSecurityCard, sam: SecureAccessModule) -> bool:
    try:
        card.authenticate(sam)
    except NotAuthentic:
        return False
    return True


def _issuer_only(card: SocialSecurityCard) -> BasicData:
    """What a card says of itself before it has proved anything: EF05, free in every version."""
    issuer = file_map(Generation.V2)["SSSE", 0xEF05]
    return basic_data(card.identity, card.read_records(issuer))


def _facts(basic: BasicData, *, authentic: bool) -> CardFacts:
    return CardFacts(
        authentic=authentic,
        card_id=basic.card_id.hex(),
        card_number=basic.card_number,
        version=basic.version,
        initialiser=basic.initialiser.hex(),
        region=basic.region,
        issued=basic.issued,
        expires=basic.expires,
    )
