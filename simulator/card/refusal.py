"""How a command ends that the card does not carry out: a status word other than 9000."""

from __future__ import annotations

from apdu.status import StatusWord


class Refused(Exception):
    """Ends a command with `sw`. It never leaves the card: `transmit` answers with the word."""

    def __init__(self, sw: int) -> None:
        super().__init__(f"{sw:04X}")
        self.sw = sw


def wrong_length() -> Refused:
    """6700: Lc or Le is not what the command takes."""
    return Refused(StatusWord.WRONG_LENGTH)


def wrong_parameters() -> Refused:
    """6A86: P1 or P2 is not what the command takes."""
    return Refused(StatusWord.WRONG_P1_P2)


def tries_left(count: int) -> Refused:
    """63Cx: wrong, and so many tries are left."""
    return Refused(0x63C0 | count)
