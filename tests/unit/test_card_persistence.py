"""A simulated card that keeps its state in a file, whatever happens to the process."""

import json
import os
import signal
import subprocess
import sys
from dataclasses import replace
from pathlib import Path
from random import Random
from typing import ClassVar

import pytest

from apdu.channel import CardChannel
from apdu.crypto import Load
from apdu.layers import stack
from apdu.pin import Pin
from apdu.readers.inprocess import Chip, InProcessReader
from apdu.sam import CardIdentity, SoftwareSam
from apdu.ssc.card import SocialSecurityCard
from apdu.ssc.keys import KeyName
from apdu.status import CardRemoved, PinWrong
from simulator import commands
from simulator.card.persistence import (
    CardStateDamaged,
    CardStateInUse,
    CardStateOfAnother,
    CardStateUnavailable,
    PersistentCard,
)
from simulator.card.profile import CardProfile, load_profile
from terminal.cli import main
from terminal.commands.opening import open_reader
from terminal.exit_codes import ExitCode
from terminal.settings import ReaderSettings

SELECT_SSSE = bytes.fromhex("00A404000F7378312E73682EC9E7BBE1B1A3D5CF")
ADULT = load_profile("adult-3.0")


def card_in(file: Path, profile: CardProfile = ADULT) -> PersistentCard:
    return PersistentCard(profile, file, random=Random(1).randbytes)


def opened(chip: PersistentCard) -> SocialSecurityCard:
    connection = stack(InProcessReader("slot", chip).connect())
    return SocialSecurityCard.select(CardChannel(connection))


def say(chip: PersistentCard, *commands: str) -> str:
    """Power the card, select SSSE, send the commands; the last answer."""
    chip.power_on()
    chip.transmit(SELECT_SSSE)
    answer = b""
    for command in commands:
        answer = chip.transmit(bytes.fromhex(command))
    return answer.hex().upper()


def load(chip: PersistentCard, fen: int) -> None:
    """Load the medical account, as the back office's HSM allows it."""
    card = ADULT.card
    identity = CardIdentity(card.algorithm, card.card_id, card.historical)
    terminal = bytes.fromhex("990100000001")
    begin = f"B02800010B01{fen:08X}{terminal.hex()}"
    verify = "0020000003" + (ADULT.pin.value if ADULT.pin else "")
    say(chip, "00A4000002DF04", verify, begin)
    answer = chip.transmit(bytes.fromhex("00C0000010"))
    balance, sequence, random = answer[:4], answer[4:6], answer[8:12]
    sam = SoftwareSam.development(Random(2).randbytes)
    time = bytes.fromhex("20260310090000")
    wanted = Load(int.from_bytes(balance, "big"), fen, terminal, time)
    fields = fen.to_bytes(4, "big") + wanted.kind + terminal + time
    mac2 = sam.message_mac(identity, KeyName.DLK, random + sequence + b"\x80\x00", fields)
    assert chip.transmit(bytes.fromhex("B02A00000B") + time + mac2)[0] == 0x61


def balance(chip: PersistentCard, pin: str = "246810") -> int:
    answer = say(chip, "00A4000002DF04", "0020000003" + pin, "B026000104")
    assert answer.endswith("9000")
    return int(answer[:8], 16)


def test_a_changed_pin_and_a_loaded_balance_are_there_in_the_next_run(tmp_path: Path) -> None:
    file = tmp_path / "card.state"
    chip = card_in(file)
    load(chip, 1234)
    chip.close()
    chip = card_in(file)
    assert balance(chip) == ADULT.medical_account.balance_fen + 1234
    opened(chip).change_pin(Pin("246810"), Pin("135791"))
    chip.close()
    chip = card_in(file)
    with pytest.raises(PinWrong):
        opened(chip).verify_pin(Pin("246810"))
    opened(chip).verify_pin(Pin("135791"))
    assert balance(chip, "135791") == ADULT.medical_account.balance_fen + 1234
    chip.close()


def test_a_wrong_pin_stays_counted(tmp_path: Path) -> None:
    for left in (2, 1, 0):
        chip = card_in(tmp_path / "card.state")
        assert say(chip, "0020000003999999") == f"63C{left}"
        chip.close()
    chip = card_in(tmp_path / "card.state")
    assert say(chip, "0020000003246810") == "6983"
    chip.close()


def test_what_is_only_read_is_not_saved_again(tmp_path: Path) -> None:
    file = tmp_path / "card.state"
    chip = card_in(file)
    before = file.stat().st_ino
    say(chip, "00B2010540")
    chip.power_off()
    assert file.stat().st_ino == before
    assert say(chip, "0020000003999999") == "63C2"
    assert file.stat().st_ino != before
    chip.close()


def test_the_state_survives_contact_and_contactless_use(tmp_path: Path) -> None:
    chip = PersistentCard(ADULT, tmp_path / "s", random=Random(1).randbytes, protocol="T0")
    say(chip, "0020000003999999")
    chip.close()
    chip = PersistentCard(ADULT, tmp_path / "s", random=Random(1).randbytes, protocol="TCL")
    assert say(chip, "0020000003999999") == "63C1"
    chip.close()


def test_a_torn_write_is_the_old_state_for_the_next_run(tmp_path: Path) -> None:
    file = tmp_path / "card.state"
    chip = card_in(file)
    say(chip)
    chip.memory.tear_after(9)  # the backup is valid, the counter not yet written
    with pytest.raises(CardRemoved):
        chip.transmit(bytes.fromhex("0020000003999999"))
    chip.close()
    chip = card_in(file)
    assert say(chip, "0020000000") == "63C3"
    chip.close()


def test_a_torn_write_is_undone_and_saved_by_the_same_process(tmp_path: Path) -> None:
    file = tmp_path / "card.state"
    chip = card_in(file)
    for writes in range(40):
        chip.memory.tear_after(writes)
        try:
            chip.power_on()
            chip.transmit(SELECT_SSSE)
            chip.transmit(bytes.fromhex("0020000003999999"))
        except CardRemoved:
            chip.power_on()
        left = say(chip, "0020000000")
        chip.close()
        chip = card_in(file)
        assert say(chip, "0020000000") == left
        say(chip, "0020000003246810")
    chip.close()


STEPS = ["open", "write", "fsync", "replace", "directory"]
CHILD = """
import os, signal, sys
from pathlib import Path
from random import Random
from simulator.card import state_file
from simulator.card.persistence import PersistentCard
from simulator.card.profile import load_profile

def die(*_, **__):
    os.kill(os.getpid(), signal.SIGKILL)

chip = PersistentCard(load_profile("adult-3.0"), Path(sys.argv[1]), random=Random(1).randbytes)
chip.power_on()
chip.transmit(bytes.fromhex("00A404000F7378312E73682EC9E7BBE1B1A3D5CF"))
match sys.argv[2]:
    case "open":
        state_file.os.open = die
    case "write":
        state_file.os.fdopen = die
    case "fsync":
        state_file.os.fsync = die
    case "replace":
        Path.replace = die
    case "directory":
        state_file._sync_directory = die
chip.transmit(bytes.fromhex("805E010007" "246810" "FF" "135791"))
print("answered")
"""


@pytest.mark.parametrize("step", STEPS)
def test_a_process_killed_while_saving_leaves_the_old_state_or_the_new(
    tmp_path: Path, step: str
) -> None:
    file = tmp_path / "card.state"
    done = subprocess.run(
        [sys.executable, "-c", CHILD, str(file), step], capture_output=True, check=False
    )
    assert done.returncode == -signal.SIGKILL
    assert done.stdout == b""
    chip = card_in(file)
    new = step == "directory"
    assert say(chip, "0020000003135791") == ("9000" if new else "63C2")
    assert say(chip, "0020000003246810") == ("63C2" if new else "9000")
    chip.close()


def test_a_disk_that_fails_stops_the_card_before_it_answers(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    file = tmp_path / "card.state"
    chip = card_in(file)
    say(chip)

    def full(_: int) -> None:
        raise OSError(28, "No space left on device")

    with monkeypatch.context() as patch:
        patch.setattr(os, "fsync", full)
        with pytest.raises(CardRemoved, match="No space left"):
            chip.transmit(bytes.fromhex("0020000003246811"))
        with pytest.raises(CardRemoved):
            chip.transmit(bytes.fromhex("0020000000"))
    assert sorted(entry.name for entry in tmp_path.iterdir()) == [".card.state.lock", "card.state"]
    assert say(chip, "0020000000") == "63C2"
    chip.close()
    chip = card_in(file)
    assert say(chip, "0020000000") == "63C2"
    chip.close()


def test_one_card_is_in_one_place(tmp_path: Path) -> None:
    file = tmp_path / "card.state"
    chip = card_in(file)
    with pytest.raises(CardStateInUse, match=r"card\.state"):
        card_in(file)
    chip.close()
    card_in(file).close()


def test_only_the_owner_may_read_the_file(tmp_path: Path) -> None:
    file = tmp_path / "card.state"
    card_in(file).close()
    assert file.stat().st_mode & 0o077 == 0


def other_profiles() -> list[CardProfile]:
    card = ADULT.card
    return [
        load_profile("adult-2.0"),
        replace(ADULT, holder=replace(ADULT.holder, name="李四")),
        replace(ADULT, keys="wrong"),
        replace(ADULT, keys={"IRK": bytes(16)}),
        replace(ADULT, card=replace(card, key_versions=1)),
        replace(ADULT, card=replace(card, historical=card.historical[::-1])),
    ]


@pytest.mark.parametrize("profile", other_profiles())
def test_the_state_of_another_card_is_refused(tmp_path: Path, profile: CardProfile) -> None:
    file = tmp_path / "card.state"
    card_in(file).close()
    before = file.read_bytes()
    with pytest.raises(CardStateOfAnother, match=r"card\.state"):
        card_in(file, profile)
    assert file.read_bytes() == before
    card_in(file).close()  # and the refused one has let the file go


def test_a_title_does_not_make_another_card(tmp_path: Path) -> None:
    card_in(tmp_path / "s").close()
    card_in(tmp_path / "s", replace(ADULT, title_en="renamed", backoffice=None)).close()


def spoiled(document: dict[str, object], field: str, value: object) -> str:
    return json.dumps({**document, field: value})


@pytest.mark.parametrize(
    "how",
    ["empty", "cut", "binary", "list", "format", "checksum", "odd", "number", "short", "long"],
)
def test_a_damaged_file_is_refused_and_kept(tmp_path: Path, how: str) -> None:
    file = tmp_path / "card.state"
    card_in(file).close()
    text = file.read_text()
    document = json.loads(text)
    memory = document["memory"]
    file.write_bytes(
        {
            "empty": b"",
            "cut": text[: len(text) // 2].encode(),
            "binary": os.urandom(64),
            "list": b"[]",
            "format": spoiled(document, "format", "something else").encode(),
            "checksum": spoiled(document, "memory", "A5" + memory[2:]).encode(),
            "odd": spoiled(document, "memory", memory[:-1]).encode(),
            "number": spoiled(document, "memory", 5).encode(),
            "short": spoiled(document, "memory", memory[:-2]).encode(),
            "long": b" " * (1 << 20) + text.encode(),
        }[how]
    )
    before = file.read_bytes()
    with pytest.raises(CardStateDamaged, match=r"card\.state"):
        card_in(file)
    assert file.read_bytes() == before


def test_a_place_that_cannot_hold_a_file(tmp_path: Path) -> None:
    with pytest.raises(CardStateUnavailable):
        card_in(tmp_path / "missing" / "card.state")
    with pytest.raises(CardStateUnavailable):
        card_in(tmp_path)


# The command line.


def test_a_reader_of_the_command_line_keeps_the_state(tmp_path: Path) -> None:
    file = tmp_path / "card.state"
    chip = card_in(file)
    say(chip, "0020000003999999")
    chip.close()
    settings = ReaderSettings("", 0, exclusive=True)
    reader = open_reader(f"sim:adult-3.0@{file}", settings)
    assert reader.name == f"sim:adult-3.0@{file}"
    connection = reader.connect()
    card = SocialSecurityCard.select(CardChannel(stack(connection)))
    assert card.pin_tries_left() == 2
    with pytest.raises(CardStateInUse):
        open_reader(f"sim:adult-3.0@{file}", settings)


def test_the_command_line_says_what_is_wrong_with_a_state_file(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setenv("XDG_STATE_HOME", str(tmp_path / "data"))
    monkeypatch.setenv("HOME", str(tmp_path))
    monkeypatch.delenv("SSCT_CONFIG", raising=False)
    file = tmp_path / "card.state"
    card_in(file).close()
    assert main(["read", "--reader", f"sim:adult-2.0@{file}"]) == ExitCode.USAGE
    assert "CARD_STATE_OF_ANOTHER" in capsys.readouterr().err


class Slot:
    """Stands where the virtual reader would, and keeps what was inserted."""

    inserted: ClassVar[list[Chip]] = []

    def __init__(self, *_: object) -> None:
        pass

    def __enter__(self) -> "Slot":
        return self

    def __exit__(self, *_: object) -> None:
        pass

    def insert(self, chip: Chip) -> None:
        """Mistype the PIN once; then the holder presses Ctrl-C."""
        self.inserted.append(chip)
        chip.power_on()
        chip.transmit(SELECT_SSSE)
        chip.transmit(bytes.fromhex("0020000003999999"))
        raise KeyboardInterrupt

    def remove(self) -> None:
        """Nothing stays in it."""


def test_the_served_card_keeps_its_state(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(commands, "VirtualReader", Slot)
    monkeypatch.setenv("HOME", str(tmp_path))
    file = tmp_path / "card.state"
    arguments = ["sim", "card", "adult-3.0", "--state", str(file)]
    assert main(arguments) == ExitCode.INTERRUPTED
    served = Slot.inserted.pop()
    assert isinstance(served, PersistentCard)
    served.close()
    chip = card_in(file)
    assert say(chip, "0020000000") == "63C2"
    chip.close()
