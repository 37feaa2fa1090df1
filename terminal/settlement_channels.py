"""The settlement channels that the settings can name; a new one is one file and one line here."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from datetime import datetime
from types import MappingProxyType

from backend_client.channels import direct, national
from backend_client.channels.channel import SettlementChannel
from backend_client.client import BackendClient
from backend_client.national.envelope import Sender
from backend_client.national.interface import Device, NationalInterface
from terminal.settings import SettlementSettings


@dataclass(frozen=True, slots=True)
class Parts:
    """What a channel is made of: who the terminal is, its time, and numbers for its messages."""

    client: BackendClient
    settings: SettlementSettings
    terminal_id: str
    institution: str
    institution_name: str
    now: Callable[[], datetime]
    numbers: Callable[[int], tuple[str, ...]]


def _direct(parts: Parts) -> SettlementChannel:
    return direct.DirectChannel(parts.client)


def _national(parts: Parts) -> SettlementChannel:
    settings = parts.settings
    sender = Sender(
        area=settings.area,
        receiver=settings.receiver,
        operator=parts.terminal_id,
        operator_name=parts.institution_name,
        institution=parts.institution,
        institution_name=parts.institution_name,
    )
    device = Device(settings.mac, settings.ip)
    return national.NationalChannel(
        NationalInterface(parts.client.calls, sender, device, now=parts.now, numbers=parts.numbers)
    )


CHANNELS: Mapping[str, Callable[[Parts], SettlementChannel]] = MappingProxyType(
    {direct.NAME: _direct, national.NAME: _national}
)
"""Name in the settings -> how it is made."""
