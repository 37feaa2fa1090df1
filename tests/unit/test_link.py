"""The model of the line: characters and blocks counted by hand (ISO/IEC 7816-3, 14443-4)."""

from __future__ import annotations

import pytest

from apdu.layers import stack
from apdu.link import (
    CARRIER,
    FRAME_DELAY,
    LINKS,
    ContactlessLink,
    ContactLink,
    Exchange,
    Link,
    Measured,
    milliseconds,
)

READ_64 = Exchange(0, 64, has_le=True)


@pytest.mark.parametrize(
    ("command", "answer", "exchange", "size"),
    [
        ("00B2012D40", "AA" * 64 + "9000", Exchange(0, 64, has_le=True), 71),
        ("00A40000023F00", "6114", Exchange(2, 0, has_le=False), 9),
        ("0088000010" + "00" * 16 + "00", "11" * 8 + "9000", Exchange(16, 8, has_le=True), 32),
        ("00200000", "63C3", Exchange(0, 0, has_le=False), 6),
        ("00200000", "", Exchange(0, 0, has_le=False), 6),
    ],
)
def test_lengths_of_an_exchange(command: str, answer: str, exchange: Exchange, size: int) -> None:
    made = Exchange.of(bytes.fromhex(command), bytes.fromhex(answer))
    assert made == exchange
    assert made.size == size


def test_a_read_over_contacts() -> None:
    # 5 header, INS, 64 data, SW1 SW2: 72 characters of 12 etu; two turns of 4 etu
    etu = 72 * 12 + 2 * 4
    assert milliseconds([READ_64], ContactLink(9600)) == pytest.approx(1000 * etu / 9600)
    assert ContactLink(115200).seconds(READ_64) == pytest.approx(etu / 115200)


def test_a_command_with_data_over_contacts() -> None:
    # 5 header, INS, 16 data, SW1 SW2: 24 characters; the line turns four times
    exchange = Exchange(16, 0, has_le=False)
    assert ContactLink(9600).seconds(exchange) == pytest.approx((24 * 12 + 4 * 4) / 9600)


def test_a_refusal_takes_header_and_status_word() -> None:
    assert ContactLink(9600).seconds(Exchange(0, 0, has_le=True)) == pytest.approx(
        (7 * 12 + 2 * 4) / 9600
    )


def test_an_answer_to_data_comes_by_get_response() -> None:
    link = ContactLink(9600)
    whole = Exchange(16, 8, has_le=True)
    parts = [Exchange(16, 0, has_le=False), Exchange(0, 8, has_le=True)]
    assert milliseconds([whole], link) == pytest.approx(milliseconds(parts, link))


def test_a_read_over_the_air() -> None:
    # 5 + 3 bytes out, 66 + 3 back, nine bits each, two bits around each frame
    bits = (8 + 69) * 9 + 2 * 2
    expected = bits * 128 / CARRIER + 2 * FRAME_DELAY
    assert ContactlessLink().seconds(READ_64) == pytest.approx(expected)
    assert ContactlessLink(8).seconds(READ_64) == pytest.approx(
        bits * 16 / CARRIER + 2 * FRAME_DELAY
    )


def test_a_long_answer_over_the_air_is_chained() -> None:
    # 258 bytes do not fit 253: two blocks, and an acknowledgement between them
    bits = (8 + (253 + 3) + 3 + (5 + 3)) * 9 + 4 * 2
    expected = bits * 128 / CARRIER + 4 * FRAME_DELAY
    assert ContactlessLink().seconds(Exchange(0, 256, has_le=True)) == pytest.approx(expected)


def test_the_links_have_names_and_get_faster() -> None:
    assert [link.name for link in LINKS] == [
        "T=0 9600",
        "T=0 19200",
        "T=0 38400",
        "T=0 57600",
        "T=0 115200",
        "T=CL 106",
        "T=CL 212",
        "T=CL 424",
        "T=CL 848",
    ]
    contact, air = LINKS[:5], LINKS[5:]
    for links in (contact, air):
        assert list(links) == sorted(links, key=_time, reverse=True)


def _time(link: Link) -> float:
    return link.seconds(READ_64)


class Card:
    atr = b"\x3b\x00"

    def transmit(self, command: bytes) -> bytes:
        return b"\x61\x02" if command[1] == 0xA4 else b"\xaa\xbb\x90\x00"

    def reset(self) -> bytes:
        return self.atr

    def close(self) -> None:
        pass


def test_exchanges_are_noted_as_they_are_on_the_line() -> None:
    line = Measured(Card())
    stack(line).transmit(bytes.fromhex("00A40000023F00"))
    assert line.exchanges == [Exchange(2, 0, has_le=False), Exchange(0, 2, has_le=True)]
