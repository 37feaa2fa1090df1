"""Version 1.0 (LB002-2000), where it differs from V2.0.

Facts 3.7; item names from V2.0, annex C and tables of changes. Access rules follow the V2.0 file
in the same place, as no 1.0 table of them was found. Where V2.0 gave a tag a new meaning, a card
may hold either: nibble-E fill at the end of the deciding record means the new one (annex C), and
`_mixed` notes it.

Items over 62 bytes stand in two or three records; the parts are named "续".
"""

from __future__ import annotations

from dataclasses import replace

from apdu.ssc.filespec import (
    EfSpec,
    RecordSpec,
    Structure,
    an,
    btlv,
    by_key,
    cn,
    code,
    code_cn,
    count,
    date,
    fen,
    pin_or,
    region,
)
from apdu.ssc.keys import KeyName as K
from apdu.ssc.maps import v2_basic, v2_employment, v2_insurance
from apdu.ssc.maps.v2_insurance import TRANSACTION


def _mixed(old: RecordSpec, new: RecordSpec, *, decided_by: int = 0) -> RecordSpec:
    return replace(old, renewed=new, renewed_by=decided_by or old.tag)


def _v2(files: tuple[EfSpec, ...], fid: int, zh: str, en: str, *records: RecordSpec) -> EfSpec:
    """A 1.0 file with the access rules of the V2.0 file in the same place."""
    file = next(file for file in files if file.fid == fid)
    return replace(file, name_zh=zh, name_en=en, records=records)


_DF01 = v2_basic.PUBLIC
_DF02 = v2_employment.FILES
_DF03 = v2_insurance.SOCIAL
_DF04 = v2_insurance.MEDICAL

SSSE = (
    v2_basic.ISSUER,
    replace(
        v2_basic.HOLDER,
        records=tuple(record for record in v2_basic.HOLDER.records if record.tag != 0x4E),
    ),
    v2_basic.FINGERPRINTS,
)

PUBLIC = (
    _v2(
        _DF01, 0xEF05, "户籍信息", "Household registration",
        code(0x20, 0x01, "户口类别", "Kind of household"),
        an(0x21, 0x3E, "常住户口所在地地址", "Registered address"),
        an(0x22, 0x12, "常住户口所在地地址（续）", "Registered address, continued"),
    ),
    _v2(
        _DF01, 0xEF06, "通讯信息", "Contact",
        an(0x25, 0x3E, "通讯地址", "Postal address"),
        an(0x26, 0x12, "通讯地址（续）", "Postal address, continued"),
        cn(0x27, 0x03, "通讯地址邮政编码", "Postcode"),
        an(0x28, 0x0F, "联系电话", "Telephone"),
    ),
    _v2(
        _DF01, 0xEF07, "个人状况信息", "Personal status",
        code(0x29, 0x01, "个人就业或离退休（职）状态", "Employment status", "employment"),
    ),
    _v2(
        _DF01, 0xEF08, "婚姻状况信息", "Marital status",
        code(0x2B, 0x01, "婚姻状况", "Marital status", "marriage"),
    ),
    _v2(
        _DF01, 0xEF09, "就业单位信息", "Employer",
        an(0x2E, 0x3E, "单位名称", "Employer"),
        an(0x2F, 0x08, "单位名称（续）", "Employer, continued"),
        an(0x30, 0x09, "单位组织机构代码", "Employer's organisation code"),
        code(0x31, 0x01, "单位类型", "Kind of employer"),
        _mixed(
            code(0x32, 0x03, "单位经济类型", "Economic type of employer"),
            code(0x32, 0x02, "人员身份类别", "Occupational status", "occupational_status"),
        ),
    ),
    _v2(
        _DF01, 0xEF0A, "工资信息", "Wages",
        _mixed(
            fen(0x37, "缴费基数", "Contribution base"),
            code(0x37, 0x03, "国籍", "Nationality (ISO 3166-1)"),
        ),
        _mixed(
            fen(0x38, "上年工资总额", "Wages of the year before"),
            code(0x38, 0x02, "政治面貌", "Political affiliation", "politics"),
        ),
        _mixed(
            date(0x39, "工资信息更新日期", "Updated on"),
            date(0x39, "参加党派日期", "Date of joining the party"),
            decided_by=0x38,
        ),
    ),
)  # fmt: skip


def _education(tag: int, number: int) -> RecordSpec:
    return btlv(
        tag, 0x34, 1, f"学历信息 {number}", f"Education {number}",
        code(0x57, 0x03, "学位", "Degree"),
        code_cn(0x58, 0x03, "专业", "Field of study"),
        an(0x59, 0x28, "毕业学校名称", "School"),
    )  # fmt: skip


def _qualification(tag: int, number: int) -> RecordSpec:
    return btlv(
        tag, 0x1D, 1, f"职业资格信息 {number}", f"Vocational qualification {number}",
        code(0x5A, 0x07, "职业", "Occupation"),
        code(0x5B, 0x01, "职业资格等级", "Grade"),
        an(0x5C, 0x09, "职业资格发证/年检机构代码", "Issued or verified by"),
        date(0x5D, "职业资格发证/年检日期", "Issued or verified on"),
    )  # fmt: skip


EMPLOYMENT = (
    _v2(
        _DF02, 0xEF05, "职业和专业技能信息", "Occupation and skills",
        _education(0x40, 1),
        _education(0x41, 2),
        code_cn(0x42, 0x03, "专业技术职务", "Professional title"),
        _qualification(0x43, 1),
        _qualification(0x44, 2),
    ),
    _v2(
        _DF02, 0xEF06, "就业与失业信息", "Employment and unemployment",
        _mixed(
            date(0x4B, "首次参加工作日期", "First employed on"),
            code(0x4B, 0x05, "就业登记类型及形式", "Kind and form", "employment_registration"),
        ),
        date(0x4C, "最近一次办理就业登记日期", "Registered as employed on"),
        date(0x60, "最近一次办理失业登记日期", "Registered as unemployed on"),
        _mixed(
            date(0x4D, "签订劳动合同日期", "Contract signed on"),
            region(0x4D, "就业登记地行政区划代码", "Region of registration"),
        ),
        _mixed(
            date(0x4F, "终止（解除）劳动合同日期", "Contract ended on"),
            code(
                0x4F, 0x06, "失业登记类型、原因及注销原因", "Kind, reason, end",
                "unemployment_registration",
            ),
        ),
        _mixed(
            date(0x50, "劳动合同起始日期", "Contract from"),
            region(0x50, "失业登记地行政区划代码", "Region of registration"),
        ),
        code(0x3A, 0x07, "现从事职业", "Present occupation"),
    ),
    v2_employment.HISTORY,
    EfSpec(
        # V2.0 dropped this file; no source names its write key, UK4DF02 is inferred from EF09.
        "DF02", 0xEF08, "农村流动劳动力就业登记卡信息", "Registration of migrant workers",
        Structure.VARIABLE, pin_or(K.RK1DF02), by_key(K.UK4DF02),
        (
            cn(0x52, 0x0A, "外来人员就业登记卡编号", "Registration card number"),
            an(0x53, 0x3E, "登记卡签发机关", "Issued by"),
            an(0x94, 0x08, "登记卡签发机关（续）", "Issued by, continued"),
            date(0x54, "登记卡签发日期", "Issued on"),
        ),
    ),
    _v2(
        _DF02, 0xEF09, "农村流动劳动力就业证信息", "Employment permit of migrant workers",
        _mixed(
            cn(0x55, 0x0A, "外来人员就业证编号", "Permit number"),
            cn(0x55, 0x08, "就业失业登记证编号", "Certificate number"),
        ),
        _mixed(
            an(0x56, 0x3E, "就业证签发机关", "Issued by"),
            an(0x56, 0x3E, "就业失业登记证发证机构", "Issued by"),
            decided_by=0x55,
        ),
        an(0x95, 0x08, "就业证签发机关（续）", "Issued by, continued"),
        _mixed(
            date(0x96, "就业证签发/年检日期", "Issued or verified on"),
            date(0x96, "就业失业登记证发证/年检日期", "Issued or verified on"),
            decided_by=0x55,
        ),
        _mixed(
            date(0x97, "就业证有效期", "Valid until"),
            region(0x97, "就业失业登记证发证地行政区划代码", "Region of issue"),
        ),
    ),
)  # fmt: skip

SOCIAL = (
    _v2(
        _DF03, 0xEF05, "失业保险信息", "Unemployment insurance",
        date(0x60, "最近一次办理失业登记日期", "Registered as unemployed on"),
        date(0x98, "最近一次失业保险金申领日期", "Benefit claimed on"),
        _mixed(
            fen(0x61, "月失业保险金支付标准", "Monthly benefit"),
            region(0x61, "失业保险参保地所属行政区划代码", "Region of insurance"),
        ),
        date(0x62, "失业保险信息更新日期", "Updated on"),
        count(0x63, 0x03, "失业保险累计缴费年限", "Months contributed"),
        count(0x64, 0x03, "失业保险有效缴费年限", "Months that count"),
        count(0x65, 0x03, "应领取失业保险金月数", "Months of benefit granted"),
        count(0x66, 0x03, "已领取失业保险金月数", "Months of benefit received"),
    ),
    _v2(
        _DF03, 0xEF06, "丧失劳动能力鉴定信息", "Assessment of incapacity for work",
        date(0x67, "丧失劳动能力鉴定日期", "Assessed on"),
        an(0x68, 0x3E, "丧失劳动能力鉴定结论", "Conclusion"),
        an(0x69, 0x3E, "丧失劳动能力鉴定结论（续）", "Conclusion, continued"),
        an(0x6A, 0x10, "丧失劳动能力鉴定结论（续）", "Conclusion, continued"),
        an(0x6B, 0x3C, "鉴定机构名称", "Assessed by"),
    ),
    _v2(
        _DF03, 0xEF07, "养老保险信息", "Pension insurance",
        date(0x6C, "办理离休、退休或退职日期", "Retired on"),
        fen(0x6D, "月养老金支付金额", "Monthly pension"),
        date(0x6E, "基本养老保险个人账户建立日期", "Account opened on"),
        _mixed(
            date(0x6F, "基本养老保险个人账户变更日期", "Account changed on"),
            date(0x6F, "待遇享受开始日期", "Benefit from"),
            decided_by=0x71,
        ),
        _mixed(
            count(0x70, 0x03, "养老保险费累计缴纳月数", "Months contributed"),
            code(0x70, 0x03, "养老保险险种类型", "Kind", "insurance"),
            decided_by=0x71,
        ),
        _mixed(
            fen(0x71, "基本养老保险个人账户个人缴纳部分本息储存额", "Balance, holder's part"),
            region(0x71, "养老保险参保地所属行政区划代码", "Region of insurance"),
        ),
        fen(0x72, "基本养老保险个人账户单位缴纳部分本息储存额", "Balance, employer's part"),
        date(0x73, "养老保险信息更新日期", "Updated on"),
    ),
)  # fmt: skip

MEDICAL = (
    _v2(
        _DF04, 0xEF05, "医疗保险基本信息", "Medical insurance",
        date(0x80, "基本医疗保险个人账户建立日期", "Account opened on"),
        _mixed(
            an(0x81, 0x3E, "定点医疗机构名称 1", "Designated institution 1"),
            code(0x81, 0x08, "医疗保险险种类型及标识", "Kind and flags", "medical"),
        ),
        an(0x82, 0x08, "定点医疗机构名称 1（续）", "Designated institution 1, continued"),
        an(0x83, 0x09, "定点医疗机构代码 1", "Code of institution 1"),
        _mixed(
            an(0x84, 0x3E, "定点医疗机构名称 2", "Designated institution 2"),
            region(0x84, "医疗保险参保地所属行政区划代码", "Region of insurance"),
        ),
        an(0x85, 0x08, "定点医疗机构名称 2（续）", "Designated institution 2, continued"),
        an(0x86, 0x09, "定点医疗机构代码 2", "Code of institution 2"),
        _mixed(
            an(0x87, 0x3E, "定点医疗机构名称 3", "Designated institution 3"),
            an(0x87, 0x11, "健康档案编号", "Health record number"),
        ),
        an(0x88, 0x08, "定点医疗机构名称 3（续）", "Designated institution 3, continued"),
        an(0x89, 0x09, "定点医疗机构代码 3", "Code of institution 3"),
        an(0x8A, 0x0F, "医疗证号", "Medical certificate number"),
        an(0x8B, 0x0A, "基本医疗保险个人账号", "Account number"),
        code(0x8C, 0x01, "医疗人员类别", "Class of insured"),
        code(0x8F, 0x01, "医疗保险用卡方式", "Use of the card", "card_use"),
    ),
    _v2(
        _DF04, 0xEF06, "医疗保险账户信息", "Medical account",
        _mixed(
            fen(0x90, "基本医疗保险个人账户余额", "Balance"),
            code(0x90, 0x01, "准许脱网医保结算标识", "Offline settlement allowed", "yes_no"),
        ),
        _mixed(
            fen(0x92, "年度个人自付累计金额", "Paid by the holder this year"),
            fen(0x92, "脱网医保结算累计金额", "Settled offline, total"),
            decided_by=0x90,
        ),
        _mixed(
            fen(0x93, "年度统筹基金支付累计金额", "Paid by the pooled fund this year"),
            count(0x93, 0x02, "脱网医保结算累计次数", "Settled offline, times"),
        ),
    ),
    replace(
        next(file for file in _DF04 if file.fid == 0xEF08), records=TRANSACTION, min_records=10
    ),
)  # fmt: skip

FILES: tuple[EfSpec, ...] = (*SSSE, *PUBLIC, *EMPLOYMENT, *SOCIAL, *MEDICAL)
