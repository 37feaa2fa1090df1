"""The social security card: select it, prove it genuine, read its basic data, use its PIN.

Facts 2 (selection), 3.2 (basic files), 4.4 (authentication), 7.2 (order). The least possible
commands: SELECT, one read of EF05, two for the authentication of a 3.0 card, one read of EF06.
"""

from __future__ import annotations

import hmac
from collections.abc import Mapping

from apdu.atr import historical_bytes
from apdu.channel import CardChannel
from apdu.crypto import Algorithm
from apdu.pin import Pin
from apdu.sam import CardIdentity, KeyName, SecureAccessModule
from apdu.ssc.basic import BasicData, basic_data
from apdu.ssc.files import DIRECTORIES, EfSpec, Generation, Rule, file_map
from apdu.ssc.reading import Reading, RecordReader
from apdu.ssc.values import check_card_id, read_text
from apdu.status import (
    AlgorithmNotSupported,
    CardError,
    KeyNotAvailable,
    MalformedData,
    NotACard,
    NotAuthentic,
    StatusError,
    StatusWord,
    UnsupportedCard,
    tries_left,
)
from apdu.tlv import Tlv, parse_tlvs

ENVIRONMENT = "SSSE"
HISTORICAL_LENGTH = 13

_ISSUER = (ENVIRONMENT, 0xEF05)
_HOLDER = (ENVIRONMENT, 0xEF06)
_FCI_DISCRETIONARY = (0xA5, 0x9F0C)
_FCI_ALGORITHM = 0x86


class KeyRefused(CardError):
    """The card did not accept the terminal's key (63Cx), or has locked it (6983).

    `tries_left` is what remains of the key's retry counter, None when the card does not say.
    """

    code = "CARD_KEY_REFUSED"
    zh = "卡片拒绝了本终端的授权，请联系工作人员。"
    en = "The card did not accept this terminal. Please ask the staff."
    remedy = "Do not try again with this card: its key locks. Check the security module's keys."

    def __init__(self, message: str, tries_left: int | None) -> None:
        super().__init__(message)
        self.tries_left = tries_left


class SocialSecurityCard:
    """A card whose social security environment is selected.

    `algorithm` is what its keys use, `historical` its 13 historical bytes, `card_id` its 16 bytes
    and `version` the text of its specification version ("3.00"; an empty one counts as "1.0").
    `issuer` holds what EF05 says, values by tag. `reader` reads the record files of the current
    application in the way that this card allows. Make one with `select`.
    """

    def __init__(
        self,
        channel: CardChannel,
        environment: bytes | int,
        identity: CardIdentity,
        reader: RecordReader,
        issuer: Mapping[int, bytes],
    ) -> None:
        self.channel = channel
        self.identity = identity
        self.version = read_text(issuer.get(0x03, b"")) or Generation.V1.value
        self._names: dict[str, bytes | int] = {ENVIRONMENT: environment}
        self.reader = reader
        self.issuer = issuer
        self._authentic = False
        self._authorised: frozenset[KeyName] = frozenset()

    @classmethod
    def select(
        cls, channel: CardChannel, *, reading: Reading = Reading.WHOLE_BY_SFI
    ) -> SocialSecurityCard:
        """Select the environment on the card and read who issued it (EF05).

        `reading` is how files are read at first; a card that refuses is read in the next simpler
        way. Raises `NotACard`, `ApplicationLocked`, `UnsupportedCard`, `CardIdFormat`, or an
        error of the line.
        """
        historical = historical_bytes(channel.atr)
        environment, fci = _select_environment(channel)
        if len(historical) != HISTORICAL_LENGTH:
            raise UnsupportedCard(f"{len(historical)} historical bytes instead of 13")
        reader = RecordReader(channel, reading)
        try:
            # EF05 is the same in every version, and tells which version the card is of.
            issuer = reader.read(file_map(Generation.V2)[_ISSUER])
        except StatusError as error:
            raise NotACard("the card has no issuer data to read") from error
        card_id = issuer.get(0x01, b"")
        check_card_id(card_id)
        identity = CardIdentity(_algorithm(fci, card_id), card_id, historical)
        return cls(channel, environment, identity, reader, issuer)

    @property
    def algorithm(self) -> Algorithm:
        """The algorithm of the card's keys."""
        return self.identity.algorithm

    @property
    def historical(self) -> bytes:
        """The 13 historical bytes of the answer to reset."""
        return self.identity.historical

    @property
    def card_id(self) -> bytes:
        """The card identification code, 16 bytes (facts 3.3)."""
        return self.identity.card_id

    @property
    def authentic(self) -> bool:
        """Whether the card has proved that it is genuine."""
        return self._authentic

    def enter(self, df: str) -> None:
        """Make the application `df` current; nothing happens when it is already.

        Selecting another one ends what the terminal's keys had opened. Raises `StatusError` (6A82
        on a card that has not got it) or `ApplicationLocked`.
        """
        name = self._names.get(df, DIRECTORIES[df].aid)
        if self.channel.current_df == name:
            return
        self._authorised = frozenset()
        if isinstance(name, int):
            self.channel.select_fid(name)
            return
        try:
            self.channel.select_name(name, fci=False)
        except StatusError as error:
            # Some applications have no published name; their file identifiers are certain.
            if error.sw != StatusWord.FILE_NOT_FOUND or df in self._names:
                raise
            self.channel.select_fid(DIRECTORIES[df].fid)
            self._names[df] = DIRECTORIES[df].fid

    def authenticate(self, sam: SecureAccessModule, *, key_version: int | None = None) -> None:
        """Let the card prove that it knows the issuer's IRK (facts 4.4).

        Factor and original data come from the module, so that they are new every time.
        `key_version` (1 to 3) goes to the card where it must be named. Raises `NotAuthentic`,
        `AlgorithmNotSupported`, or another error of the module.
        """
        self._require_algorithm(sam)
        self.enter(ENVIRONMENT)
        original, factor = sam.challenge(8), sam.challenge(8)
        answer = self.ask_authentication(factor, original, key_version=key_version)
        expected = sam.card_authentication(self.identity, factor, original, key_version)
        self.accept_authentication(answer, expected)

    def ask_authentication(
        self, factor: bytes, original: bytes, *, key_version: int | None = None
    ) -> bytes:
        """The card's answer to INTERNAL AUTHENTICATE, for a module that is asked later.

        Raises `NotAuthentic` when the card refuses.
        """
        self.enter(ENVIRONMENT)
        try:
            return self.channel.internal_authenticate(factor + original + _version(key_version))
        except StatusError as error:
            raise NotAuthentic("the card refused internal authentication") from error

    def accept_authentication(self, answer: bytes, expected: bytes) -> None:
        """Compare the card's answer with the module's. Raises `NotAuthentic` when they differ."""
        if not hmac.compare_digest(answer, expected):
            raise NotAuthentic("the card's answer to internal authentication is wrong")
        self._authentic = True

    def authorise(
        self,
        sam: SecureAccessModule,
        key: KeyName,
        *,
        key_version: int | None = None,
        within: str | None = None,
        number: int | None = None,
    ) -> None:
        """Prove to the card that the terminal holds `key` (facts 4.4).

        The card must have proved itself first, and is asked to when it has not: a wrong key costs
        one of the few tries before the card locks it, so a terminal whose keys do not fit must
        find out before. The proof holds until another application is selected. A key of SSSE may
        be presented `within` another application ("DF01"), to open something there. `number` is
        the key's on this card, where the issuer alone tells it. Raises `KeyRefused`,
        `KeyNotAvailable`, `AlgorithmNotSupported`, `NotAuthentic`.
        """
        _number_of(key, number)
        if not self._authentic:
            self.authenticate(sam)
        self._require_algorithm(sam)
        self.enter(within or key.spec.df)
        if key in self._authorised:
            return
        original, challenge = sam.challenge(8), self.channel.get_challenge(8)
        proof = sam.terminal_authentication(self.identity, key, challenge, original, key_version)
        self.present_key(key, proof, key_version=key_version, number=number)

    def present_key(
        self,
        key: KeyName,
        proof: bytes,
        *,
        key_version: int | None = None,
        number: int | None = None,
    ) -> None:
        """EXTERNAL AUTHENTICATE with what a module answered to the card's last challenge.

        `proof` is cryptogram 8, original data 8; the application in which the challenge was asked
        for must still be the current one. Raises `KeyRefused` or `KeyNotAvailable`.
        """
        key_id = _number_of(key, number)
        try:
            self.channel.external_authenticate(key_id, proof + _version(key_version))
        except StatusError as error:
            raise _key_error(key, error) from error
        self._authorised |= {key}

    def read_basic(self, sam: SecureAccessModule) -> BasicData:
        """Read who issued the card and whose it is (EF05 and EF06).

        A 3.0 card opens EF06 only after `authorise` with RKSSSE, which this does. Raises
        `UnsupportedCard` for a version that is not known, and what `authorise` raises.
        """
        file = file_map(self.version)[_HOLDER]
        if file.read.rule is Rule.KEY and file.read.key is not None:
            self.authorise(sam, file.read.key)
        return self.read_holder()

    def read_holder(self) -> BasicData:
        """`read_basic` for a card that has been authorised, or needs no authorisation."""
        holder = self.read_records(file_map(self.version)[_HOLDER])
        return basic_data(self.identity, {**self.issuer, **holder})

    def read_records(self, file: EfSpec, tags: tuple[int, ...] = ()) -> Mapping[int, bytes]:
        """The values of a variable file by tag, or those of `tags` alone, record by record.

        What the file's access rule asks for must have been done. Raises `StatusError` (6982 when
        it has not) or `MalformedData`.
        """
        self.enter(file.df)
        return self.reader.read_items(file, tags) if tags else self.reader.read(file)

    def pin_tries_left(self) -> int | None:
        """How many wrong PINs the card still allows; None when no PIN is set."""
        self.enter(ENVIRONMENT)
        return self.channel.verify(None)

    def verify_pin(self, pin: Pin) -> None:
        """Present the holder's PIN. Raises `PinWrong` or `PinBlocked`."""
        self.enter(ENVIRONMENT)
        self.channel.verify(pin)

    def change_pin(self, old: Pin, new: Pin) -> None:
        """Replace the PIN `old` by `new`. Raises `PinWrong` or `PinBlocked`."""
        self.enter(ENVIRONMENT)
        self.channel.change_pin(old, new)

    def _require_algorithm(self, sam: SecureAccessModule) -> None:
        if not sam.supports(self.algorithm):
            raise AlgorithmNotSupported(f"the card uses {self.algorithm.name}")


def _select_environment(channel: CardChannel) -> tuple[bytes | int, bytes]:
    """Select SSSE by its name, or by its file identifier where a card knows only that (facts 2)."""
    ssse = DIRECTORIES[ENVIRONMENT]
    try:
        return ssse.aid, channel.select_name(ssse.aid)
    except StatusError as error:
        if error.sw != StatusWord.FILE_NOT_FOUND:
            raise NotACard(f"the social security environment: {error.sw:04X}") from error
    try:
        return ssse.fid, channel.select_fid(ssse.fid)
    except StatusError as error:
        raise NotACard("there is no social security environment") from error


def _algorithm(fci: bytes, card_id: bytes) -> Algorithm:
    """The algorithm by the FCI; a card that does not say has SSF33 in Beijing, else DES (facts 2).

    Raises `UnsupportedCard` for an algorithm that is not known.
    """
    try:
        discretionary = Tlv.parse(fci, lenient=True).find(*_FCI_DISCRETIONARY)
        # Objects inside, though its tag says that there are none.
        inside = parse_tlvs(discretionary.value, lenient=True) if discretionary else ()
    except MalformedData:
        inside = ()
    named = next((item.value for item in inside if item.tag == _FCI_ALGORITHM), None)
    if named is None:
        return Algorithm.SSF33 if card_id[0] == 0x11 else Algorithm.DES
    try:
        return Algorithm(int.from_bytes(named, "big"))
    except ValueError:
        raise UnsupportedCard("the card names an algorithm that is not known") from None


def _number_of(key: KeyName, number: int | None) -> int:
    """The P2 of EXTERNAL AUTHENTICATE. Raises `KeyNotAvailable` where nobody knows it."""
    known = key.card_id if number is None else number
    if known is None:
        raise KeyNotAvailable(f"how a card addresses {key.name} is not published")
    return known


def _version(key_version: int | None) -> bytes:
    return b"" if key_version is None else bytes((key_version,))


def _key_error(key: KeyName, error: StatusError) -> CardError:
    left = tries_left(error.sw)
    if left is not None or error.sw == StatusWord.AUTHENTICATION_BLOCKED:
        return KeyRefused(f"{key.name}: {error.sw:04X}", left if left is not None else 0)
    if error.sw == StatusWord.KEY_NOT_FOUND:
        return KeyNotAvailable(f"the card has no key {key.name}")
    return error
