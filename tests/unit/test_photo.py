"""The photograph: what is read of it, what it is, and what it is not (facts 3.2)."""

from __future__ import annotations

from dataclasses import replace
from random import Random

import pytest
from hypothesis import given
from hypothesis import strategies as st

from apdu.channel import CardChannel
from apdu.layers import Counted, stack
from apdu.readers.inprocess import InProcessReader
from apdu.sam import SoftwareSam
from apdu.ssc.binary import Progress, ReadingStopped
from apdu.ssc.card import SocialSecurityCard
from apdu.ssc.photo import (
    NoPhoto,
    Photo,
    PhotoFormat,
    UnknownPhotoFormat,
    image_end,
    read_photo,
    recognise,
)
from apdu.status import NotAuthentic, StatusError
from simulator.card.card import Protocol, SimulatedCard
from simulator.card.profile import load_profile


def segment(mark: int, body: bytes) -> bytes:
    return bytes((0xFF, mark)) + (len(body) + 2).to_bytes(2, "big") + body


PREVIEW = b"\xff\xd8" + segment(0xDB, bytes(65)) + b"\xff\xd9"
SCAN = bytes(range(200)) + b"\xff\x00" + b"\xff\xd3" + bytes(900)
JPEG = (
    b"\xff\xd8"
    + segment(0xE0, b"JFIF\x00" + PREVIEW)
    + segment(0xDA, bytes(10))
    + SCAN
    + segment(0xDA, bytes(10))  # a second scan, as progressive images have
    + b"\x12\xff\xff\xd9"  # a fill byte before the end
)
BMP = b"BM" + (54 + 1200).to_bytes(4, "little") + bytes(48) + b"\xff" * 1200


def card(
    photo: bytes, name: str = "adult-3.0", protocol: Protocol = "T0"
) -> tuple[SocialSecurityCard, SoftwareSam, Counted]:
    profile = load_profile(name)
    profile = replace(profile, files={**profile.files, "SSSEEF08": {"hex": photo.hex().upper()}})
    random = Random(5).randbytes
    line = Counted(
        InProcessReader("test", SimulatedCard(profile, random=random, protocol=protocol)).connect()
    )
    channel = CardChannel(stack(line))
    return SocialSecurityCard.select(channel), SoftwareSam.development(random), line


def read(photo: bytes, *, progress: Progress = lambda _done, _total: True) -> Photo:
    chip, sam, _ = card(photo)
    return read_photo(chip, sam, progress=progress)


@pytest.mark.parametrize("protocol", ["T0", "T1", "TCL"])
@pytest.mark.parametrize("name", ["adult-2.0", "adult-3.0"])
@pytest.mark.parametrize(
    ("image", "form"), [(JPEG, PhotoFormat.JPEG), (BMP, PhotoFormat.BMP)], ids=["jpeg", "bmp"]
)
def test_an_image_comes_without_its_filler(
    image: bytes, form: PhotoFormat, name: str, protocol: Protocol
) -> None:
    chip, sam, _ = card(image, name, protocol)
    assert read_photo(chip, sam) == Photo(form, image)


def test_only_as_much_is_read_as_the_image_takes() -> None:
    chip, sam, line = card(BMP)
    chip.authenticate(sam)
    before = line.commands
    read_photo(chip, sam)
    # GET CHALLENGE, EXTERNAL AUTHENTICATE, and 1254 bytes in chunks of 255
    assert line.commands == before + 2 + 5


def test_a_picture_as_large_as_the_file() -> None:
    full = b"BM" + (4096).to_bytes(4, "little") + bytes(4090)
    assert read(full).data == full


def test_progress_is_told_and_ends_at_the_total() -> None:
    told: list[tuple[int, int]] = []

    def progress(done: int, total: int) -> bool:
        told.append((done, total))
        return True

    read(BMP, progress=progress)
    assert told == [(255, 1254), (510, 1254), (765, 1254), (1020, 1254), (1254, 1254)]


def test_reading_can_be_stopped() -> None:
    told: list[int] = []

    def progress(done: int, _total: int) -> bool:
        told.append(done)
        return len(told) < 2

    with pytest.raises(ReadingStopped):
        read(JPEG, progress=progress)
    assert told == [255, 510]


@pytest.mark.parametrize("filler", [b"", b"\x00" * 4096, b"\xff" * 4096])
def test_an_empty_file_is_no_photo_and_is_not_read_to_its_end(filler: bytes) -> None:
    chip, sam, line = card(filler)
    chip.authenticate(sam)
    before = line.commands
    with pytest.raises(NoPhoto):
        read_photo(chip, sam)
    assert line.commands == before + 2 + 1


@pytest.mark.parametrize(
    "content",
    [
        b"GIF89a" + bytes(100),
        b"\x89PNG\r\n",
        b"BM" + (5000).to_bytes(4, "little") + bytes(90),  # larger than the file
        b"BM" + (10).to_bytes(4, "little") + bytes(90),
        JPEG[:-2],
        b"\xff\xd8\xff\xe0\x00\x01" + bytes(90),
        b"\xff\xd8\xff",
    ],
)
def test_anything_else_is_a_typed_error(content: bytes) -> None:
    with pytest.raises(UnknownPhotoFormat):
        read(content.ljust(4096, b"\x00"))


def test_a_version_without_a_photograph() -> None:
    chip = SimulatedCard(load_profile("adult-1.0"), random=Random(1).randbytes)
    channel = CardChannel(stack(InProcessReader("test", chip).connect()))
    with pytest.raises(NoPhoto):
        read_photo(SocialSecurityCard.select(channel), SoftwareSam.development(Random(1).randbytes))


def test_a_forged_card_shows_none() -> None:
    chip, sam, _ = card(JPEG, "forged")
    with pytest.raises(NotAuthentic):
        read_photo(chip, sam)


def test_the_card_keeps_it_closed_without_the_key() -> None:
    chip, _, _ = card(JPEG)
    with pytest.raises(StatusError) as refused:
        chip.channel.read_binary(0, 10, sfi=8)
    assert refused.value.sw == 0x6982


def test_nothing_of_it_shows_in_a_repr() -> None:
    assert repr(Photo(PhotoFormat.BMP, BMP)) == "Photo(format=<PhotoFormat.BMP: 'image/bmp'>)"


@given(st.binary(max_size=400), st.sampled_from([b"", b"BM", b"\xff\xd8\xff", JPEG[:150]]))
def test_any_bytes_make_an_image_or_a_typed_error(noise: bytes, start: bytes) -> None:
    content = start + noise
    end = image_end(content)
    assert end is None or end > 0
    try:
        photo = recognise(content)
    except (NoPhoto, UnknownPhotoFormat):
        return
    assert content.startswith(photo.data)
