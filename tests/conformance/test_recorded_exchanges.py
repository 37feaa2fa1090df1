"""Real exchanges replayed: T1 (3.0, SM4, record by record) and T3 (2.0, whole files).

The keys of these cards are not public, so the security module answers what was recorded too.
"""

from __future__ import annotations

from dataclasses import replace
from datetime import date
from pathlib import Path

import pytest

from apdu.channel import CardChannel
from apdu.command import Command
from apdu.connection import Connection
from apdu.crypto import Algorithm
from apdu.layers import Counted, Layer, stack
from apdu.readers.replay import ReplayReader
from apdu.sam import CardIdentity, KeyName
from apdu.ssc.card import SocialSecurityCard
from apdu.ssc.files import DIRECTORIES, file_map
from apdu.ssc.reading import Reading, RecordReader
from apdu.status import NotAuthentic
from apdu.trace import parse_trace

TRACES = Path(__file__).parent / "traces"

T1_CARD_ID = bytes.fromhex("519900D15600000510000B26FFFFFFFF")
T1_HISTORICAL = bytes.fromhex("00814A444686605199000001AC")
EF05 = file_map("3.00")["SSSE", 0xEF05]
EF06 = file_map("3.00")["SSSE", 0xEF06]


class RecordedHsm:
    """The HSM of T1: it knows the recorded answers, and takes its challenges from the card."""

    terminal_number = "000000000000"

    def __init__(self, channel: CardChannel) -> None:
        self._channel = channel

    def supports(self, algorithm: Algorithm) -> bool:
        return algorithm is Algorithm.SM4

    def challenge(self, length: int) -> bytes:
        return self._channel.get_challenge(length)

    def card_authentication(
        self, card: CardIdentity, factor: bytes, original: bytes, version: int | None = None
    ) -> bytes:
        assert card == CardIdentity(Algorithm.SM4, T1_CARD_ID, T1_HISTORICAL)
        assert factor.hex().upper() == "32D9E876ADB31BBF"
        assert original.hex().upper() == "DBF7A936D0D18C9E"
        return bytes.fromhex("F4A0CF965BDCEA30")

    def terminal_authentication(
        self,
        card: CardIdentity,
        key: KeyName,
        challenge: bytes,
        original: bytes,
        version: int | None = None,
    ) -> bytes:
        assert card.region == "519900"
        proofs = {
            (KeyName.RKSSSE, "98B4D293D091C331"): "774A08EDF447A1DE",
            (KeyName.PUK, "E4A30F837E2CAFEC"): "50C45431554CBADC",
        }
        return bytes.fromhex(proofs[key, challenge.hex().upper()]) + original


class WithoutLe(Layer):
    """T=0 as it was recorded: a command with data goes out without its Le (ISO 7816-3)."""

    def transmit(self, command: bytes) -> bytes:
        parsed = Command.parse(command)
        return self._transmit(bytes(replace(parsed, le=None)) if parsed.data else command)


def _connect(name: str, *, ordered: bool) -> Connection:
    trace = parse_trace((TRACES / name).read_text())
    return ReplayReader(trace, ordered=ordered).connect()


def test_t1_replays_command_by_command_in_the_recorded_order() -> None:
    connection = _connect("t1.trace", ordered=True)
    channel = CardChannel(stack(WithoutLe(connection)))
    name = DIRECTORIES["SSSE"].aid

    channel.select_name(name)
    reader = RecordReader(channel, Reading.BY_RECORD)
    issuer = reader.read_items(EF05, (0x01, 0x03, 0x07))
    identity = CardIdentity(Algorithm.SM4, issuer[0x01], T1_HISTORICAL)
    card = SocialSecurityCard(channel, name, identity, reader, issuer)
    channel.forget()  # the recorded program selected the environment again
    hsm = RecordedHsm(channel)
    card.authenticate(hsm)
    card.authorise(hsm, KeyName.RKSSSE)
    assert card.read_records(EF05, (0x03,)) == {0x03: b"3.00"}
    holder = card.read_records(EF06, (0x08, 0x09, 0x4E))
    card.authorise(hsm, KeyName.PUK)

    assert card.version == "3.00"
    assert issuer[0x07] == b"HA1046924"
    assert holder[0x08] == b"111111198101011110"
    assert holder[0x09].rstrip(b"\x00").decode("gbk") == "张三"
    assert holder[0x4E] == bytes(20)
    # What is left is the end of the PIN reload, which needs the message key.
    assert getattr(connection, "remaining") == 2  # noqa: B009  # not part of the protocol


def test_t1_read_through_the_ordinary_calls() -> None:
    channel = CardChannel(stack(_connect("t1.trace", ordered=False)))
    card = SocialSecurityCard.select(channel)
    assert (card.algorithm, card.version) == (Algorithm.SM4, "3.00")
    assert (card.card_id, card.historical) == (T1_CARD_ID, T1_HISTORICAL)
    hsm = RecordedHsm(channel)
    card.authenticate(hsm)

    basic = card.read_basic(hsm)
    assert basic.region == "519900"
    assert basic.card_number == "HA1046924"
    assert basic.ssn == "111111198101011110"
    assert basic.name == "张三"
    assert basic.version == "3.00"
    # The trace does not hold the other items.
    assert (basic.issued, basic.sex, basic.initialiser) == (None, "", b"")


def test_t1_with_another_answer_from_the_card_is_not_authentic() -> None:
    text = (TRACES / "t1.trace").read_text().replace("F4A0CF965BDCEA30", "F4A0CF965BDCEA31")
    connection = ReplayReader(parse_trace(text), ordered=False).connect()
    channel = CardChannel(stack(connection))
    card = SocialSecurityCard.select(channel)
    with pytest.raises(NotAuthentic):
        card.authenticate(RecordedHsm(channel))
    assert not card.authentic


@pytest.mark.parametrize("reading", [Reading.WHOLE_BY_SFI, Reading.WHOLE])
def test_t3_read_through_the_ordinary_calls(reading: Reading) -> None:
    connection = Counted(_connect("t3.trace", ordered=False))
    channel = CardChannel(stack(connection))
    card = SocialSecurityCard.select(channel, reading=reading)
    basic = card.read_basic(RecordedHsm(channel))

    assert card.algorithm is Algorithm.DES  # no 86 in the FCI, region 51
    assert card.card_id.hex().upper() == "511300D156000005A21472423DB8F248"
    assert basic.region == "511300"
    assert basic.card_class == "3"
    assert basic.version == "2.0"  # "2.0\0" on the card
    assert basic.initialiser.hex().upper() == "9156000002511300511300DB"
    assert (basic.issued, basic.expires) == (date(2014, 6, 1), date(2024, 6, 1))
    assert basic.card_number == "A21472424"
    assert basic.ssn == "111111198101011110"
    assert basic.name == "张三"
    assert basic.sex == "2"
    # Items that were never personalised.
    assert (basic.ethnicity, basic.birthplace, basic.birth_date) == ("", "", None)
    assert basic.warnings == ("07: wrong check character",)
    # SELECT; the file by its short identifier, which the trace lacks; then SELECT and READ, each
    # SELECT in two forms, for EF05 and EF06.
    refused = 1 if reading is Reading.WHOLE_BY_SFI else 0
    assert connection.commands == 1 + refused + 2 * (2 + 1)
