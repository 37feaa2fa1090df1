"""Where the shell's lines come from: a prompt with completion and history, or a pipe."""

from __future__ import annotations

import os
from collections.abc import Callable, Iterable, Iterator
from pathlib import Path
from typing import TextIO

from terminal.shell.commands import Shell, completions, may_be_remembered

HISTORY = "shell-history"
_PROMPT = "ssct> "


def piped_lines(stream: TextIO) -> Iterator[str]:
    """One line after the other, until the stream ends. A PIN is read from the same stream."""
    while line := stream.readline():
        yield line.strip()


def prompted_lines(shell: Shell, directory: Path) -> Iterator[str]:
    """Lines from the keyboard. The history in `directory` is the owner's alone, without PINs."""
    from prompt_toolkit import PromptSession
    from prompt_toolkit.completion import CompleteEvent, Completer, Completion
    from prompt_toolkit.document import Document
    from prompt_toolkit.history import FileHistory

    class Words(Completer):
        def get_completions(
            self, document: Document, _complete_event: CompleteEvent
        ) -> Iterable[Completion]:
            for word, start in completed(document.text_before_cursor, _version(shell)):
                yield Completion(word, start_position=start)

    class Discreet(FileHistory):
        def store_string(self, string: str) -> None:
            if may_be_remembered(string):
                super().store_string(string)

    session: PromptSession[str] = PromptSession(
        _PROMPT,
        completer=Words(),
        history=Discreet(str(_private(directory / HISTORY))),
        complete_while_typing=False,
    )
    yield from _until_end(session.prompt)


def completed(text: str, version: str) -> Iterator[tuple[str, int]]:
    """The words that may end `text`, each with where it begins, counted back from the end."""
    words = text.split()
    if not words or text[-1].isspace():
        words.append("")
    for word in completions(words, version):
        yield word, -len(words[-1])


def _until_end(prompt: Callable[[], str]) -> Iterator[str]:
    while True:
        try:
            yield prompt().strip()
        except KeyboardInterrupt:
            continue
        except EOFError:
            return


def _version(shell: Shell) -> str:
    session = shell.bench.session
    return session.card.version if session else "3.0"


def _private(file: Path) -> Path:
    file.parent.mkdir(mode=0o700, parents=True, exist_ok=True)
    os.close(os.open(file, os.O_WRONLY | os.O_CREAT, 0o600))
    return file
