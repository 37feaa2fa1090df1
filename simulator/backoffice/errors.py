"""The exceptions of the back office.

`Refused` is the answer no, by a rule; it goes to whoever asked. `StartupError` keeps the back
office from starting. All have a stable `code`, `zh` and `en`, and a `remedy` for the operator.
Nothing personal is ever part of one.
"""

from __future__ import annotations

from typing import ClassVar

from simulator.backoffice.refusals import Refusal
from simulator.backoffice.wording import WORDING


class Refused(Exception):
    """The back office says no, by the rule that `refusal` names.

    `article` is the article of the regulation, None where none is behind it. `detail` tells the
    operator more.
    """

    def __init__(self, refusal: Refusal, *, article: int | None = None, detail: str = "") -> None:
        super().__init__(f"{refusal.value}: {detail}" if detail else refusal.value)
        wording = WORDING[refusal]
        self.refusal = refusal
        self.code = refusal.value
        self.zh = wording.zh
        self.en = wording.en
        self.remedy = wording.remedy
        self.status = wording.status
        self.article = wording.article if article is None else article
        self.detail = detail


class LifecycleError(Refused):
    """An event that cannot happen to a card in its state, or not through this channel."""


class StartupError(Exception):
    """The back office cannot start."""

    code: ClassVar[str] = "BACKOFFICE_STARTUP"
    zh: ClassVar[str] = "后台服务无法启动。"
    en: ClassVar[str] = "The back office cannot start."
    remedy: ClassVar[str] = "The message names what is wrong."


class DatabaseUnavailable(StartupError):
    """The database cannot be opened or is not a database."""

    code = "BACKOFFICE_DATABASE_UNAVAILABLE"
    zh = "后台数据库无法打开。"
    en = "The back office's database cannot be opened."
    remedy = "Check the database's URL, its directory and its permissions."


class SchemaMismatch(StartupError):
    """The database was made by another version of the back office."""

    code = "BACKOFFICE_SCHEMA_MISMATCH"
    zh = "后台数据库版本不符。"
    en = "The back office's database belongs to another version of this program."
    remedy = "Use the program that made it, or start with a new database."


class KeyUnusable(StartupError):
    """The sealing key is missing, not a key, open to others, or of another database."""

    code = "BACKOFFICE_KEY_UNUSABLE"
    zh = "后台密钥无法使用。"
    en = "The back office's sealing key cannot be used."
    remedy = "Put back the key file that belongs to this database, readable by its owner only."


class AuthorityUnusable(StartupError):
    """The authority or the server's certificate is missing, open to others, or there already."""

    code = "BACKOFFICE_AUTHORITY_UNUSABLE"
    zh = "证书机构无法使用。"
    en = "The certificate authority or the server's certificate cannot be used."
    remedy = "Run `ssct ca init`, then `ssct ca server`; key files are for their owner only."


class CannotListen(StartupError):
    """The address or port cannot be used."""

    code = "BACKOFFICE_CANNOT_LISTEN"
    zh = "后台服务端口无法使用。"
    en = "The back office cannot listen on this address and port."
    remedy = "Choose another port, or stop the program that uses it."


class BadParameters(StartupError):
    """A parameter file that breaks its schema or its own logic."""

    code = "BACKOFFICE_BAD_PARAMETERS"
    zh = "后台参数文件有误。"
    en = "A parameter file of the back office is not valid."
    remedy = "Correct the place named; parameters.schema.json describes every field."


class BadRecord(StartupError):
    """A record that cannot be taken into the register."""

    code = "BACKOFFICE_BAD_RECORD"
    zh = "登记资料有误。"
    en = "A record for the register is not valid."
    remedy = "Correct the field named."
