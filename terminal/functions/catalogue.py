"""The catalogue of services: conditions, flow and time of each (Article 15).

It comes from the back office; what was heard last is shown while that is away.
"""

from __future__ import annotations

from backend_client.life_messages import Catalogue, Service
from terminal.errand import Desk, Errand
from terminal.flow import Flow, choice, tell, working
from terminal.functions.entry import admitted
from terminal.outcome import Done, Refused
from terminal.policy import Function
from terminal.screens import Choose, Details, Option, Row, Section
from terminal.text import Text, same
from terminal.visit import Visit

_TITLE = Text("服务指南", "Services")
_LEAVE = "leave"
_DONE = Text("查询结束。", "That is all.")
_MISSING = Refused(
    "CATALOGUE_MISSING",
    Text("服务指南暂时查不到，请稍后再试。", "The list of services is not known now."),
    Text(
        "也可以到社区受理网点咨询，或拨打12345。",
        "Ask at a community service point, or call 12345.",
    ),
)


def flow(visit: Visit) -> Flow:
    """With a card in the reader; nothing personal is shown."""
    decision = admitted(visit, Function.CATALOGUE)
    if isinstance(decision, Refused):
        return decision
    return (yield from _browse(visit))


def errand(errand: Errand) -> Flow:
    """Without a card."""
    errand.note("catalogue")
    return (yield from _browse(errand))


def _browse(desk: Desk) -> Flow:
    """Show one service after another until the holder has seen enough."""
    yield from working("正在查询", "Looking it up")
    catalogue = desk.catalogue()
    if catalogue is None or not catalogue.services:
        return _MISSING
    while True:
        chosen = yield from choice(Choose(_TITLE, _options(catalogue)))
        if chosen == _LEAVE:
            return Done(_DONE)
        service = next(each for each in catalogue.services if each.service_id == chosen)
        title = Text(service.title_zh, service.title_en)
        yield from tell(Details(title, (_section(service, catalogue.edition),)))


def _options(catalogue: Catalogue) -> tuple[Option, ...]:
    services = (
        Option(each.service_id, Text(each.title_zh, each.title_en)) for each in catalogue.services
    )
    return (*services, Option(_LEAVE, Text("看完了", "Done")))


def _section(service: Service, edition: str) -> Section:
    article = Text(f"管理办法第{service.article}条", f"Article {service.article}")
    return Section(
        Text(service.title_zh, service.title_en),
        (
            Row(Text("条件", "For whom"), Text(service.conditions_zh, service.conditions_en)),
            Row(Text("流程", "How"), Text(service.flow_zh, service.flow_en)),
            Row(Text("时限", "How long"), Text(service.time_zh, service.time_en)),
            Row(Text("依据", "By"), article),
            Row(Text("清单版本", "Edition"), same(edition)),
        ),
    )
