"""How the kiosk is, for machines: a health document and Prometheus metrics. No personal data."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping
from typing import TYPE_CHECKING, Any

from prometheus_client import CollectorRegistry, Metric, generate_latest
from prometheus_client.core import CounterMetricFamily, GaugeMetricFamily

if TYPE_CHECKING:
    from terminal.kiosk.kiosk import Kiosk

CONTENT_TYPE = "text/plain; version=0.0.4; charset=utf-8"


def health(kiosk: Kiosk) -> tuple[bool, Mapping[str, Any]]:
    """Whether cards are served and a page shows it, and the details."""
    now = kiosk.standing
    page = kiosk.stage.followers > 0
    document = {
        "serving": now.serves,
        "code": now.code or None,
        "limits": [limit.en for limit in now.limits],
        "page_connected": page,
        "screen": type(kiosk.stage.page.view).__name__,
    }
    return now.serves and page, document


def metrics(kiosk: Kiosk) -> bytes:
    """The metrics as Prometheus reads them."""
    registry = CollectorRegistry(auto_describe=False)
    registry.register(_Figures(kiosk))
    return generate_latest(registry)


class _Figures:
    """Gathers the figures anew each time."""

    def __init__(self, kiosk: Kiosk) -> None:
        self._kiosk = kiosk

    def collect(self) -> Iterator[Metric]:
        """Every figure."""
        yield from self._own()
        status = self._kiosk.terminal.status()
        yield _gauge("ssct_clock_trusted", "1 when the clock is trusted", status.clock_trusted)
        if status.blacklist is not None and status.blacklist_age is not None:
            head, age = status.blacklist, status.blacklist_age.total_seconds()
            yield _gauge("ssct_blacklist_version", "Version of the list in force", head.version)
            yield _gauge("ssct_blacklist_entries", "Entries of the list in force", head.entries)
            yield _gauge("ssct_blacklist_age_seconds", "Since the list was issued", age)
        operations = GaugeMetricFamily(
            "ssct_operations", "Operations of the journal by state", labels=("state",)
        )
        for state, count in status.operations.items():
            operations.add_metric((state.value,), count)
        yield operations

    def _own(self) -> Iterable[Metric]:
        kiosk = self._kiosk
        yield _gauge("ssct_kiosk_serving", "1 when cards are served", kiosk.standing.serves)
        yield _gauge("ssct_kiosk_pages", "Pages that show the kiosk", kiosk.stage.followers)
        yield _counter("ssct_kiosk_visits", "Cards served since the start", kiosk.visits)
        yield _counter("ssct_kiosk_forgotten_cards", "Cards left in the reader", kiosk.alarms)
        yield _counter("ssct_kiosk_unprinted", "Receipts not printed", kiosk.unprinted.count)


def _gauge(name: str, meaning: str, value: float) -> Metric:
    return GaugeMetricFamily(name, meaning, value=float(value))


def _counter(name: str, meaning: str, value: int) -> Metric:
    return CounterMetricFamily(name, meaning, value=value)
