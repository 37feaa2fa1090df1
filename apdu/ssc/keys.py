"""The keys of the card: what each is for, and how card, PSAM and HSM address it.

Facts 4.2 (global keys), 3.5 (keys of the application files) and appendix A (HSM addresses). One
row a key; nothing here is secret.
"""

from __future__ import annotations

from dataclasses import dataclass
from enum import Enum

from apdu.crypto import Algorithm


@dataclass(frozen=True, slots=True)
class KeySpec:
    """One key of the national key table.

    `df` is where the card keeps it, `card_id` the P2 of EXTERNAL AUTHENTICATE (None where it is
    not published, or where the key authenticates nothing). `psam_use` and `psam_id` select it in a
    PSAM (facts 4.5), `hsm` is its logical address for key group 01. `short` marks the message
    keys, which are single-DES keys on a DES card. `versions` counts the key groups.
    """

    df: str
    card_id: int | None
    psam_use: int | None
    psam_id: int | None
    hsm: int | None
    purpose: str
    short: bool = False
    versions: int = 3


def _key(
    df: str, card_id: int | None, psam: str, hsm: int | None, purpose: str, *, versions: int = 3
) -> KeySpec:
    use, _, number = psam.partition("/")
    return KeySpec(
        df,
        card_id,
        int(use, 16) if use else None,
        int(number, 16) if number else None,
        hsm,
        purpose,
        versions=versions,
    )


def _message_key(df: str, card_id: int | None, psam: str, hsm: int) -> KeySpec:
    use, _, number = psam.partition("/")
    purpose = f"encipher and authenticate commands in {df}"
    psam_use = int(use, 16) if use else None
    return KeySpec(df, card_id, psam_use, int(number, 16), hsm, purpose, short=True, versions=1)


class KeyName(Enum):
    """The keys by their names in the specification; the value is the key's `KeySpec`.

    `psam` below is "use/id" in hexadecimal, as published; a part that is not published is left
    out.
    """

    # facts 4.2
    IRK = _key("SSSE", 0x00, "67/08", 0x0170, "internal authentication")
    STK = _message_key("SSSE", 0x02, "26/09", 0x0173)
    UKSSSE = _key("SSSE", 0x04, "48/12", 0x0094, "write SSSE")
    BK = _key("SSSE", 0x05, "/11", 0x0091, "authorise blocking the card", versions=1)
    PUK = _key("SSSE", 0x06, "48/10", 0x0090, "authorise PIN unblock and reload", versions=1)
    RKSSSE = _key("SSSE", 0x0A, "67/0A", 0x004C, "read EF06 (3.0), EF07, EF08")
    STKDF01 = _message_key("DF01", 0x82, "26/20", 0x0174)
    STKDF02 = _message_key("DF02", 0x82, "26/21", 0x0185)
    STKDF03 = _message_key("DF03", 0x82, "26/22", 0x0186)
    STKDF04 = _message_key("DF04", 0x82, "26/23", 0x0175)
    STKDF05 = _message_key("DF05", None, "/B3", 0x008C)
    STKDF07 = _message_key("DF07", None, "/3C", 0x0079)
    LKDF03 = _key("DF03", 0x83, "/40", 0x0092, "authorise blocking DF03", versions=1)
    LKDF04 = _key("DF04", 0x83, "/41", 0x0093, "authorise blocking DF04", versions=1)
    DPK = _key("DF04", None, "22/01", 0x017F, "purchase, key index 1")
    DPK2 = _key("DF04", None, "22/02", 0x0199, "purchase, key index 2")
    DPK3 = _key("DF04", None, "22/03", 0x019C, "purchase, key index 3")
    DLK = _key("DF04", None, "/4B", 0x00B2, "load")
    DTK = _key("DF04", None, "/4C", 0x00B5, "transaction cryptogram")
    DSK = _key("DF04", None, "/4A", 0x00AF, "set the start of the payment year")

    # facts 3.5
    RK1DF01 = _key("DF01", 0x88, "67/2E", 0x004F, "read DF01")
    UK1DF01 = _key("DF01", 0x83, "48/42", 0x0097, "write DF01 EF05")
    UK2DF01 = _key("DF01", 0x84, "48/43", 0x009A, "write DF01 EF07, EF09")
    UK3DF01 = _key("DF01", 0x85, "47/24", 0x0176, "write DF01 EF08")
    UK4DF01 = _key("DF01", 0x86, "47/25", 0x0179, "write DF01 EF06")
    UK5DF01 = _key("DF01", 0x87, "48/44", 0x009D, "write DF01 EF0A")
    UK6DF01 = _key("DF01", 0x89, "47/2F", 0x0052, "write DF01 EF15")
    UK7DF01 = _key("DF01", None, "/30", 0x0055, "write DF01 EF16")
    UK8DF01 = _key("DF01", None, "/31", 0x0058, "write DF01 EF17")
    UK9DF01 = _key("DF01", None, "/32", 0x005B, "write DF01 EF18")
    UKADF01 = _key("DF01", None, "/33", 0x005E, "write DF01 EF19")
    UKBDF01 = _key("DF01", None, "/34", 0x0061, "write DF01 EF1A")
    RK1DF02 = _key("DF02", 0x88, "67/35", 0x0064, "read DF02")
    UK1DF02 = _key("DF02", 0x83, "47/26", 0x0187, "write DF02 EF05")
    UK2DF02 = _key("DF02", 0x84, "48/45", 0x00A0, "write DF02 EF06")
    UK3DF02 = _key("DF02", 0x85, "48/46", 0x00A3, "write DF02 EF07")
    UK4DF02 = _key("DF02", 0x86, "47/27", 0x018A, "write DF02 EF09")
    UK5DF02 = _key("DF02", 0x87, "47/28", 0x018D, "write DF02 EF15")
    UK6DF02 = _key("DF02", 0x89, "47/36", 0x0067, "write DF02 EF16")
    RK1DF03 = _key("DF03", 0x84, "67/2B", 0x0193, "read DF03 except EF05")
    RK2DF03 = _key("DF03", 0x85, "67/2C", 0x0196, "read DF03 EF05")
    UK1DF03 = _key("DF03", 0x86, "48/47", 0x00A6, "write DF03 EF05")
    UK2DF03 = _key("DF03", 0x87, "47/29", 0x0190, "write DF03 EF06")
    UK3DF03 = _key("DF03", 0x88, "48/48", 0x00A9, "write DF03 EF07")
    UK4DF03 = _key("DF03", 0x89, "47/37", 0x006A, "write DF03 EF15")
    UK5DF03 = _key("DF03", 0x8A, "47/38", 0x006D, "write DF03 EF16")
    UK6DF03 = _key("DF03", 0x8B, "47/39", 0x0070, "write DF03 EF17")
    UK7DF03 = _key("DF03", 0x8C, "47/3A", 0x0073, "write DF03 EF18")
    UK8DF03 = _key("DF03", 0x8D, "47/3B", 0x0076, "write DF03 EF19")
    RK1DF04 = _key("DF04", 0x84, "67/2D", 0x0182, "read DF04")
    UK1DF04 = _key("DF04", 0x85, "48/49", 0x00AC, "write DF04 EF05")
    UK2DF04 = _key("DF04", 0x86, "47/2A", 0x017C, "write DF04 EF06, EF15")
    UK1DF05 = _key("DF05", None, "/B4", 0x008D, "write DF05")
    RK1DF06 = _key("DF06", None, "", None, "read DF06")
    UK1DF06 = _key("DF06", None, "", None, "write DF06 EF05")
    UK2DF06 = _key("DF06", None, "", None, "write DF06 EF06")
    RK1DF07 = _key("DF07", None, "/3D", 0x007A, "read DF07 EF05")
    RK2DF07 = _key("DF07", None, "/3F", 0x0080, "read DF07 EF06")
    RK3DF07 = _key("DF07", None, "/B1", 0x0086, "read DF07 EF07")
    UK1DF07 = _key("DF07", None, "/3E", 0x007D, "write DF07 EF05")
    UK2DF07 = _key("DF07", None, "/B0", 0x0083, "write DF07 EF06")
    UK3DF07 = _key("DF07", None, "/B2", 0x0089, "write DF07 EF07")

    @property
    def spec(self) -> KeySpec:
        """How card, PSAM and HSM address the key."""
        spec: KeySpec = self.value
        return spec

    @property
    def card_id(self) -> int | None:
        """The P2 of EXTERNAL AUTHENTICATE, or None where it is not published."""
        return self.spec.card_id

    def length(self, algorithm: Algorithm) -> int:
        """The key's length in bytes on a card of `algorithm`: 16, or 8 for a DES message key."""
        return algorithm.block_size if self.spec.short else 16
