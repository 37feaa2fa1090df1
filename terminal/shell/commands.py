"""The shell's commands: one function each, a line of words in, lines of text out.

Personal values are masked unless the shell was told otherwise. No command takes a PIN as a word:
`verify` asks for it, unseen, so that it is in no history.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass
from types import MappingProxyType
from typing import ClassVar

from apdu.command import Command
from apdu.pin import Pin
from apdu.ssc.annotation import annotated, shown, tlv_lines
from apdu.ssc.decode import labelled
from apdu.ssc.file_content import FileContent, cyclic_content, transparent_content, variable_content
from apdu.ssc.file_reader import FileReader
from apdu.ssc.files import DIRECTORIES, EfSpec, Generation, Structure, file_map
from apdu.ssc.keys import KeyName
from apdu.status import MalformedData, describe
from apdu.tlv import parse_records, parse_tlvs
from apdu.trace import PIN_INSTRUCTIONS
from terminal.errors import ConfigurationError
from terminal.mask import mask
from terminal.shell.bench import Bench

Lines = Iterator[str]


class ShellUsage(ConfigurationError):
    """A line that is no command of the shell. The message says what is wrong with it."""

    code: ClassVar[str] = "SHELL_USAGE"
    zh: ClassVar[str] = "命令有误。"
    en: ClassVar[str] = "This is not a command of the shell."
    remedy: ClassVar[str] = "Type: help"


@dataclass(slots=True)
class Shell:
    """The bench, how a PIN is asked for, how long to wait for a card, what may be shown."""

    bench: Bench
    ask_pin: Callable[[], Pin]
    wait: float
    show_personal: bool = False
    ended: bool = False
    refused: bool = False

    def personal(self, value: str) -> str:
        """A personal value as it may be shown here."""
        return value if self.show_personal else mask(value)


def execute(shell: Shell, line: str) -> Lines:
    """Carry out one line. Raises `ShellUsage`, and what the command raises."""
    words = line.split()
    if not words or words[0].startswith("#"):
        return
    entry = COMMANDS.get(words[0].lower())
    if entry is None:
        raise ShellUsage(f"no command {words[0]!r}")
    least, most = entry.words
    if not least <= len(words) - 1 <= most:
        raise ShellUsage(f"{words[0]} {entry.form}".rstrip())
    yield from entry.run(shell, words[1:])


def _help(_shell: Shell, _words: list[str]) -> Lines:
    for name, entry in COMMANDS.items():
        yield f"{name + ' ' + entry.form:<28} {entry.help}"


def _open(shell: Shell, _words: list[str]) -> Lines:
    refused = shell.bench.open(shell.wait)
    if refused is not None:
        shell.ended = shell.refused = True
        return
    yield from _info(shell, [])


def _info(shell: Shell, _words: list[str]) -> Lines:
    bench = shell.bench
    yield f"ATR          {shell.personal(bench.channel.atr.hex().upper())}"
    session = bench.session
    if session is None:
        return
    card, basic = session.card, session.basic
    yield f"version      {card.version}, {card.algorithm.name}"
    yield f"card id      {shell.personal(card.card_id.hex().upper())}"
    yield f"card number  {shell.personal(basic.card_number)}"
    yield f"holder       {shell.personal(basic.name)}"
    yield f"authentic    {'yes' if session.facts.authentic else 'NO'}"
    yield f"PIN          {'verified' if bench.pin_verified else 'not verified'}"


def _files(shell: Shell, words: list[str]) -> Lines:
    wanted = words[0].upper() if words else ""
    if wanted and wanted not in DIRECTORIES:
        raise ShellUsage(f"no directory {words[0]}; there are {', '.join(DIRECTORIES)}")
    for file in _map(shell).values():
        if wanted in ("", file.df):
            access = f"read {file.read}, write {file.write}"
            yield f"{file.address}  {file.name_zh} {file.name_en}  [{access}]"


def _select(shell: Shell, words: list[str]) -> Lines:
    where = words[0].upper()
    channel = shell.bench.channel
    if where in DIRECTORIES:
        shell.bench.card.enter(where)
        yield f"{where} {DIRECTORIES[where].name_zh} {DIRECTORIES[where].name_en}"
        return
    file = _known(shell, where)
    if file is not None:
        shell.bench.card.enter(file.df)
        channel.select_fid(file.fid)
        yield f"{file.address} {file.name_zh} {file.name_en}"
        return
    name = _hex(where)
    if not 2 <= len(name) <= 16:
        raise ShellUsage("a directory (DF01), a file (DF01EF06), an identifier or a name in hex")
    answer = (
        channel.select_fid(int.from_bytes(name, "big"))
        if len(name) == 2
        else channel.select_name(name)
    )
    yield from _tree(answer) if answer else iter(("selected",))


def _read(shell: Shell, words: list[str]) -> Lines:
    file = _known(shell, words[0].upper()) if words else _current(shell)
    if file is None:
        raise ShellUsage(f"no file {words[0]}; see: files" if words else "select a file first")
    bench = shell.bench
    # Beyond the file map, too: what stands on this card, asked of it each time.
    sam, verified = bench.terminal.sam, bench.pin_verified
    reader = FileReader(bench.card, sam, pin_verified=verified, beyond=True)
    yield from _content(shell, reader.read(file), {word.upper() for word in words[1:]})


def _tries(shell: Shell, _words: list[str]) -> Lines:
    left = shell.bench.card.pin_tries_left()
    yield "the card wants no PIN" if left is None else f"{left} tries left"


def _verify(shell: Shell, _words: list[str]) -> Lines:
    with shell.ask_pin() as pin:
        shell.bench.verify(pin)
    yield "the PIN is right"


def _authenticate(shell: Shell, words: list[str]) -> Lines:
    card, sam = shell.bench.card, shell.bench.terminal.sam
    if not words:
        card.authenticate(sam)
        yield "the card is genuine"
        return
    key = KeyName.__members__.get(words[0].upper())
    if key is None:
        raise ShellUsage(f"no key {words[0]}; there are {', '.join(KeyName.__members__)}")
    card.authorise(sam, key)
    yield f"the card accepted {key.name} ({key.spec.purpose}) in {key.spec.df}"


def _decode(shell: Shell, words: list[str]) -> Lines:
    if len(words) == 1:
        yield from _tree(_hex(words[0]))
        return
    file = _known(shell, words[0].upper())
    if file is None:
        raise ShellUsage(f"no file {words[0]}; see: files")
    yield from _content(shell, _from_bytes(file, _hex(words[1])), set())


def _apdu(shell: Shell, words: list[str]) -> Lines:
    raw = _hex("".join(words))
    command = Command.parse(raw)
    if command.ins in PIN_INSTRUCTIONS and command.data:
        raise ShellUsage("a PIN is not typed where it can be seen; use: verify")
    response = shell.bench.channel.send(command, "a command by hand")
    if response.data:
        yield shell.personal(response.data.hex().upper())
    yield describe(response.sw)


def _meaning(_shell: Shell, words: list[str]) -> Lines:
    raw = _hex(words[0])
    if len(raw) != 2:
        raise ShellUsage("a status word is four hex digits")
    yield describe(int.from_bytes(raw, "big"))


def _reset(shell: Shell, _words: list[str]) -> Lines:
    yield f"ATR          {shell.personal(shell.bench.reset().hex().upper())}"


def _trace(shell: Shell, _words: list[str]) -> Lines:
    yield from annotated(shell.bench.trace, mask, in_full=shell.show_personal)


def _quit(shell: Shell, _words: list[str]) -> Lines:
    shell.ended = True
    yield from ()


@dataclass(frozen=True, slots=True)
class Entry:
    """One command: what it does, its form and help, and how few and how many words it takes."""

    run: Callable[[Shell, list[str]], Lines]
    form: str
    help: str
    words: tuple[int, int] = (0, 0)


COMMANDS: Mapping[str, Entry] = MappingProxyType(
    {
        "open": Entry(_open, "", "begin with the card in the reader, waiting for one"),
        "info": Entry(_info, "", "what is known of the card"),
        "files": Entry(
            _files, "[DF]", "the files of this card's version, with access rules", (0, 1)
        ),
        "select": Entry(
            _select, "WHERE", "DF04, DF04EF06, or an identifier or name in hex", (1, 1)
        ),
        "read": Entry(_read, "[FILE [TAG ...]]", "read a file, or items of it, decoded", (0, 64)),
        "tries": Entry(_tries, "", "how many wrong PINs the card still allows"),
        "verify": Entry(_verify, "", "present the PIN, which is asked for and not shown"),
        "authenticate": Entry(
            _authenticate, "[KEY]", "have the card prove itself; or prove KEY to it", (0, 1)
        ),
        "decode": Entry(_decode, "[FILE] HEX", "bytes as BER-TLV, or as FILE's content", (1, 2)),
        "apdu": Entry(_apdu, "HEX ...", "send one command as it is", (1, 64)),
        "sw": Entry(_meaning, "HEX", "what a status word means", (1, 1)),
        "reset": Entry(_reset, "", "reset the card"),
        "trace": Entry(_trace, "", "what was said to the card so far, in words"),
        "help": Entry(_help, "", "this list"),
        "quit": Entry(_quit, "", "leave"),
    }
)
"""The commands by name."""


def completions(words: list[str], version: str) -> list[str]:
    """What may stand in the place of the last of `words` on a card of `version`."""
    begun = words[-1] if words else ""
    if len(words) <= 1:
        known = list(COMMANDS)
    elif words[0] == "authenticate":
        known = [key.name for key in KeyName]
    elif words[0] in ("read", "decode", "select", "files") and len(words) == 2:
        files = [] if words[0] == "files" else [file.address for file in file_map(version).values()]
        known = files if words[0] in ("read", "decode") else [*DIRECTORIES, *files]
    else:
        known = []
    return [word for word in known if word.lower().startswith(begun.lower())]


def may_be_remembered(line: str) -> bool:
    """Whether a line may go into the history: none that could hold a PIN."""
    words = line.split()
    if not words or words[0].lower() not in COMMANDS or words[0].lower() == "decode":
        return False
    if words[0].lower() != "apdu":
        return words[0].lower() != "verify" or len(words) == 1
    digits = "".join(words[1:])
    try:
        return int(digits[2:4], 16) not in PIN_INSTRUCTIONS
    except ValueError:
        return False


def _map(shell: Shell) -> Mapping[tuple[str, int], EfSpec]:
    session = shell.bench.session
    return file_map(session.card.version if session else Generation.V3)


def _known(shell: Shell, address: str) -> EfSpec | None:
    return next((file for file in _map(shell).values() if file.address == address), None)


def _current(shell: Shell) -> EfSpec | None:
    channel = shell.bench.channel
    for file in _map(shell).values():
        directory = DIRECTORIES[file.df]
        if channel.current_df in (directory.aid, directory.fid) and channel.current_ef == file.fid:
            return file
    return None


def _hex(text: str) -> bytes:
    try:
        raw = bytes.fromhex(text)
    except ValueError:
        raise ShellUsage("these are not bytes in hex") from None
    if not 0 < len(raw) <= 0xFFFF:
        raise ShellUsage("too few or too many bytes")
    return raw


def _tree(data: bytes) -> Lines:
    try:
        tree = parse_tlvs(data, lenient=True)
    except MalformedData as error:
        yield f"no BER-TLV: {error}"
        return
    yield from tlv_lines(tree)


def _from_bytes(file: EfSpec, data: bytes) -> FileContent:
    """What `data` would be as the content of `file`. Raises `MalformedData`."""
    if file.structure is Structure.VARIABLE:
        return variable_content(file, parse_records(data, lenient=True))
    if file.structure is Structure.TRANSPARENT:
        return transparent_content(file, data)
    size = file.record_length
    if len(data) % size:
        raise MalformedData(f"rows of {file.address} have {size} bytes")
    return cyclic_content(file, [data[at : at + size] for at in range(0, len(data), size)])


def _content(shell: Shell, content: FileContent, tags: set[str]) -> Lines:
    rows = labelled(content)
    if tags and (missing := tags - {row.place.upper() for row in rows}):
        raise ShellUsage(f"no item {', '.join(sorted(missing))} in {content.file.address}")
    for row in rows:
        if not tags or row.place.upper() in tags:
            hide = None if shell.show_personal else mask
            yield f"{row.place:<7} {row.name.zh} {row.name.en}: {shown(content.file, row, hide)}"
    if not rows:
        yield "the file is empty"
    for warning in content.warnings:
        yield f"! {warning}"
