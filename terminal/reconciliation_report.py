"""The reconciliation as a clerk reads it: a table for a spreadsheet, a page to print and sign."""

from __future__ import annotations

import csv
import io
from collections import Counter
from collections.abc import Iterable
from html import escape

from backend_client.money_messages import DayTotal, StatementLine
from terminal.clock import local
from terminal.receipt import yuan
from terminal.reconciliation import (
    AT_TERMINAL,
    SCHEME_NAMES,
    Difference,
    Report,
    TotalCheck,
    totals_of,
)
from terminal.text import Text

_SETTLEMENTS = Text("结算", "settlements")
_REFUNDS = Text("撤销", "refunds")
_HEAD = (
    "类别 difference",
    "终端 terminal",
    "业务流水号 number",
    "中心编号 centre's number",
    "类型 type",
    "险种 insurance",
    "笔数 count",
    "终端总额 total here",
    "中心总额 total there",
    "终端基金 funds here",
    "中心基金 funds there",
    "终端账户 account here",
    "中心账户 account there",
    "终端现金 cash here",
    "中心现金 cash there",
    "处理 repair",
)
_NAMES, _NUMBERS, _COUNT, _MONEY = range(1, 4), range(2, 4), 6, range(7, 15)
_SUM_OF_TERMINAL = Text("终端合计", "sum of the terminal")
_SUM_OF_INSTITUTION = Text("机构合计", "sum of the institution")
_NEEDS_OTHERS = Text(
    "总额不平，而所列明细无差异：机构还有其他终端，请用 ssct statement 取来对账文件，"
    "再在有权查看全机构明细的终端用 ssct reconcile --with 合并对账。",
    "The totals differ and no line here does: other terminals of the institution have settled, "
    "too. Have each write its statement (`ssct statement`), and add them with "
    "`ssct reconcile --with` at a terminal that may see the institution's lines.",
)
_NOT_ENDED = Text(
    "以下终端在当日结束前写出对账文件，可能缺少业务",
    "These terminals wrote their statement before the day was over, so something may be missing",
)
_MISSING = Text(
    "中心有以下终端的业务，但没有其对账文件",
    "The centre has bookings of these terminals, and their statement is not here",
)
_AT_TERMINAL = Text(
    "须在以下终端运行 ssct reconcile {day} --repair，然后重新写出对账文件",
    "Run `ssct reconcile {day} --repair` at these terminals, then write their statement anew",
)
_NOTHING = DayTotal(False, "employee", 0, 0, 0, 0, 0)
_AMOUNTS = ("total_fen", "fund_fen", "account_fen", "cash_fen")
_STYLE = """
body { font: 14px/1.5 sans-serif; margin: 2em; color: #000; background: #fff }
h1 { font-size: 20px } table { border-collapse: collapse; margin: 1em 0; width: 100% }
th, td { border: 1px solid #444; padding: 4px 6px; text-align: left; vertical-align: top }
td.money { text-align: right; white-space: nowrap } .bad { font-weight: bold }
td.repair { min-width: 18em } h2 { font-size: 16px }
.sign { margin-top: 3em; display: flex; gap: 4em } @page { size: A4 landscape; margin: 12mm }
thead { display: table-header-group } tr { break-inside: avoid }
@media print {
  body { font-size: 10px; margin: 0 } th, td { padding: 2px 3px } td.repair { min-width: 16em }
  td.number { overflow-wrap: anywhere; min-width: 7em }
}
"""


def as_csv(report: Report) -> str:
    """The differences, one a row, with a byte order mark so that a spreadsheet reads Chinese.

    A number of thirty digits is text to it and no number that it would round, since a tab is
    before it; what came from the centre is never a formula.

    Where terminals were added up, the sums of each and of the institution follow.
    """
    text = io.StringIO()
    table = csv.writer(text)
    table.writerow(_HEAD)
    table.writerows(_cells(_row(each)) for each in report.differences)
    if len(report.statements) > 1:
        for each in report.statements:
            sums = totals_of(each.lines)
            table.writerows(_sum(_SUM_OF_TERMINAL, each.terminal_id, total) for total in sums)
        sums = tuple(check.total for check in report.totals)
        table.writerows(_sum(_SUM_OF_INSTITUTION, "", total) for total in sums)
    return "\ufeff" + text.getvalue()


def as_html(report: Report, institution: str) -> str:
    """The report as one page without anything from elsewhere."""
    verdict = "平账 both ledgers agree" if report.equal else "不平 the ledgers differ"
    title = f"结算对账单 Reconciliation {report.day.isoformat()}"
    names = "、".join(each.terminal_id for each in report.statements)
    totals = _table(
        ("类型 type", "险种 insurance", "笔数 count", *_money_heads(), "结果 result"),
        (_total_cells(check) for check in report.totals if check.total.count or not check.agrees),
    )
    told_apart = "".join(f'<p class="bad">{escape(_both(note))}</p>' for note in notes(report))
    return (
        f'<!doctype html><html lang="zh"><head><meta charset="utf-8"><title>{escape(title)}</title>'
        f"<style>{_STYLE}</style></head><body><h1>{escape(title)}</h1>"
        f"<p>{escape(institution)}，终端 terminal {escape(names)}</p>"
        f'<p class="{"" if report.equal else "bad"}">{escape(verdict)}，'
        f"差异 differences: {len(report.differences)}</p>"
        f"{told_apart}{totals}{_terminals(report)}{_lines(report)}"
        '<div class="sign"><span>制表 prepared by: ____________</span>'
        "<span>复核 checked by: ____________</span><span>日期 date: ____________</span></div>"
        "</body></html>\n"
    )


def notes(report: Report) -> tuple[Text, ...]:
    """What the clerk has to know beyond the lines: which terminal has to do what."""
    elsewhere = Counter(
        each.terminal
        for each in report.differences
        if each.repair in AT_TERMINAL and each.terminal not in (None, report.own.terminal_id)
    )
    found = [
        _naming(note, names, report)
        for note, names in (
            (_NOT_ENDED, report.early),
            (_MISSING, report.missing),
            (_AT_TERMINAL, [f"{name} ({count})" for name, count in sorted(elsewhere.items())]),
        )
        if names
    ]
    return (*found, _NEEDS_OTHERS) if report.needs_others else tuple(found)


def told(total: DayTotal) -> str:
    """One total in a line for a screen."""
    kind, name = _type(refund=total.refund), _both(SCHEME_NAMES[total.scheme])
    return f"{kind}, {name}: {total.count}, ¥ {yuan(total.total_fen)}"


def _naming(note: Text, names: Iterable[str], report: Report) -> Text:
    said = note.fill(day=report.day.isoformat())
    return Text(f"{said.zh}：{'、'.join(names)}。", f"{said.en}: {', '.join(names)}.")


def _lines(report: Report) -> str:
    """The differences; on paper nobody counts that each is one."""
    if not report.differences:
        return ""
    heads = [head for place, head in enumerate(_HEAD) if place != _COUNT]
    rows = []
    for difference in report.differences:
        *values, repair = _row(difference)
        cells = [
            _cell(value, money=place in _MONEY, number=place in _NUMBERS)
            for place, value in enumerate(values)
            if place != _COUNT
        ]
        rows.append([*cells, f'<td class="repair">{escape(repair)}</td>'])
    return f"<h2>差异 differences</h2>{_table(heads, rows)}"


def _terminals(report: Report) -> str:
    """The sums of each terminal; nothing where there is one."""
    if len(report.statements) == 1:
        return ""
    differing = Counter(each.terminal for each in report.differences)
    heads = ("终端 terminal", "写出时间 written", "差异 differences", "类型 type", "险种 insurance")
    rows = []
    for each in report.statements:
        first = [
            _cell(each.terminal_id),
            _cell(f"{local(each.written_at):%Y-%m-%d %H:%M}"),
            _cell(str(differing[each.terminal_id])),
        ]
        sums = [total for total in totals_of(each.lines) if total.count]
        rows += [[*first, *_sum_cells(total)] for total in sums or (_NOTHING,)]
    return f"<h2>各终端 each terminal</h2>{_table((*heads, '笔数 count', *_money_heads()), rows)}"


def _money_heads() -> tuple[str, ...]:
    return ("总额 total", "基金 funds", "账户 account", "现金 cash")


def _total_cells(check: TotalCheck) -> list[str]:
    return [*_sum_cells(check.total), _cell("平 equal" if check.agrees else "不平 differs")]


def _sum_cells(total: DayTotal) -> list[str]:
    return [
        _cell(_type(refund=total.refund)),
        _cell(_both(SCHEME_NAMES[total.scheme])),
        _cell(str(total.count)),
        *(_cell(yuan(getattr(total, name)), money=True) for name in _AMOUNTS),
    ]


def _row(difference: Difference) -> tuple[str, ...]:
    line = difference.line
    return (
        _both(difference.differs.value),
        difference.terminal or "",
        line.number,
        line.settlement_id,
        _type(refund=line.refund),
        _both(SCHEME_NAMES[line.scheme]),
        "1",
        *_amounts(difference.ours, difference.theirs),
        _both(difference.repair.value),
    )


def _cells(row: tuple[str, ...]) -> tuple[str, ...]:
    """A row whose numbers and names a spreadsheet takes for what they are: text."""
    return tuple(_as_text(value) if place in _NAMES else value for place, value in enumerate(row))


def _as_text(name: str) -> str:
    if name[:1].isdigit():
        return f"\t{name}"
    return name if name[:1].isalpha() or not name else f"'{name}"


def _sum(what: Text, terminal: str, total: DayTotal) -> tuple[str, ...]:
    kind, name = _type(refund=total.refund), _both(SCHEME_NAMES[total.scheme])
    count = str(total.count)
    return _both(what), terminal, "", "", kind, name, count, *_amounts(total, None), ""


def _amounts(ours: StatementLine | DayTotal | None, theirs: StatementLine | None) -> Iterable[str]:
    return (_amount(side, name) for name in _AMOUNTS for side in (ours, theirs))


def _amount(side: StatementLine | DayTotal | None, name: str) -> str:
    return "" if side is None else yuan(getattr(side, name))


def _type(*, refund: bool) -> str:
    return _both(_REFUNDS if refund else _SETTLEMENTS)


def _both(text: Text) -> str:
    return f"{text.zh} {text.en}"


def _cell(value: str, *, money: bool = False, number: bool = False) -> str:
    kind = ' class="money"' if money else ' class="number"' if number else ""
    return f"<td{kind}>{escape(value)}</td>"


def _table(heads: Iterable[str], rows: Iterable[Iterable[str]]) -> str:
    head = "".join(f"<th>{escape(each)}</th>" for each in heads)
    body = "".join(f"<tr>{''.join(cells)}</tr>" for cells in rows)
    return f"<table><thead><tr>{head}</tr></thead><tbody>{body}</tbody></table>"
