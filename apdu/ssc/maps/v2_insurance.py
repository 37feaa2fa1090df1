"""V2.0: the social insurance applications DF03 (all but medical) and DF04 (medical).

Facts 3.5 and 3.6. Item names: V2.0, table 9; access rules: V2.0, tables 6 and 7. For EF07 and
EF15 to EF19 of DF03 facts 3.5 names the key alone; V2.0 says PIN or key, and exchange T10 reads
EF19 after the PIN, so these files say PIN or key.
"""

from __future__ import annotations

from apdu.ssc.filespec import (
    NEVER,
    PIN,
    UNTAGGED,
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
    count_b,
    date,
    fen,
    fen_b,
    pin_and,
    pin_or,
    region,
    time,
)
from apdu.ssc.keys import KeyName as K

_READ = pin_or(K.RK1DF03)

SOCIAL = (
    EfSpec(
        "DF03", 0xEF05, "失业保险信息", "Unemployment insurance",
        Structure.VARIABLE, pin_or(K.RK2DF03), by_key(K.UK1DF03),
        (
            region(0x61, "失业保险参保地所属行政区划代码", "Region of insurance"),
            # The card holds tag 60 either here or in DF02 EF06, never in both.
            date(0x60, "最近一次办理失业登记日期", "Registered as unemployed on"),
            date(0x98, "最近一次失业保险金申领日期", "Benefit claimed on"),
            date(0x62, "失业保险金申领报到日期/信息更新日期", "Last report or update"),
            count(0x63, 0x03, "失业保险累计缴费年限", "Months contributed"),
            count(0x64, 0x03, "失业保险有效缴费年限", "Months that count"),
            count(0x65, 0x03, "应领取失业保险金月数", "Months of benefit granted"),
            count(0x66, 0x03, "已领取失业保险金月数", "Months of benefit received"),
        ),
    ),
    EfSpec(
        "DF03", 0xEF06, "劳动能力鉴定信息", "Assessment of working ability",
        Structure.VARIABLE, _READ, by_key(K.UK2DF03),
        (
            an(0x45, 0x14, "劳动能力鉴定编号", "Assessment number"),
            code(0x46, 0x02, "申请鉴定事项代码", "Subject", "assessment"),
            code(0x47, 0x02, "伤残等级", "Grade of disability", "disability_grade"),
            code(0x48, 0x01, "生活自理障碍等级", "Need of care", "care_grade"),
            code(0x49, 0x01, "丧失劳动能力鉴定结论", "Incapacity for work", "incapacity"),
            date(0x67, "劳动能力鉴定日期", "Assessed on"),
            an(0x6B, 0x3C, "劳动能力鉴定机构名称", "Assessed by"),
            btlv(
                0x4A, 0x61, 3, "申请确认事项", "Confirmation",
                code(0x13, 0x02, "申请确认事项代码", "Subject", "assessment"),
                code(0x14, 0x01, "确认事项结论", "Result", "confirmed"),
                an(0x15, 0x14, "配置辅助器具项目名称", "Aid"),
                date(0x16, "申请劳动能力确认日期", "Confirmed on"),
                an(0x17, 0x3C, "申请劳动能力确认机构名称", "Confirmed by"),
            ),
        ),
    ),
    EfSpec(
        "DF03", 0xEF07, "养老保险信息", "Pension insurance",
        Structure.VARIABLE, _READ, by_key(K.UK3DF03),
        (
            code(0x70, 0x03, "养老保险险种类型", "Kind", "insurance"),
            region(0x71, "养老保险参保地所属行政区划代码", "Region of insurance"),
            date(0x6E, "基本养老保险个人账户建立日期", "Account opened on"),
            date(0x6C, "离退休日期", "Retired on"),
            date(0x6F, "待遇享受开始日期", "Benefit from"),
            date(0x73, "养老保险信息更新日期", "Updated on"),
        ),
    ),
    EfSpec(
        "DF03", 0xEF15, "工伤保险信息", "Work injury insurance",
        Structure.VARIABLE, _READ, by_key(K.UK4DF03),
        (
            region(0x7A, "工伤保险参保地所属行政区划代码", "Region of insurance"),
            date(0x7B, "工伤定期待遇享受开始日期", "Regular benefit from"),
            date(0x7C, "工伤保险信息更新日期", "Updated on"),
        ),
    ),
    EfSpec(
        "DF03", 0xEF16, "生育保险信息", "Maternity insurance",
        Structure.VARIABLE, _READ, by_key(K.UK5DF03),
        (
            region(0x51, "生育保险参保地所属行政区划代码", "Region of insurance"),
            code(0x5F, 0x01, "职工未就业配偶标识", "Spouse not employed", "yes_no"),
        ),
    ),
    EfSpec(
        "DF03", 0xEF17, "工伤认定信息", "Recognition of a work injury",
        Structure.VARIABLE, _READ, by_key(K.UK6DF03),
        (
            an(0x3B, 0x14, "工伤认定编号", "Recognition number"),
            an(0x3C, 0x46, "用人单位名称", "Employer"),
            code(0x3D, 0x01, "工伤认定结论", "Result", "injury"),
            date(0x3E, "工伤认定日期", "Recognised on"),
            an(0x3F, 0x3C, "工伤认定部门名称", "Recognised by"),
        ),
    ),
    EfSpec(
        "DF03", 0xEF18, "供养亲属信息", "Dependent relative",
        Structure.VARIABLE, _READ, by_key(K.UK7DF03),
        (
            code(0x74, 0x03, "供养险种类型", "Kind of insurance", "insurance"),
            region(0x75, "参保地所属行政区划代码", "Region of insurance"),
            code_cn(0x76, 0x01, "供养关系", "Relation", "kinship"),
            date(0x77, "供养待遇享受开始日期", "Benefit from"),
            date(0x78, "供养亲属信息更新日期", "Updated on"),
        ),
    ),
    EfSpec(
        # "Fixed" records in V2.0, yet with tag and length like the others (facts 3.5, T10); the
        # four stand for pension, medical and unemployment insurance and a spare.
        "DF03", 0xEF19, "参保凭证信息", "Certificates of insurance",
        Structure.VARIABLE, _READ, by_key(K.UK8DF03),
        (
            btlv(
                0x79, 0x27, 4, "参保凭证信息", "Certificate of insurance",
                code(0x18, 0x03, "险种类型", "Kind of insurance", "insurance"),
                region(0x19, "参保地所属行政区划代码", "Region of insurance"),
                date(0x1A, "本地参保起始日期", "Insured from"),
                date(0x1B, "本地参保终止日期", "Insured until"),
                fen(0x1C, "本地个人实际缴费金额", "Contributed by the holder"),
                count(0x1D, 0x03, "本地实际缴费月数", "Months contributed"),
                date(0x1E, "凭证出具日期", "Certified on"),
            ),
        ),
    ),
)  # fmt: skip

TRANSACTION: tuple[RecordSpec, ...] = (
    count_b(UNTAGGED, 0x02, "交易序号", "Number"),
    code(UNTAGGED, 0x01, "交易类型", "Kind", "transaction"),
    cn(UNTAGGED, 0x06, "终端机编号", "Terminal number"),
    time(UNTAGGED, "交易时间", "Time"),
    fen_b(UNTAGGED, "个人账户交易金额", "From or to the account"),
    fen_b(UNTAGGED, "个人自付金额", "Paid by the holder"),
    fen_b(UNTAGGED, "统筹基金支付金额", "Paid by the pooled fund"),
)

MEDICAL = (
    EfSpec(
        "DF04", 0xEF05, "医疗保险基本信息", "Medical insurance",
        Structure.VARIABLE, pin_or(K.RK1DF04), by_key(K.UK1DF04),
        (
            code(0x81, 0x08, "医疗保险险种类型及标识", "Kind and flags", "medical"),
            region(0x84, "医疗保险参保地所属行政区划代码", "Region of insurance"),
            an(0x87, 0x11, "健康档案编号", "Health record number"),
            code_cn(0x8C, 0x01, "医疗保险参保人员类别", "Class of insured", "medical_person"),
            date(0x80, "基本医疗保险个人账户建立日期", "Account opened on"),
            an(0x8B, 0x1D, "基本医疗保险个人账号", "Account number"),
            an(0x8A, 0x0F, "医疗证号", "Medical certificate number"),
            an(0x83, 0x09, "定点医疗机构代码 1", "Designated institution 1"),
            an(0x86, 0x09, "定点医疗机构代码 2", "Designated institution 2"),
            an(0x89, 0x09, "定点医疗机构代码 3", "Designated institution 3"),
            an(0x7D, 0x09, "工伤协议医疗机构代码 1", "Work injury institution 1"),
            an(0x7E, 0x09, "工伤协议医疗机构代码 2", "Work injury institution 2"),
            an(0x7F, 0x09, "工伤协议医疗机构代码 3", "Work injury institution 3"),
            an(0x8D, 0x09, "生育定点医疗机构代码 1", "Maternity institution 1"),
            an(0x8E, 0x09, "生育定点医疗机构代码 2", "Maternity institution 2"),
            code(0x8F, 0x01, "医疗保险用卡方式", "Use of the card", "card_use"),
        ),
    ),
    EfSpec(
        "DF04", 0xEF06, "医疗保险临时脱网结算信息", "Temporary offline settlement",
        Structure.VARIABLE, pin_and(K.RK1DF04), by_key(K.UK2DF04),
        (
            code(0x90, 0x01, "准许脱网医保结算标识", "Offline settlement allowed", "yes_no"),
            fen(0x92, "脱网医保结算累计金额", "Settled offline, total"),
            count(0x93, 0x02, "脱网医保结算累计次数", "Settled offline, times"),
        ),
    ),
    EfSpec(
        "DF04", 0xEF08, "医疗交易明细", "Medical transactions",
        Structure.CYCLIC, PIN, NEVER, TRANSACTION, min_records=30,
    ),
    EfSpec(
        "DF04", 0xEF15, "特殊医疗结算记录", "Special medical settlements",
        Structure.CYCLIC, pin_or(K.RK1DF04), by_key(K.UK2DF04),
        (
            count_b(UNTAGGED, 0x02, "交易序号", "Number"),
            code(UNTAGGED, 0x01, "结算类别", "Kind", "special_settlement"),
        ),
        min_records=8,
    ),
)  # fmt: skip

FILES: tuple[EfSpec, ...] = (*SOCIAL, *MEDICAL)
