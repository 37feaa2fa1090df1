"""A private pcscd with virtual reader slots, for tests and demonstrations.

The daemon of the system is left alone: one that other programs rely on cannot be killed to see
what happens, its only virtual slots may be taken, and it may not run at all. Instead a second
pcscd is started as systemd would start it, with a listening socket that it inherits, so the
socket may be anywhere; libpcsclite finds it through PCSCLITE_CSOCK_NAME. Where the kernel allows
(as root, or with user namespaces) the daemon sees an empty /run, so that it neither touches the
process file of the system's daemon nor takes USB readers from it. Without that it must be root.
A daemon that can be told not to ask polkit (2.0 and later) is told so.

libpcsclite reads PCSCLITE_CSOCK_NAME once, at a process's first PC/SC call. A process that wants
to see the private service calls `reserve_socket` (or makes a `PrivatePcscd`) before that call;
child processes inherit the variable.
"""

from __future__ import annotations

import atexit
import functools
import os
import shutil
import signal
import socket
import subprocess
import tempfile
import threading
from pathlib import Path
from types import TracebackType

from apdu.readers.pcsc import list_readers
from apdu.status import CardError, ServiceUnavailable
from simulator.gempc_twin import DRIVER as TWIN_DRIVER

READER_NAME = "SSCT virtual reader"
VPCD_DRIVER = Path("/usr/lib/pcsc/drivers/serial/libifdvpcd.so")

# The driver offers this many slots, on consecutive ports.
SLOTS = 2

# What a private service offers instead when it is given a serial line.
TWIN_NAME = "SSCT serial reader"

_START_SECONDS = 15.0
_STOP_SECONDS = 5.0
_LOOK_SECONDS = 0.05

# The inherited socket comes as standard input and moves to descriptor 3, as sd_listen_fds(3) wants
# it; LISTEN_PID is the daemon's own process, which the shell becomes.
_START = 'LISTEN_PID=$$ LISTEN_FDS=1 exec "$@" 3<&0 </dev/null'
_START_ISOLATED = f"mount -t tmpfs tmpfs /run && {_START}"

_CONFIGURATION = """\
FRIENDLYNAME "{name}"
DEVICENAME /dev/null:{port:#x}
LIBPATH {driver}
CHANNELID {port:#x}
"""


_TWIN_CONFIGURATION = """\
FRIENDLYNAME "{name}"
DEVICENAME {device}:GemPCTwin
LIBPATH {driver}
"""


class PcscdUnavailable(ServiceUnavailable):
    """A private pcscd cannot be started here, or did not come up."""

    code = "PRIVATE_PCSCD_UNAVAILABLE"
    remedy = (
        "apt install pcscd vsmartcard-vpcd libpcsclite-dev swig gcc pkg-config python3-dev, "
        "pip install 'ssct[pcsc]'; run as root where user namespaces are not allowed."
    )


@functools.cache
def reserve_socket() -> Path:
    """The path of this process's private service; from now on libpcsclite looks for it there."""
    directory = tempfile.mkdtemp(prefix="ssct-pcscd-")
    atexit.register(shutil.rmtree, directory, ignore_errors=True)
    path = Path(directory) / "pcscd.comm"
    os.environ["PCSCLITE_CSOCK_NAME"] = str(path)
    return path


def missing(*, twin: bool = False) -> str | None:
    """What a private pcscd lacks on this machine, in one sentence; None when nothing.

    `twin`: for a serial reader in place of the virtual ones.
    """
    if _pcscd() is None:
        return "pcscd is not installed (apt install pcscd)"
    if not twin and not VPCD_DRIVER.exists():
        return "the virtual reader driver is not installed (apt install vsmartcard-vpcd)"
    if twin and not TWIN_DRIVER.exists():
        return "the serial reader driver is not installed (apt install libccid)"
    try:
        import smartcard.scard  # noqa: F401  only whether it is there
    except ImportError as error:
        return f"pyscard cannot be imported: {error} (pip install 'ssct[pcsc]')"
    if not _isolation() and os.geteuid() != 0:
        return "user namespaces are not allowed, and this is not root"
    return None


class PrivatePcscd:
    """The service as a context manager: two slots, on the ports `ports`, with the names `readers`.

    With `twin`, a serial line, it has one reader instead: the GemPC Twin on that line, which
    must be up before the service starts.

    `kill` ends it as a crash would, and `start` brings it back with the same names and ports.
    Only the process that was started here is ever ended; when this process dies, the daemon goes
    with it. (The kernel ties the two to the starting *thread*: start it from one that lives on.)
    """

    def __init__(self, *, twin: Path | None = None) -> None:
        self._twin = twin
        self.ports = [] if twin else _free_ports(SLOTS)
        self.readers: list[str] = []
        self._directory = Path(tempfile.mkdtemp(dir=reserve_socket().parent))
        self._listener: socket.socket | None = None
        self._process: subprocess.Popen[bytes] | None = None
        (self._directory / "conf").mkdir()
        (self._directory / "conf" / "readers").write_text(self._configuration())

    def __enter__(self) -> PrivatePcscd:
        self.start()
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        self.stop()
        shutil.rmtree(self._directory, ignore_errors=True)

    @property
    def log(self) -> str:
        """What the daemon has reported so far."""
        path = self._directory / "log"
        return path.read_text(errors="replace") if path.exists() else ""

    def start(self) -> None:
        """Start the daemon and return when its readers answer. Raises `PcscdUnavailable`."""
        lacking = missing(twin=self._twin is not None)
        if lacking:
            raise PcscdUnavailable(lacking)
        path = reserve_socket()
        if path.exists():
            raise PcscdUnavailable("this process already runs a private pcscd, and can have one")
        self._listener = socket.socket(socket.AF_UNIX)
        self._listener.bind(str(path))
        self._listener.listen(16)
        with (self._directory / "log").open("ab") as log:
            self._process = subprocess.Popen(  # noqa: S603  our own arguments
                self._command(), stdin=self._listener.fileno(), stdout=log, stderr=log
            )
        self._wait_until_ready()

    def stop(self) -> None:
        """End the daemon in an orderly way; harmless when it does not run."""
        self._end(signal.SIGTERM)

    def kill(self) -> None:
        """End the daemon at once, as a crash would."""
        self._end(signal.SIGKILL)

    def _configuration(self) -> str:
        if self._twin:
            return _TWIN_CONFIGURATION.format(name=TWIN_NAME, device=self._twin, driver=TWIN_DRIVER)
        return _CONFIGURATION.format(name=READER_NAME, port=self.ports[0], driver=VPCD_DRIVER)

    def _command(self) -> list[str]:
        isolation = _isolation()
        shell = ["sh", "-c", _START_ISOLATED if isolation else _START, "sh"]
        daemon = [str(_pcscd()), "--foreground", "--error", "--config", f"{self._directory}/conf"]
        follow = ["setpriv", "--pdeathsig", "TERM"]
        return [*isolation, *shell, *follow, *daemon, *_without_polkit()]

    def _wait_until_ready(self) -> None:
        """The daemon answers its first client only when its readers are set up."""
        found: list[str] = []
        errors: list[CardError] = []

        def ask() -> None:
            try:
                found.extend(list_readers())
            except CardError as error:
                errors.append(error)

        asking = threading.Thread(target=ask, name="pcscd-ready", daemon=True)
        asking.start()
        rounds = int(_START_SECONDS / _LOOK_SECONDS)
        while asking.is_alive() and rounds and self._process and self._process.poll() is None:
            asking.join(_LOOK_SECONDS)
            rounds -= 1
        name, slots = (TWIN_NAME, 1) if self._twin else (READER_NAME, SLOTS)
        self.readers = sorted(one for one in found if one.startswith(name))
        if len(self.readers) != slots:
            self.kill()
            raise PcscdUnavailable(
                f"the private pcscd offers {found or errors or 'nothing'}. Did this process use "
                f"PC/SC before `reserve_socket`? The daemon says: {self.log[-1000:] or 'nothing'}"
            )

    def _end(self, how: signal.Signals) -> None:
        # The socket goes first: nobody may wait in the queue of a daemon that is gone.
        if self._listener is not None:
            self._listener.close()
            self._listener = None
            reserve_socket().unlink(missing_ok=True)
        process, self._process = self._process, None
        if process is None:
            return
        process.send_signal(how)
        try:
            process.wait(_STOP_SECONDS)
        except subprocess.TimeoutExpired:
            process.kill()
            process.wait()


@functools.cache
def _pcscd() -> str | None:
    return shutil.which("pcscd", path=os.environ.get("PATH", "") + ":/usr/sbin:/sbin")


@functools.cache
def _without_polkit() -> list[str]:
    option = "--disable-polkit"
    asked = [str(_pcscd()), "--help"]
    done = subprocess.run(asked, capture_output=True, check=False)  # noqa: S603  constants
    return [option] if option.encode() in done.stdout else []


@functools.cache
def _isolation() -> list[str]:
    """The command prefix that gives the daemon a /run of its own; empty where none works."""
    for options in (["--mount"], ["--user", "--map-root-user", "--mount"]):
        attempt = ["unshare", *options]
        trial = [*attempt, "mount", "-t", "tmpfs", "tmpfs", "/run"]
        try:
            done = subprocess.run(trial, capture_output=True, check=False)  # noqa: S603  constants
        except OSError:
            return []
        if done.returncode == 0:
            return attempt
    return []


def _free_ports(count: int) -> list[int]:
    """`count` consecutive TCP ports that nobody uses right now."""
    for _ in range(100):
        with socket.socket() as first:
            first.bind(("", 0))
            start = first.getsockname()[1]
            if all(_is_free(port) for port in range(start + 1, start + count)):
                return list(range(start, start + count))
    raise PcscdUnavailable("no free TCP ports")


def _is_free(port: int) -> bool:
    with socket.socket() as probe:
        try:
            probe.bind(("", port))
        except (OSError, OverflowError):
            return False
        return True
