"""The transactions of the national interface that a terminal uses (facts 1.3 to 1.6), declared.

Field names are the interface's own and stay at this edge.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

from backend_client.national.fields import (
    Field,
    amount,
    count,
    day,
    group,
    several,
    text,
    time,
)


@dataclass(frozen=True, slots=True)
class Transaction:
    """One transaction: its code, its name, what goes in and what comes out.

    `changes` is False for one that may be repeated, since it changes nothing that counts.
    """

    code: str
    name: str
    input: tuple[Field, ...]
    output: tuple[Field, ...] = ()
    changes: bool = True


SELF_SERVICE = "2"
"""opter_type of a self-service terminal."""

BY_CARD = "03"
"""mdtrt_cert_type of the social security card; card_sn is mandatory with it."""

OUTPATIENT = "11"
"""med_type of an ordinary outpatient visit."""

BY_ITEM = "01"
"""psn_setlway: settled by item."""

REFUND = "1"
"""refd_setl_flag of a settlement that takes another one back."""

EQUAL = "000000"
"""stmt_rslt when both ledgers have the same totals."""

_PERSON = text("psn_no", 30)
_VISIT = text("mdtrt_id", 30)
_MEDIUM = (text("mdtrt_cert_type", 3), text("mdtrt_cert_no", 50), text("card_sn", 32))
_PARTS = (
    amount("fulamt_ownpay_amt"),
    amount("overlmt_selfpay"),
    amount("preselfpay_amt"),
    amount("inscp_scp_amt"),
)

SETLINFO = (
    _PERSON,
    _VISIT,
    text("setl_id", 30, required=False),
    text("medins_setl_id", 30, required=False),
    time("setl_time", required=False),
    text("insutype", 6),
    text("refd_setl_flag", 3, required=False),
    amount("medfee_sumamt"),
    *_PARTS,
    amount("act_pay_dedc"),
    amount("fund_pay_sumamt"),
    amount("hifp_pay"),
    amount("hifob_pay"),
    amount("oth_pay"),
    amount("psn_part_amt"),
    amount("acct_pay"),
    amount("psn_cash_pay"),
    amount("hosp_part_amt"),
    amount("balc"),
    text("exp_content", 4000, required=False),
)
"""What a settlement comes to. The texts leave `exp_content` to the province."""

_SETLDETAIL = several(
    "setldetail",
    text("fund_pay_type", 6),
    amount("inscp_scp_amt"),
    amount("fund_payamt"),
    text("fund_pay_type_name", 200),
    required=False,
)
_SETTLED = (group("setlinfo", *SETLINFO), _SETLDETAIL)
_ACCOUNTS = (
    _PERSON,
    *_MEDIUM,
    text("med_type", 6),
    amount("medfee_sumamt"),
    text("psn_setlway", 6),
    _VISIT,
    text("chrg_bchno", 64),
    text("acct_used_flag", 3),
    text("insutype", 6),
    text("exp_content", 4000, required=False),
)
_STATEMENT = (
    text("setl_optins", 6),
    day("stmt_begndate"),
    day("stmt_enddate"),
    amount("medfee_sumamt"),
    amount("fund_pay_sumamt"),
)

_ALL = (
    Transaction(
        "9001",
        "签到",
        (group("signIn", text("opter_no", 30), text("mac", 20), text("ip", 20)),),
        (group("signinoutb", time("sign_time"), text("sign_no", 30)),),
    ),
    Transaction(
        "9002",
        "签退",
        (group("signOut", text("sign_no", 30), text("opter_no", 30)),),
        (group("signoutoutb", time("sign_time")),),
    ),
    Transaction(
        "1101",
        "人员信息获取",
        (group("data", *_MEDIUM, time("begntime")),),
        (
            group("baseinfo", _PERSON, text("certno", 50), text("psn_name", 50)),
            several(
                "insuinfo",
                amount("balc"),
                text("insutype", 6),
                text("psn_type", 6),
                text("psn_insu_stas", 6),
                text("insuplc_admdvs", 6),
            ),
        ),
        changes=False,
    ),
    Transaction(
        "2201",
        "门诊挂号",
        (
            group(
                "data",
                _PERSON,
                text("insutype", 6),
                time("begntime"),
                *_MEDIUM,
                text("ipt_otp_no", 64),
                text("atddr_no", 30),
                text("dr_name", 50),
                text("dept_code", 30),
                text("dept_name", 100),
                text("caty", 10),
            ),
        ),
        (group("data", _VISIT, _PERSON, text("ipt_otp_no", 64)),),
    ),
    Transaction("2202", "门诊挂号撤销", (group("data", _PERSON, _VISIT, text("ipt_otp_no", 64)),)),
    Transaction(
        "2203",
        "门诊就诊信息上传",
        (
            group("mdtrtinfo", _VISIT, _PERSON, text("med_type", 6), time("begntime")),
            several(
                "diseinfo",
                text("diag_type", 3),
                text("diag_srt_no", 2),
                text("diag_code", 20),
                text("diag_name", 100),
                text("vali_flag", 3),
                required=False,
            ),
        ),
    ),
    Transaction(
        "2204",
        "门诊费用明细信息上传",
        (
            several(
                "feedetail",
                text("feedetl_sn", 30),
                _VISIT,
                _PERSON,
                text("chrg_bchno", 64),
                time("fee_ocur_time"),
                text("med_list_codg", 50),
                text("medins_list_codg", 150),
                amount("det_item_fee_sumamt"),
                count("cnt"),
                amount("pric"),
            ),
        ),
        (
            several(
                "result",
                text("feedetl_sn", 30),
                amount("det_item_fee_sumamt"),
                amount("fulamt_ownpay_amt"),
                amount("inscp_scp_amt"),
            ),
        ),
    ),
    Transaction(
        "2205",
        "门诊费用明细信息撤销",
        (group("data", text("chrg_bchno", 64), _VISIT, _PERSON),),
    ),
    Transaction("2206", "门诊预结算", (group("data", *_ACCOUNTS),), _SETTLED, changes=False),
    Transaction(
        "2207",
        "门诊结算",
        (group("data", *_ACCOUNTS, text("invono", 20, required=False), *_PARTS),),
        _SETTLED,
    ),
    Transaction(
        "2208",
        "门诊结算撤销",
        (group("data", text("setl_id", 30), _VISIT, _PERSON),),
        _SETTLED,
    ),
    Transaction(
        "2601", "冲正交易", (group("data", _PERSON, text("omsgid", 30), text("oinfno", 5)),)
    ),
    Transaction(
        "3201",
        "医药机构费用结算对总账",
        (
            group(
                "data",
                text("insutype", 6),
                text("clr_type", 6),
                *_STATEMENT,
                amount("acct_pay"),
                count("fixmedins_setl_cnt"),
                text("refd_setl_flag", 3, required=False),
            ),
        ),
        (group("stmtinfo", text("stmt_rslt", 6), text("stmt_rslt_dscr", 200, required=False)),),
        changes=False,
    ),
    Transaction(
        "3202",
        "医药机构费用结算对明细账",
        (
            group(
                "data",
                text("file_qury_no", 30),
                *_STATEMENT,
                amount("cash_payamt"),
                count("fixmedins_setl_cnt"),
            ),
        ),
        (group("fileinfo", text("file_qury_no", 30), text("filename", 200), time("dld_endtime")),),
        changes=False,
    ),
    Transaction(
        "5203",
        "结算信息查询",
        (group("data", _PERSON, text("setl_id", 30, required=False), _VISIT),),
        (several("setlinfo", *SETLINFO, required=False),),
        changes=False,
    ),
    Transaction(
        "9101",
        "文件上传",
        (group("fsUploadIn", text("in", 8_000_000), text("filename", 200)),),
        (group("fsUploadOut", text("file_qury_no", 30)),),
        changes=False,
    ),
    Transaction(
        "9102",
        "文件下载",
        (group("fsDownloadIn", text("file_qury_no", 30), text("filename", 200)),),
        (group("fsDownloadOut", text("out", 8_000_000)),),
        changes=False,
    ),
)

TRANSACTIONS: Mapping[str, Transaction] = {each.code: each for each in _ALL}
"""Every transaction by its code."""
