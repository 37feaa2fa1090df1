"""What `ssct sim` does: a card for the real PC/SC service, the back office, the list of profiles.

A composition: the machine's clock, randomness, disk and network come in here.
"""

from __future__ import annotations

import logging
import os
import secrets
import sys
from argparse import Namespace
from contextlib import ExitStack, suppress
from pathlib import Path
from tempfile import TemporaryDirectory

from backend_client.broker import BrokerAddress
from simulator import city
from simulator.backoffice.authority import CA_CERTIFICATE, server_name
from simulator.backoffice.clocks import Clock
from simulator.backoffice.keys import load_or_create_key
from simulator.backoffice.seed import DEVELOPMENT_CODE
from simulator.card.profile import BUILT_IN, load_profile
from simulator.card_panel import CardPanel, Slot, serve
from simulator.clock import SimulatedClock
from simulator.gempc_twin import GemPcTwin
from simulator.pcscd import PrivatePcscd, reserve_socket
from simulator.profiles.generator import generate, write_profiles
from simulator.psam import PsamProfile, SimulatedPsam
from simulator.serial_reader import SerialReaderDevice
from simulator.virtual_reader import VPCD_PORT, VirtualReader
from terminal.errors import ConfigurationError
from terminal.settings import default_data_dir

ADMIN_TOKEN_FILE = "admin-token"  # noqa: S105 - where the token lies, not the token
SEALING_KEY_FILE = "backoffice.key"
DATABASE_FILE = "backoffice.sqlite"
PSAM_PLACE = (0, 1)
"""The slot of a serial reader that the PSAM is in."""

log = logging.getLogger(__name__)


def profiles(args: Namespace) -> None:
    """Print the built-in profiles with their PINs, or generate others; all are fictitious.

    Raises `ProfilesNotWritten`, and `ConfigurationError` for --out without --generate.
    """
    if args.generate is not None:
        out = args.out or Path("profiles")
        written = write_profiles(generate(args.generate, args.seed), out)
        print(f"已生成 {len(written)} 个卡片配置。 {len(written)} profiles written to {out}")
        return
    if args.out is not None:
        raise ConfigurationError("--out says where generated profiles go: it needs --generate N")
    for name in BUILT_IN:
        profile = load_profile(name)
        pin = profile.pin.value if profile.pin else "-"
        print(f"{name:<16} PIN {pin:<8} {profile.title_zh}  {profile.title_en}")


def serve_card(args: Namespace) -> None:
    """Keep a card in a reader, put it in and out as told, until Ctrl-C.

    Raises `ProfileError`, `CardStateError`, `VpcdUnavailable`, `PcscdUnavailable`.
    """
    with ExitStack() as opened:
        slot = _slot(args, opened)
        panel = CardPanel(slot, args.profile, random=secrets.token_bytes, state=args.state)
        opened.callback(panel.close)
        if not args.out:
            panel.insert()
        _announce_card(args.profile, out=args.out)
        with suppress(KeyboardInterrupt):
            serve(panel, sys.stdin, _say)


def _slot(args: Namespace, opened: ExitStack) -> Slot:
    """The reader that was asked for; `opened` closes it."""
    if args.serial:
        device = SerialReaderDevice(args.serial)
        device.insert(SimulatedPsam(PsamProfile(), random=secrets.token_bytes), PSAM_PLACE)
        print(f"--reader serial:{args.serial}  PSAM: serial:{args.serial}?slot={PSAM_PLACE[1]}")
        return opened.enter_context(device)
    if args.twin:
        directory = opened.enter_context(TemporaryDirectory(prefix="ssct-twin-"))
        twin = opened.enter_context(GemPcTwin(Path(directory) / "reader"))
        _enter_service(PrivatePcscd(twin=twin.line.path), opened)
        return twin
    port = args.port or VPCD_PORT
    if args.private:
        port = _enter_service(PrivatePcscd(), opened).ports[0]
    return opened.enter_context(VirtualReader(port, args.host))


def _enter_service(service: PrivatePcscd, opened: ExitStack) -> PrivatePcscd:
    opened.enter_context(service)
    print(f"export PCSCLITE_CSOCK_NAME={reserve_socket()}", flush=True)
    return service


def _announce_card(profile: str, *, out: bool) -> None:
    place = "在手中 is at hand" if out else "已在读卡器中 is in the reader"
    print(f"卡片 The card {profile} {place}; Ctrl-C 结束 ends.")
    print("命令 commands: insert, remove, swap PROFILE, tear [N], status, quit.")
    print("Next, in another window: ssct readers, then ssct read", flush=True)


def _say(text: str) -> None:
    print(text, flush=True)


def serve_backoffice(args: Namespace) -> None:
    """Serve the sample city until Ctrl-C. Raises `StartupError`, `BrokerUnreachable`."""
    from simulator.backoffice import server

    directory = args.data or default_data_dir(os.environ) / "backoffice"
    directory.mkdir(mode=0o700, parents=True, exist_ok=True)
    token_file = directory / ADMIN_TOKEN_FILE
    clock: Clock | None = SimulatedClock(args.clock) if args.clock else None

    def announce(host: str, port: int) -> None:
        scheme, trust = "http", ""
        if args.tls:
            scheme, host = "https", server_name(args.tls)
            trust = f"SSCT_BACKEND_CA_FILE={args.tls / CA_CERTIFICATE} "
        place = f"[{host}]" if ":" in host else host
        _announce(f"{scheme}://{place}:{port}", trust, directory, token_file)

    server.run(
        args.host,
        args.port,
        args.database or f"sqlite:///{directory / DATABASE_FILE}",
        directory / SEALING_KEY_FILE,
        load_or_create_key(token_file, secrets.token_bytes).hex(),
        clock=clock,
        rules=city.RULES,
        prepare=city.found,
        announce=announce,
        tls=args.tls,
        broker=_broker(args.mqtt) if args.mqtt else None,
    )


def _broker(where: tuple[str, int]) -> BrokerAddress:
    host, port = where
    return BrokerAddress(host, port, tls=False)


def _announce(url: str, trust: str, directory: Path, token_file: Path) -> None:
    print(f"参考后台已启动 back office: {url}")
    print(f"数据目录 data: {directory}")
    print(f"管理令牌 staff token: {token_file}")
    print(f"接口说明 interface: {url}/docs")
    next_command = f"{trust}SSCT_BACKEND_URL={url} ssct enrol {DEVELOPMENT_CODE.code}"
    print(f"终端登记 next: {next_command}", flush=True)
