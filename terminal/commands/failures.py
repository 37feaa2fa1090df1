"""How the command line tells of an error: one sentence, its code, and what to do next."""

from __future__ import annotations

import os
import sys
import traceback

from apdu.status import CardError
from apdu.trace import TraceError
from backend_client.errors import BackendError, BadAddress
from terminal.errors import ConfigurationError, Explanation, StatementError, TerminalError, explain
from terminal.exit_codes import ExitCode
from terminal.outcome import Interruption
from terminal.text import Text

CRASH_LOG = "crash.log"


def exit_code(error: Exception) -> ExitCode:
    """The exit code of an error."""
    if isinstance(error, ConfigurationError | StatementError | BadAddress | TraceError):
        return ExitCode.USAGE
    if isinstance(error, Interruption):
        return ExitCode.INTERRUPTED
    if isinstance(error, BackendError) and error.said_no:
        return ExitCode.REFUSED
    if isinstance(error, CardError):
        return ExitCode.CARD
    if isinstance(error, BackendError):
        return ExitCode.BACK_OFFICE
    if isinstance(error, TerminalError):
        return ExitCode.TERMINAL
    return ExitCode.USAGE if _is_simulators(error) else ExitCode.INTERNAL


def report(error: Exception, *, verbose: bool) -> ExitCode:
    """Tell of `error` on standard error and return the exit code."""
    if isinstance(error, Interruption):
        print(f"\nssct: {error.text}", file=sys.stderr)
        return ExitCode.INTERRUPTED
    told = _explanation(error)
    code = exit_code(error)
    print(f"ssct: {told.text}", file=sys.stderr)
    if told.detail:
        print(f"      {told.detail}", file=sys.stderr)
    print(f"      [{told.code}] {told.remedy}", file=sys.stderr)
    if code is ExitCode.INTERNAL:
        _keep(error)
    if verbose:
        traceback.print_exception(error)
    return code


def _explanation(error: Exception) -> Explanation:
    if exit_code(error) is ExitCode.USAGE and _is_simulators(error):
        told = [str(getattr(error, name)) for name in ("code", "zh", "en", "remedy")]
        return Explanation(told[0], Text(told[1], told[2]), told[3], detail=str(error))
    return explain(error)


def _is_simulators(error: Exception) -> bool:
    """Whether it is the simulator's own error, of the same shape; it is not imported for this.

    They are all about what the simulator was given: a profile, a database, a port.
    """
    return type(error).__module__.startswith("simulator.") and hasattr(error, "remedy")


def _keep(error: Exception) -> None:
    """Write where it happened to where a bug report can take it from: code, not data.

    The message is left out: nobody has said what a foreign exception puts into it.
    """
    from terminal.settings import default_data_dir

    try:
        directory = default_data_dir(os.environ)
        directory.mkdir(mode=0o700, parents=True, exist_ok=True)
        with (directory / CRASH_LOG).open("a", encoding="utf-8") as file:
            file.writelines(traceback.format_tb(error.__traceback__))
            file.write(f"{type(error).__qualname__}\n\n")
        print(f"      {directory / CRASH_LOG}", file=sys.stderr)
    except OSError:
        print(f"      {type(error).__qualname__}; use --verbose to see where", file=sys.stderr)
