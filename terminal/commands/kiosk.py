"""`ssct kiosk`: the touch-screen face, for a browser on this machine."""

from __future__ import annotations

from argparse import ArgumentParser, Namespace
from pathlib import Path

from terminal.commands.options import add_common
from terminal.exit_codes import ExitCode


def add_arguments(parser: ArgumentParser, _name: str) -> None:
    """The options of `kiosk`."""
    parser.add_argument(
        "--reader", metavar="PATTERN", help="which reader; default: the settings, else the only one"
    )
    parser.add_argument(
        "--embedded",
        action="store_true",
        help="on simulated parts in this process, with a developer's panel beside the screen",
    )
    parser.add_argument(
        "--panel-port", type=int, default=8792, help="with --embedded: the panel's port"
    )
    parser.add_argument(
        "--set-operator-password",
        metavar="FILE",
        type=Path,
        help="ask for the password of the operator's page, write its hash to FILE, and end",
    )
    parser.add_argument(
        "--pin-pad",
        action="store_true",
        help="with --embedded: PINs are typed on a simulated pad, with the panel's keys",
    )
    add_common(parser)
    parser.set_defaults(run=run)


def run(args: Namespace) -> ExitCode:
    """Serve until SIGTERM or Ctrl-C."""
    if args.set_operator_password is not None:
        return _set_password(args.set_operator_password)
    if args.embedded:
        return _embedded(args)
    import os
    import secrets

    from terminal.commands.opening import followed, open_reader, open_settings, open_terminal
    from terminal.devices.pin_pad import open_pin_pad
    from terminal.devices.printer import open_printer
    from terminal.kiosk.assembly import running_kiosk
    from terminal.kiosk.page_file import page_file
    from terminal.kiosk.stopping import tell_systemd, until_told_to_stop
    from terminal.kiosk.upkeep import EVERY

    settings = open_settings(args)
    with open_terminal(settings) as terminal:
        reader = open_reader(args.reader, settings.reader)
        # systemd gives a service this directory; the browser's session may read it there.
        directory = Path(os.environ.get("RUNTIME_DIRECTORY") or settings.terminal.data_dir)
        with (
            followed(settings, terminal),
            running_kiosk(
                terminal,
                reader,
                random=secrets.token_bytes,
                printer=open_printer(settings.printer),
                pin_pad=lambda listener: open_pin_pad(
                    settings.pin_pad, listener, secrets.token_bytes
                ),
                upkeep=EVERY,
            ) as running,
            page_file(directory, running.page_url) as file,
        ):
            print(f"页面地址在 the page's address is in: {file}", flush=True)
            print(f"运维页 the operator's page: {running.operator_url}", flush=True)
            tell_systemd("READY=1", os.environ)
            until_told_to_stop()
    return ExitCode.OK


def _embedded(args: Namespace) -> ExitCode:
    import os
    from importlib import import_module

    from terminal import logs
    from terminal.settings import load_settings

    logs.set_up(verbose=args.verbose, traffic=args.traffic)
    port = load_settings(args.settings, os.environ).kiosk.port
    # By name: the terminal does not depend on the simulator, and runs without it.
    import_module("simulator.kiosk").serve(port, args.panel_port, with_pad=args.pin_pad)
    return ExitCode.OK


def _set_password(file: Path) -> ExitCode:
    import secrets
    from getpass import getpass

    from terminal.errors import ConfigurationError
    from terminal.kiosk.operator_login import write_password

    password = getpass("运维密码 operator's password: ")
    if getpass("再次输入 again: ") != password:
        raise ConfigurationError("the two passwords differ")
    write_password(file, password, secrets.token_bytes)
    print(f"已写入 written: {file}")
    return ExitCode.OK
