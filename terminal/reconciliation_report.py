"""The reconciliation as a clerk reads it: a table for a spreadsheet, a page to print and sign."""

from __future__ import annotations

import csv
import io
from collections.abc import Iterable
from html import escape

from backend_client.money_messages import StatementLine
from terminal.receipt import yuan
from terminal.reconciliation import SCHEME_NAMES, Difference, Report, TotalCheck
from terminal.text import Text

_SETTLEMENTS = Text("结算", "settlements")
_REFUNDS = Text("撤销", "refunds")
_HEAD = (
    "类别 difference",
    "业务流水号 number",
    "中心编号 centre's number",
    "类型 type",
    "险种 insurance",
    "本机总额 total here",
    "中心总额 total there",
    "本机基金 funds here",
    "中心基金 funds there",
    "本机账户 account here",
    "中心账户 account there",
    "本机现金 cash here",
    "中心现金 cash there",
    "处理 repair",
)
_AMOUNTS = ("total_fen", "fund_fen", "account_fen", "cash_fen")
_STYLE = """
body { font: 14px/1.5 sans-serif; margin: 2em; color: #000; background: #fff }
h1 { font-size: 20px } table { border-collapse: collapse; margin: 1em 0; width: 100% }
th, td { border: 1px solid #444; padding: 4px 6px; text-align: left; vertical-align: top }
td.money { text-align: right; white-space: nowrap } .bad { font-weight: bold }
.sign { margin-top: 3em; display: flex; gap: 4em } @page { size: A4 landscape; margin: 12mm }
thead { display: table-header-group } tr { break-inside: avoid }
"""


def as_csv(report: Report) -> str:
    """The differences, one a row, with a byte order mark so that a spreadsheet reads Chinese."""
    text = io.StringIO()
    table = csv.writer(text)
    table.writerow(_HEAD)
    table.writerows(_row(each) for each in report.differences)
    return "\ufeff" + text.getvalue()


def as_html(report: Report, institution: str, terminal: str) -> str:
    """The report as one page without anything from elsewhere."""
    verdict = "平账 both ledgers agree" if report.equal else "不平 the ledgers differ"
    title = f"结算对账单 Reconciliation {report.day.isoformat()}"
    totals = _table(
        ("类型 type", "险种 insurance", "笔数 count", *_money_heads(), "结果 result"),
        (_total_cells(check) for check in report.totals if check.total.count or not check.agrees),
    )
    rows = (
        [_cell(value, money=5 <= place < len(_HEAD) - 1) for place, value in enumerate(_row(each))]
        for each in report.differences
    )
    lines = _table(_HEAD, rows) if report.differences else ""
    return (
        f'<!doctype html><html lang="zh"><head><meta charset="utf-8"><title>{escape(title)}</title>'
        f"<style>{_STYLE}</style></head><body><h1>{escape(title)}</h1>"
        f"<p>{escape(institution)}，终端 terminal {escape(terminal)}</p>"
        f'<p class="{"" if report.equal else "bad"}">{escape(verdict)}，'
        f"差异 differences: {len(report.differences)}</p>"
        f"{totals}{lines}"
        '<div class="sign"><span>制表 prepared by: ____________</span>'
        "<span>复核 checked by: ____________</span><span>日期 date: ____________</span></div>"
        "</body></html>\n"
    )


def _money_heads() -> tuple[str, ...]:
    return ("总额 total", "基金 funds", "账户 account", "现金 cash")


def _total_cells(check: TotalCheck) -> list[str]:
    total = check.total
    return [
        _cell(_type(refund=total.refund)),
        _cell(_both(SCHEME_NAMES[total.scheme])),
        _cell(str(total.count)),
        *(_cell(yuan(getattr(total, name)), money=True) for name in _AMOUNTS),
        _cell("平 equal" if check.agrees else "不平 differs"),
    ]


def _row(difference: Difference) -> tuple[str, ...]:
    line = difference.line
    amounts = (
        _amount(side, name) for name in _AMOUNTS for side in (difference.ours, difference.theirs)
    )
    return (
        _both(difference.differs.value),
        line.number,
        line.settlement_id,
        _type(refund=line.refund),
        _both(SCHEME_NAMES[line.scheme]),
        *amounts,
        _both(difference.repair.value),
    )


def _amount(line: StatementLine | None, name: str) -> str:
    return "" if line is None else yuan(getattr(line, name))


def _type(*, refund: bool) -> str:
    return _both(_REFUNDS if refund else _SETTLEMENTS)


def _both(text: Text) -> str:
    return f"{text.zh} {text.en}"


def _cell(value: str, *, money: bool = False) -> str:
    kind = ' class="money"' if money else ""
    return f"<td{kind}>{escape(value)}</td>"


def _table(heads: Iterable[str], rows: Iterable[Iterable[str]]) -> str:
    head = "".join(f"<th>{escape(each)}</th>" for each in heads)
    body = "".join(f"<tr>{''.join(cells)}</tr>" for cells in rows)
    return f"<table><thead><tr>{head}</tr></thead><tbody>{body}</tbody></table>"
