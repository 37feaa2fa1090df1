"""The exit codes of `ssct`, the same for every command. docs/cli.md explains them."""

from __future__ import annotations

from enum import IntEnum


class ExitCode(IntEnum):
    """How a command ended."""

    OK = 0
    REFUSED = 1
    USAGE = 2
    CARD = 3
    BACK_OFFICE = 4
    UNKNOWN_OUTCOME = 5
    TERMINAL = 6
    INTERNAL = 70
    INTERRUPTED = 130
    BROKEN_PIPE = 141


MEANINGS = {
    ExitCode.OK: "done",
    ExitCode.REFUSED: "refused: by admission, by the back office, or a check of `demo` failed",
    ExitCode.USAGE: "wrong usage, settings, profile or file",
    ExitCode.CARD: "card, reader or security module",
    ExitCode.BACK_OFFICE: "back office not reachable, not enrolled, or a bad answer",
    ExitCode.UNKNOWN_OUTCOME: "the outcome of an operation is unknown; do not repeat it",
    ExitCode.TERMINAL: "the terminal itself: store, journal, disk",
    ExitCode.INTERNAL: "a fault of this program",
    ExitCode.INTERRUPTED: "interrupted or cancelled",
    ExitCode.BROKEN_PIPE: "the reader of the output went away",
}
