"""Invented names: placeholders that nobody bears, short and long, common and rare.

A card holds a name in GBK. Names with characters that GBK lacks, such as 㐂, 䶮 or 𠮷, go onto it
in GB 18030: its bytes are GBK's wherever GBK has a character, and a two- or four-byte code where it
has none. So a reader of GBK shows the common characters, and one of GB 18030 shows them all. A code
may begin in tag 09 and end in tag 4E: whoever joins both before decoding reads it.
"""

from __future__ import annotations

from random import Random

from simulator.card.description import EXTENSION_BYTES, NAME_BYTES, Holder

HAN = "01"

_SURNAMES = (
    *"张李王赵钱孙周吴郑冯陈卫蒋沈韩杨朱秦许何吕施",
    "欧阳",
    "司马",
    "上官",
)
_GIVEN = (
    *"一二三四五六七八九十甲乙丙丁",
    "小三",
    "小四",
    "样本",
    "示例",
    "测试",
    "某某",
)
# GBK has none of these; GB 18030 codes the third in two bytes, the others in four.
_RARE = "㐂𠮷䶮㑇䢺𬱖𫖯𣲗"
_PARTS = ("样本", "示例", "测试", "某某", "买买提", "阿卜杜拉", "司马义", "卓玛", "才让")
_LATIN = ("SAMPLE EXAMPLE", "EXAMPLE ANN TEST", "O'SAMPLE-TEST, JEAN")
_MINORITIES = ("02", "03", "04", "05", "11", "17", "51")
_DOT = "·"


def draw_name(random: Random, *, extension: bool) -> tuple[str, str]:
    """A name and its ethnicity code. With `extension` it may be longer than 30 bytes, up to 50."""
    kind = random.choices(("common", "rare", "joined", "latin"), (78, 8, 10, 4))[0]
    if kind == "latin":
        return random.choice(_LATIN), "99"
    if kind == "joined":
        room = NAME_BYTES + (EXTENSION_BYTES if extension else 0)
        return _joined(random, room), random.choice(_MINORITIES)
    given = random.choice(_RARE) if kind == "rare" else random.choice(_GIVEN)
    more = random.choice(("", "", random.choice(_RARE))) if kind == "rare" else ""
    return random.choice(_SURNAMES) + given + more, HAN


def size(name: str) -> int:
    """How many bytes the name takes on a card."""
    return sum(map(len, Holder(name=name).encoded_name))


def _joined(random: Random, room: int) -> str:
    """Parts with dots between them, as many as fit, sometimes with a rare character at the end."""
    name = random.choice(_PARTS)
    for _ in range(random.randrange(1, 6)):
        part = random.choice(_PARTS)
        if random.random() < 0.2:
            part += random.choice(_RARE)
        if size(name + _DOT + part) > room:
            break
        name += _DOT + part
    return name
