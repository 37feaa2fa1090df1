"""V2.0: the employment application DF02.

Facts 3.5 and 3.6. Item names: V2.0, table 9; access rules: V2.0, table 5.
"""

from __future__ import annotations

from apdu.ssc.filespec import (
    UNTAGGED,
    EfSpec,
    FileClass,
    Structure,
    an,
    btlv,
    by_key,
    code,
    date,
    pin_or,
    region,
)
from apdu.ssc.keys import KeyName as K

_READ = pin_or(K.RK1DF02)

HISTORY = EfSpec(
    "DF02", 0xEF07, "就业记录信息", "Employment history",
    Structure.CYCLIC, _READ, by_key(K.UK3DF02),
    (
        code(UNTAGGED, 0x07, "从事职业", "Occupation"),
        date(UNTAGGED, "就业起始日期", "Employed from"),
        date(UNTAGGED, "就业终止日期", "Employed until"),
        an(UNTAGGED, 0x46, "就业工作单位名称", "Employer"),
    ),
    min_records=4,
)  # fmt: skip

FILES: tuple[EfSpec, ...] = (
    EfSpec(
        "DF02", 0xEF05, "职业和专业技能信息", "Occupation and skills",
        Structure.VARIABLE, _READ, by_key(K.UK1DF02),
        (
            code(0x42, 0x03, "专业技术职务代码", "Professional title"),
            code(0x41, 0x03, "专业技术职务级别", "Level of the title", "title_level"),
            btlv(
                0x43, 0x6C, 2, "职业资格（工人技术等级）信息", "Vocational qualification",
                code(0x5A, 0x07, "名称代码", "Occupation"),
                code(0x5B, 0x01, "等级", "Grade"),
                an(0x5C, 0x46, "证书发证/年检机构名称", "Issued or verified by"),
                date(0x5D, "证书发证/年检日期", "Issued or verified on"),
                an(0x5E, 0x10, "证书编号", "Certificate number"),
            ),
            btlv(
                0x44, 0x65, 2, "职业资格（专业技术人员）信息", "Professional qualification",
                code(0x33, 0x03, "名称代码", "Profession"),
                an(0x34, 0x46, "注册登记/年检机构名称", "Registered or verified by"),
                date(0x35, "注册登记/年检日期", "Registered or verified on"),
                an(0x36, 0x10, "证书编号", "Certificate number"),
            ),
        ),
        file_class=FileClass.PRESET,
    ),
    EfSpec(
        "DF02", 0xEF06, "就业状况信息", "Employment registration",
        Structure.VARIABLE, _READ, by_key(K.UK2DF02),
        (
            date(0x4C, "最近一次办理就业登记日期", "Registered as employed on"),
            code(0x4B, 0x05, "就业登记类型及形式", "Kind and form", "employment_registration"),
            region(0x4D, "就业登记地行政区划代码", "Region of that registration"),
            date(0x60, "最近一次办理失业登记日期", "Registered as unemployed on"),
            code(0x4F, 0x06, "失业登记类型、原因及注销原因", "Kind, reason, end",
                 "unemployment_registration"),
            region(0x50, "失业登记地行政区划代码", "Region of that registration"),
            code(0x3A, 0x07, "现从事职业", "Present occupation"),
        ),
    ),
    HISTORY,
    EfSpec(
        "DF02", 0xEF09, "就业失业登记证信息", "Employment certificate",
        Structure.VARIABLE, _READ, by_key(K.UK4DF02),
        (
            an(0x55, 0x10, "就业失业登记证编号", "Certificate number"),
            an(0x56, 0x46, "就业失业登记证发证机构", "Issued by"),
            date(0x96, "就业失业登记证发证/年检日期", "Issued or verified on"),
            region(0x97, "就业失业登记证发证地行政区划代码", "Region of issue"),
        ),
    ),
    EfSpec(
        "DF02", 0xEF15, "就业援助对象认定信息", "Entitlement to employment assistance",
        Structure.VARIABLE, _READ, by_key(K.UK5DF02),
        (
            btlv(
                0x99, 0x10, 4, "就业援助对象认定信息", "Recognition",
                code(0x10, 0x03, "认定为就业援助对象类型", "Kind", "assistance"),
                date(0x11, "就业援助认定日期", "Recognised on"),
                region(0x12, "就业援助认定地行政区划代码", "Region"),
            ),
            date(0x0F, "退出就业援助对象范围的认定日期", "Ended on"),
            region(0x1F, "退出就业援助对象范围的认定地行政区划代码", "Region of the end"),
        ),
    ),
    EfSpec(
        "DF02", 0xEF16, "就业扶持政策享受信息", "Employment support received",
        Structure.CYCLIC, _READ, by_key(K.UK6DF02),
        (
            code(UNTAGGED, 0x03, "享受就业扶持政策类型", "Kind", "support"),
            date(UNTAGGED, "享受就业扶持政策核准日期", "Approved on"),
            date(UNTAGGED, "就业扶持政策享受开始日期", "From"),
            date(UNTAGGED, "就业扶持政策享受终止日期", "Until"),
            region(UNTAGGED, "就业扶持政策享受地行政区划代码", "Region"),
        ),
        min_records=4,
    ),
)  # fmt: skip
