"""The file map: every directory, file and record of the card, for each specification version.

Facts 3. The map is data: the reader, the writer, the LD/T 33 file addresses, the decoders and
the simulated card's personalisation all look here. `apdu/ssc/filespec.py` says what a file and a
record are; the tables stand in `apdu/ssc/maps/`.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace
from enum import Enum
from functools import cache
from types import MappingProxyType

from apdu.ssc.filespec import (
    UNTAGGED,
    Access,
    DfSpec,
    EfSpec,
    FileClass,
    ItemType,
    Meaning,
    RecordSpec,
    Rule,
    Structure,
    by_key,
)
from apdu.ssc.keys import KeyName
from apdu.status import UnsupportedCard

__all__ = [
    "DIRECTORIES",
    "UNTAGGED",
    "Access",
    "DfSpec",
    "EfSpec",
    "FileClass",
    "Generation",
    "ItemType",
    "Meaning",
    "RecordSpec",
    "Rule",
    "Structure",
    "file_map",
]


class Generation(Enum):
    """The three generations of the card (facts 1.4)."""

    V1 = "1.0"
    V2 = "2.0"
    V3 = "3.0"

    @classmethod
    def of(cls, version: str) -> Generation:
        """The generation that the text of tag 03 names (facts 1.4).

        Only the first three characters count, and an empty text means 1.0. Amendments (2.1) keep
        the structure of their version. Raises `UnsupportedCard` for anything else.
        """
        text = version[:3]
        if not text:
            return cls.V1
        if len(text) == 3 and text[1] == "." and text[2] in "0123456789":
            for generation in cls:
                if generation.value[0] == text[0]:
                    return generation
        raise UnsupportedCard("the card names a specification version that is not known")


def _aid(suffix: int) -> bytes:
    return bytes.fromhex("D156000005") + bytes((suffix,))


DIRECTORIES: Mapping[str, DfSpec] = MappingProxyType(
    {
        df.name: df
        for df in (
            # facts 2; V2.0, tables 1, 2 and B1. DF05 and DF06 have a label in place of an AID.
            DfSpec("SSSE", 0xDDF1, b"sx1.sh." + "社会保障".encode("gbk"), "社会保障系统环境",
                   "Social security system environment"),
            DfSpec("DF01", 0xDF01, _aid(0), "公共应用", "Public application"),
            DfSpec("DF02", 0xDF02, _aid(1), "就业与失业", "Employment"),
            DfSpec("DF03", 0xDF03, _aid(2), "社会保险 1", "Social insurance 1"),
            DfSpec("DF04", 0xDF04, _aid(3), "社会保险 2", "Social insurance 2 (medical)"),
            DfSpec("DF05", 0xDF05, "生命与健康信息区".encode("gbk"), "生命与健康", "Health"),
            DfSpec("DF06", 0xDF06, "救助与优抚信息区".encode("gbk"), "社会救助与优待抚恤",
                   "Relief and preferential treatment"),
            DfSpec("DF07", 0xDF07, _aid(4), "人事与人才", "Personnel"),
        )
    }
)  # fmt: skip
"""The directories by name."""


def file_map(version: str | Generation) -> Mapping[tuple[str, int], EfSpec]:
    """The files of a card, keyed by directory name and file identifier: ("DF01", 0xEF0A).

    `version` is the text of tag 03, or the generation. Raises `UnsupportedCard` for a version
    that is not known.
    """
    return _file_map(Generation.of(version) if isinstance(version, str) else version)


@cache
def _file_map(generation: Generation) -> Mapping[tuple[str, int], EfSpec]:
    # The tables are imported when first asked for: a command line that reads no card skips them.
    from apdu.ssc.maps import v1, v2_basic, v2_employment, v2_insurance, v2_other

    if generation is Generation.V1:
        files = v1.FILES
    else:
        files = v2_basic.FILES + v2_employment.FILES + v2_insurance.FILES + v2_other.FILES
    if generation is Generation.V3:
        files = tuple(_closed(file) if file is v2_basic.HOLDER else file for file in files)
    return MappingProxyType({(file.df, file.fid): file for file in files})


def _closed(holder: EfSpec) -> EfSpec:
    """EF06 of a 3.0 card opens only after external authentication (facts 1.4)."""
    return replace(holder, read=by_key(KeyName.RKSSSE))
