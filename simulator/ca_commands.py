"""What `ssct ca` does: a certificate authority for development, on this machine's disk.

A composition: the machine's clock, randomness and disk come in here.
"""

from __future__ import annotations

import os
import secrets
from argparse import Namespace
from datetime import UTC, datetime
from pathlib import Path

from simulator.backoffice.authority import (
    CA_CERTIFICATE,
    SERVER_CERTIFICATE,
    Authority,
    ends_at,
)
from terminal.settings import default_data_dir

DIRECTORY = "ca"


def directory_of(given: Path | None) -> Path:
    """Where the authority lies: as given, or beside the store."""
    return given or default_data_dir(os.environ) / DIRECTORY


def init(args: Namespace) -> None:
    """Make an authority. Raises `AuthorityUnusable` where there is one."""
    directory = directory_of(args.dir)
    Authority.created(directory, secrets.token_bytes, _now)
    print(f"证书机构已建立 authority: {directory / CA_CERTIFICATE}")
    print(f"下一步 next: ssct ca server{_option(args)}")


def server(args: Namespace) -> None:
    """Make the server's pair anew. Raises `AuthorityUnusable`."""
    directory = directory_of(args.dir)
    authority = Authority.opened(directory, secrets.token_bytes, _now)
    until = authority.certify_server(directory, args.hosts)
    print(f"服务器证书 server certificate: {directory / SERVER_CERTIFICATE}")
    print(f"名称 names: {', '.join(args.hosts)}; 有效至 until {until.isoformat()}")
    print(f"下一步 next: ssct sim backoffice --tls {directory}")


def show(args: Namespace) -> None:
    """Show until when the certificates hold. Raises `AuthorityUnusable`."""
    directory = directory_of(args.dir)
    Authority.opened(directory, secrets.token_bytes, _now)
    for name in (CA_CERTIFICATE, SERVER_CERTIFICATE):
        file = directory / name
        told = ends_at(file).isoformat() if file.exists() else "不存在 not there"
        print(f"{file}  有效至 until {told}")


def _option(args: Namespace) -> str:
    return f" --dir {args.dir}" if args.dir else ""


def _now() -> datetime:
    return datetime.now(UTC)
