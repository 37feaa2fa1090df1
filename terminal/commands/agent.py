"""`ssct agent`: the card for other programs on this machine; `agent token` makes their tokens."""

from __future__ import annotations

from argparse import ArgumentParser, Namespace
from typing import TYPE_CHECKING

from terminal.commands.options import add_common, add_json
from terminal.exit_codes import ExitCode

if TYPE_CHECKING:
    from terminal.agent.pad import WaitingPad
    from terminal.agent.readers import Readers
    from terminal.agent.tokens import TokenBook
    from terminal.settings import Settings

_SCOPES = ("readers", "read", "write", "pin", "settle", "debit")


def add_arguments(parser: ArgumentParser, _name: str) -> None:
    """The options of `agent`, and the commands below it."""
    parser.add_argument(
        "--reader",
        metavar="PATTERN",
        action="append",
        help="serve this reader (repeat for more): a part of its PC/SC name, serial:DEVICE or "
        "sim:PROFILE; default: the settings, else all of PC/SC",
    )
    add_common(parser)
    parser.set_defaults(run=run)
    commands = parser.add_subparsers(title="commands", metavar="WHAT")
    token = commands.add_parser("token", help="make, list and take back the tokens of callers")
    actions = token.add_subparsers(title="commands", metavar="WHAT", required=True)
    create = actions.add_parser("create", help="make a token; it is shown this once")
    create.add_argument("name", metavar="NAME", help="whose it is, such as his-counter-3")
    create.add_argument(
        "--scope",
        action="append",
        choices=_SCOPES,
        required=True,
        help="what it allows (repeat for more)",
    )
    add_common(create)
    create.set_defaults(run=_create)
    listing = actions.add_parser("list", help="the tokens there are")
    add_json(listing)
    add_common(listing)
    listing.set_defaults(run=_list)
    revoke = actions.add_parser("revoke", help="take a token back")
    revoke.add_argument("id", metavar="ID", help="as `ssct agent token list` shows it")
    add_common(revoke)
    revoke.set_defaults(run=_revoke)


def run(args: Namespace) -> ExitCode:
    """Serve until SIGTERM or Ctrl-C."""
    import secrets

    from terminal.agent.assembly import running_agent
    from terminal.commands.opening import followed, open_settings, open_terminal
    from terminal.kiosk.stopping import until_told_to_stop
    from terminal.kiosk.upkeep import EVERY

    settings = open_settings(args)
    readers = _readers(args, settings)
    with (
        open_terminal(settings) as terminal,
        followed(settings, terminal),
        running_agent(
            terminal,
            readers,
            random=secrets.token_bytes,
            pin_pad=_pin_pad(settings),
            upkeep=EVERY,
        ) as running,
    ):
        print(f"读卡服务已启动 agent: {running.origin}")
        print("令牌 tokens: ssct agent token create NAME --scope read ...", flush=True)
        until_told_to_stop()
    return ExitCode.OK


def _readers(args: Namespace, settings: Settings) -> Readers:
    from terminal.agent.readers import NamedReaders, PcscReaders
    from terminal.commands.opening import ON_A_LINE, RECORDED, SIMULATED, open_reader

    elsewhere = (SIMULATED, RECORDED, ON_A_LINE)
    wanted = args.reader or ([settings.reader.pattern] if settings.reader.pattern else [])
    if any(one.startswith(elsewhere) for one in wanted):
        return NamedReaders([open_reader(one, settings.reader) for one in wanted])
    security = settings.security
    psam = (security.psam_reader, security.psam_slot)
    in_pcsc = security.psam_reader and not security.psam_reader.startswith(elsewhere)
    return PcscReaders(wanted, settings.reader.slot, psam=psam if in_pcsc else None)


def _pin_pad(settings: Settings) -> WaitingPad | None:
    """The pad that the settings describe, for the functions of LD/T 33."""
    import secrets

    from terminal.agent.pad import WaitingPad
    from terminal.devices.pin_pad import Listener, open_pin_pad
    from terminal.devices.protocols import PinPad

    if settings.pin_pad.kind == "none":
        return None

    def make(listener: Listener) -> PinPad:
        pad = open_pin_pad(settings.pin_pad, listener, secrets.token_bytes)
        assert pad is not None  # noqa: S101  the kind was looked at above
        return pad

    # The pad itself ends first, so that it can say so.
    return WaitingPad(make, seconds=settings.pin_pad.timeout.total_seconds() + 5)


def _create(args: Namespace) -> ExitCode:
    import secrets

    from terminal.agent.scopes import Scope
    from terminal.clock import SystemClock

    scopes = [Scope(name) for name in args.scope]
    shown, made = _book(args).create(args.name, scopes, SystemClock().now(), secrets.token_bytes)
    print(shown)
    _say(f"{made.id}: 只显示这一次，请妥善保存。 It is shown this once; keep it safe.")
    return ExitCode.OK


def _list(args: Namespace) -> ExitCode:
    tokens = _book(args).all()
    if args.json:
        import json

        told = [
            {
                "id": token.id,
                "name": token.name,
                "scopes": sorted(token.scopes),
                "made_at": token.made_at.isoformat(),
                "revoked": token.revoked,
            }
            for token in tokens
        ]
        print(json.dumps(told, ensure_ascii=False, indent=2))
        return ExitCode.OK
    for token in tokens:
        state = "  已收回 revoked" if token.revoked else ""
        print(f"{token.id}  {token.name}  {','.join(sorted(token.scopes))}{state}")
    return ExitCode.OK


def _revoke(args: Namespace) -> ExitCode:
    token = _book(args).revoke(args.id)
    print(f"{token.id} {token.name}: 已收回 revoked")
    return ExitCode.OK


def _book(args: Namespace) -> TokenBook:
    from terminal.agent.tokens import TokenBook
    from terminal.commands.opening import open_settings

    return TokenBook(open_settings(args).terminal.data_dir)


def _say(text: str) -> None:
    import sys

    print(text, file=sys.stderr)
