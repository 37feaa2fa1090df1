"""What works on this machine and what does not: one result a probe, each with its remedy.

Pure data; the command line prints it. A probe is a function without arguments. Other parts of
the terminal add theirs with `register`; the machine is handed to the probes here as arguments,
so tests can give them another one.
"""

from __future__ import annotations

import getpass
import importlib.metadata
import os
import platform
import sys
from collections.abc import Callable, Iterable
from concurrent.futures import Future
from concurrent.futures import TimeoutError as TooLate
from dataclasses import dataclass
from enum import StrEnum
from pathlib import Path
from threading import Thread
from typing import TypeVar

from apdu.readers.pcsc import reader_states
from apdu.readers.pcsc_binding import AccessDenied, Scard, load_scard
from apdu.readers.pcsc_service import ReaderState
from apdu.status import CardError, ServiceUnavailable

T = TypeVar("T")

OLDEST_PYTHON = (3, 11)
PACKAGES = ("ssct", "cryptography", "sqlalchemy", "alembic", "httpx2", "jsonschema", "pyscard")
PCSC_SOCKET = Path("/run/pcscd/pcscd.comm")
VPCD_DRIVER = Path("/usr/lib/pcsc/drivers/serial/libifdvpcd.so")

# A service that accepts the call and never answers counts as dead after this long.
SERVICE_SECONDS = 3.0

# Where pcscd is built with polkit, it serves only users in front of the machine. A kiosk's
# service is none of them, so it needs this rule.
POLKIT_RULE_PATH = "/etc/polkit-1/rules.d/60-ssct-pcsc.rules"
POLKIT_RULE = """\
polkit.addRule(function (action, subject) {{
    var ours = ["org.debian.pcsc-lite.access_pcsc", "org.debian.pcsc-lite.access_card"];
    if (ours.indexOf(action.id) >= 0 && subject.user === "{user}") {{
        return polkit.Result.YES;
    }}
}});
"""


class Status(StrEnum):
    """How a probe ended. A warning leaves the terminal working; a failure does not."""

    OK = "ok"
    WARN = "warn"
    FAIL = "fail"


@dataclass(frozen=True, slots=True)
class ProbeResult:
    """What a probe found, and what to do about it; an `ok` needs no remedy."""

    name: str
    status: Status
    finding: str
    remedy: str = ""


Probe = Callable[[], ProbeResult]


def python_version(version: tuple[int, int, int] = sys.version_info[:3]) -> ProbeResult:
    """Whether the interpreter is new enough."""
    found = f"Python {'.'.join(map(str, version))} on {platform.platform()}"
    if version >= OLDEST_PYTHON:
        return ProbeResult("python", Status.OK, found)
    wanted = ".".join(map(str, OLDEST_PYTHON))
    return ProbeResult("python", Status.FAIL, found, f"Install Python {wanted} or newer.")


def packages(
    version_of: Callable[[str], str] = importlib.metadata.version,
    names: Iterable[str] = PACKAGES,
) -> ProbeResult:
    """The versions of the packages that matter in a bug report."""
    found, absent = [], []
    for name in names:
        try:
            found.append(f"{name} {version_of(name)}")
        except importlib.metadata.PackageNotFoundError:
            absent.append(name)
    if not absent:
        return ProbeResult("packages", Status.OK, ", ".join(found))
    finding = f"{', '.join(found) or 'none'}; not installed: {', '.join(absent)}"
    only_pcsc = absent == ["pyscard"]
    status = Status.WARN if only_pcsc else Status.FAIL
    return ProbeResult("packages", status, finding, "pip install 'ssct[pcsc]'")


def privileges(
    user: Callable[[], str] = getpass.getuser,
    uid: Callable[[], int] = os.geteuid,
    group_names: Callable[[], list[str]] | None = None,
) -> ProbeResult:
    """Who we are, as far as device files and the PC/SC service care."""
    groups = (group_names or _group_names)()
    finding = f"user {user()} (uid {uid()}), groups {', '.join(groups) or 'none'}"
    if uid() != 0:
        return ProbeResult("privileges", Status.OK, finding)
    remedy = "Fine for a try; in service, run the terminal as a user of its own."
    return ProbeResult("privileges", Status.WARN, finding, remedy)


def pyscard(load: Callable[[], Scard] = load_scard) -> ProbeResult:
    """Whether the PC/SC binding can be loaded."""
    try:
        load()
    except ServiceUnavailable as error:
        return ProbeResult("pyscard", Status.FAIL, str(error), error.remedy)
    return ProbeResult("pyscard", Status.OK, "smartcard.scard can be imported")


def pcsc_service(
    states: Callable[[], list[ReaderState]] = reader_states,
    socket_path: Callable[[], Path] | None = None,
    user: Callable[[], str] = getpass.getuser,
    seconds: float = SERVICE_SECONDS,
) -> ProbeResult:
    """Whether the PC/SC service runs, answers, and lets us in."""
    path = (socket_path or _pcsc_socket)()
    if platform.system() == "Linux" and not path.is_socket():
        remedy = "apt install pcscd, then: systemctl enable --now pcscd.socket"
        return ProbeResult("pcsc", Status.FAIL, f"no PC/SC service: {path} is missing", remedy)
    try:
        _within(seconds, states)
    except AccessDenied as error:
        rule = POLKIT_RULE.format(user=user())
        remedy = f"Put this into {POLKIT_RULE_PATH}, then try again:\n{rule}"
        return ProbeResult("pcsc", Status.FAIL, str(error), remedy)
    except TooLate:
        finding = f"the PC/SC service at {path} does not answer within {seconds:g} s"
        return ProbeResult("pcsc", Status.FAIL, finding, "systemctl restart pcscd")
    except CardError as error:
        return ProbeResult("pcsc", Status.FAIL, str(error), "systemctl restart pcscd.socket pcscd")
    return ProbeResult("pcsc", Status.OK, f"the PC/SC service at {path} answers")


def readers(
    states: Callable[[], list[ReaderState]] = reader_states, seconds: float = SERVICE_SECONDS
) -> ProbeResult:
    """Which readers the service offers, and what is in them."""
    try:
        found = _within(seconds, states)
    except (CardError, TooLate):
        remedy = "See the failures above; readers show up when they are solved."
        return ProbeResult("readers", Status.FAIL, "unknown without the PC/SC service", remedy)
    if not found:
        remedy = (
            "Plug a reader in; a USB reader needs the driver (apt install libccid). "
            "Without hardware: `ssct sim card`."
        )
        return ProbeResult("readers", Status.WARN, "no reader is connected", remedy)
    return ProbeResult("readers", Status.OK, "; ".join(map(_describe, found)))


def virtual_reader(driver: Path = VPCD_DRIVER) -> ProbeResult:
    """Whether a simulated card can be put into the real PC/SC service."""
    if driver.exists():
        return ProbeResult("virtual reader", Status.OK, f"driver {driver}")
    finding = "not installed; only simulated cards need it (apt install vsmartcard-vpcd)"
    return ProbeResult("virtual reader", Status.OK, finding)


_PROBES: list[Probe] = [
    python_version,
    packages,
    privileges,
    pyscard,
    pcsc_service,
    readers,
    virtual_reader,
]


def register(probe: Probe) -> Probe:
    """Add a probe to those that `run_probes` runs; usable as a decorator."""
    _PROBES.append(probe)
    return probe


def run_probes(probes: Iterable[Probe] | None = None) -> list[ProbeResult]:
    """Run the given probes, else all registered ones, in order. A probe that breaks has failed."""
    return [_guarded(probe) for probe in (_PROBES if probes is None else probes)]


def _guarded(probe: Probe) -> ProbeResult:
    try:
        return probe()
    except Exception as error:
        name = getattr(probe, "__name__", "probe").replace("_", " ")
        finding = f"the probe itself broke: {type(error).__name__}: {error}"
        return ProbeResult(name, Status.FAIL, finding, "Report this, with the lines around it.")


def _describe(state: ReaderState) -> str:
    if state.gone:
        content = "not answering"
    elif not state.present:
        content = "empty"
    elif not state.atr:
        content = "a card that does not answer"
    else:
        content = "card in use" if state.in_use else "card"
    return f"{state.name}: {content}"


def _pcsc_socket() -> Path:
    return Path(os.environ.get("PCSCLITE_CSOCK_NAME") or PCSC_SOCKET)


def _group_names() -> list[str]:
    import grp  # POSIX only

    names = []
    for gid in sorted({os.getegid(), *os.getgroups()}):
        try:
            names.append(grp.getgrgid(gid).gr_name)
        except KeyError:
            names.append(str(gid))
    return names


def _within(seconds: float, call: Callable[[], T]) -> T:
    """What `call` returns. Raises `TooLate` after `seconds`; the call is then left behind."""
    answer: Future[T] = Future()

    def run() -> None:
        try:
            answer.set_result(call())
        except BaseException as error:
            answer.set_exception(error)

    Thread(target=run, name="diagnose", daemon=True).start()
    return answer.result(timeout=seconds)
