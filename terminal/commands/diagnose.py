"""`ssct diagnose`: what works on this machine, what does not, and what to do about it.

The machine's probes are those of terminal/diagnose.py; this adds the terminal's own: settings,
store, back office, blacklist.
"""

from __future__ import annotations

from argparse import ArgumentParser, Namespace
from typing import TYPE_CHECKING

from terminal.commands.options import add_common, add_json
from terminal.exit_codes import ExitCode

if TYPE_CHECKING:
    from terminal.app import Terminal
    from terminal.diagnose import ProbeResult
    from terminal.settings import SecuritySettings


def add_arguments(parser: ArgumentParser, _name: str) -> None:
    """The options of `diagnose`."""
    add_json(parser)
    add_common(parser)
    parser.set_defaults(run=run)


def run(args: Namespace) -> ExitCode:
    """Run every probe and print what it found; `TERMINAL` when one failed."""
    from terminal.diagnose import Status, run_probes

    results = [*run_probes(), *_terminal_probes(args)]
    if args.json:
        _print_json(results)
    else:
        _print_lines(results)
    failed = any(result.status is Status.FAIL for result in results)
    return ExitCode.TERMINAL if failed else ExitCode.OK


def _terminal_probes(args: Namespace) -> list[ProbeResult]:
    """Settings, then what needs them, as far as one gets."""
    from terminal.commands.opening import open_settings, open_terminal
    from terminal.diagnose import ProbeResult, Status
    from terminal.errors import TerminalError, explain

    results: list[ProbeResult] = []
    name = "settings"
    try:
        settings = open_settings(args)
        results.append(ProbeResult(name, Status.OK, f"profile {settings.terminal.profile}"))
        results.append(_keys(settings.security))
        name = "store"
        with open_terminal(settings, recover=False, proves_cards=False) as terminal:
            results.append(ProbeResult(name, Status.OK, str(settings.terminal.data_dir)))
            results += [_back_office(terminal), _blacklist(terminal)]
    except TerminalError as error:
        told = explain(error)
        results.append(ProbeResult(name, Status.FAIL, told.detail or told.text.en, told.remedy))
    return results


def _keys(settings: SecuritySettings) -> ProbeResult:
    """Where the keys are that prove a social security card."""
    from terminal.diagnose import ProbeResult, Status

    if settings.sam == "psam" and not settings.psam_reader:
        finding = "[security] psam_reader names no reader: no social security card can be proved"
        return ProbeResult("keys", Status.WARN, finding, "Name it; a gate needs none.")
    where = settings.psam_reader if settings.sam == "psam" else ""
    return ProbeResult("keys", Status.OK, f"{settings.sam} {where}".rstrip())


def _back_office(terminal: Terminal) -> ProbeResult:
    from backend_client.errors import BackendError
    from terminal.diagnose import ProbeResult, Status

    name, url = "back office", terminal.settings.backend.url
    if not url:
        remedy = "Set [backend] url, or start one with `ssct sim backoffice`."
        return ProbeResult(name, Status.WARN, "none is set: the terminal works offline", remedy)
    try:
        difference = abs(terminal.client.server_time().now - terminal.clock.now())
    except BackendError as error:
        return ProbeResult(name, Status.FAIL, f"{url}: {error}", error.remedy)
    seconds = difference.total_seconds()
    return ProbeResult(name, Status.OK, f"{url} answers; clocks differ by {seconds:.1f} s")


def _blacklist(terminal: Terminal) -> ProbeResult:
    from terminal.diagnose import ProbeResult, Status

    name, status = "blacklist", terminal.status()
    if status.terminal_id is None:
        remedy = "Get a code from the back office and run `ssct enrol CODE`."
        return ProbeResult(name, Status.WARN, "this terminal is not enrolled", remedy)
    if status.blacklist is None:
        return ProbeResult(name, Status.WARN, "there is none yet", "Run `ssct sync`.")
    finding = f"version {status.blacklist.version}, {status.blacklist.entries} entries"
    if status.blacklist_refusal is not None:
        remedy = "The last good list stays in force. If it repeats, call the back office."
        told = f"{finding}; a newer one was refused: {status.blacklist_refusal.code}"
        return ProbeResult(name, Status.FAIL, told, remedy)
    return ProbeResult(name, Status.OK, finding)


def _print_lines(results: list[ProbeResult]) -> None:
    for result in results:
        print(f"{result.status.upper():<5} {result.name}: {result.finding}")
        for line in result.remedy.splitlines():
            print(f"      {line}")


def _print_json(results: list[ProbeResult]) -> None:
    import json
    from dataclasses import asdict

    print(json.dumps([asdict(result) for result in results], ensure_ascii=False, indent=2))
