"""V2.0: health DF05, relief DF06 (both optional, annex B) and personnel DF07.

Facts 3.5 and 3.6. Item names: V2.0, tables 9, B3 and B6 to B8; access rules: V2.0, table 8 and
annex B.
"""

from __future__ import annotations

from apdu.ssc.filespec import (
    FREE,
    EfSpec,
    FileClass,
    RecordSpec,
    Structure,
    an,
    btlv,
    by_key,
    code,
    code_cn,
    date,
    fen,
    month,
    year,
)
from apdu.ssc.keys import KeyName as K


def _flag(tag: int, zh: str, en: str) -> RecordSpec:
    return code(tag, 0x01, zh, en, "health_flag")


def _relief(tag: int, number: int) -> RecordSpec:
    return btlv(
        tag, 0x1A, 1, f"社会救助信息 {number}", f"Social relief {number}",
        code_cn(0xE3, 0x01, "社会救助代码", "Kind", "relief"),
        date(0xE4, "社会救助批准日期", "Approved on"),
        date(0xE5, "社会救助复核日期", "Reviewed on"),
        fen(0xE6, "最近一次获得社会救助的金额", "Last amount"),
        month(0xE7, "社会救助已发放月度", "Paid up to"),
    )  # fmt: skip


HEALTH = EfSpec(
    "DF05", 0xEF05, "生命与健康信息", "Health",
    Structure.VARIABLE, FREE, by_key(K.UK1DF05),
    (
        code(0xA0, 0x01, "健康状况", "State of health", "health"),
        code(0xA1, 0x01, "残疾类别", "Kind of disability", "disability"),
        code(0xB9, 0x01, "残疾等级", "Degree of disability", "disability_degree"),
        an(0xA2, 0x04, "ABO 血型代码", "ABO blood group"),
        code_cn(0xA9, 0x01, "RH 血型代码", "Rh blood group", "rhesus"),
        btlv(
            0xA3, 0x18, 5, "禁忌药信息", "Contraindicated drug",
            an(0xA5, 0x10, "禁忌药", "Drug"),
            code(0xA6, 0x04, "禁忌药代码", "Drug code"),
        ),
        btlv(
            0xA4, 0x17, 5, "重大疾病信息", "Serious illness",
            an(0xA7, 0x10, "重大疾病", "Illness"),
            code(0xA8, 0x03, "重大疾病代码", "Illness code"),
        ),
        an(0xBA, 0x14, "过敏物质名称", "Allergen"),
        an(0xBB, 0x64, "过敏反应", "Allergic reaction"),
        an(0xAA, 0x14, "免疫接种名称", "Vaccination"),
        date(0xAB, "免疫接种时间", "Vaccinated on"),
        _flag(0xAC, "哮喘标志", "Asthma"),
        _flag(0xAD, "心脏病标志", "Heart disease"),
        _flag(0xAE, "心脑血管标志", "Cardiovascular or cerebrovascular disease"),
        _flag(0xAF, "癫痫病标志", "Epilepsy"),
        _flag(0xB0, "凝血紊乱标志", "Coagulation disorder"),
        _flag(0xB1, "糖尿病标志", "Diabetes"),
        _flag(0xB2, "青光眼标志", "Glaucoma"),
        _flag(0xB3, "透析标志", "Dialysis"),
        _flag(0xB4, "器官移植标志", "Organ transplant"),
        _flag(0xB5, "器官缺失标志", "Missing organ"),
        _flag(0xB6, "可装卸的义肢标志", "Removable prosthesis"),
        _flag(0xB7, "心脏起搏器标志", "Pacemaker"),
        _flag(0xBC, "精神病标志", "Mental illness"),
        an(0xB8, 0x28, "其他医学警示名称", "Other medical warning"),
    ),
    file_class=FileClass.PRESET,
)  # fmt: skip

RELIEF = EfSpec(
    "DF06", 0xEF05, "社会救助信息", "Social relief",
    Structure.VARIABLE, by_key(K.RK1DF06), by_key(K.UK1DF06),
    (
        an(0xC0, 0x46, "救助金发放机构名称", "Paid by"),
        an(0xC2, 0x09, "救助金发放机构代码", "Payer's organisation code"),
        _relief(0xC3, 1),
        _relief(0xC4, 2),
        _relief(0xC5, 3),
    ),
    file_class=FileClass.PRESET,
)  # fmt: skip

PREFERENCE = EfSpec(
    "DF06", 0xEF06, "优待抚恤信息", "Preferential treatment",
    Structure.VARIABLE, by_key(K.RK1DF06), by_key(K.UK2DF06),
    (
        an(0xC6, 0x46, "优待抚恤金发放机构", "Paid by"),
        an(0xC8, 0x09, "优待抚恤金发放机构代码", "Payer's organisation code"),
        code_cn(0xC9, 0x01, "优待抚恤代码 1", "Kind 1", "preference"),
        date(0xCA, "优待抚恤批准日期 1", "Approved on 1"),
        date(0xCB, "优待抚恤截止日期 1", "Ends on 1"),
        fen(0xCC, "当年义务兵优待金发放标准", "Conscript's allowance this year"),
        year(0xCD, "优待抚恤已发放年度 1", "Paid up to 1"),
        code_cn(0xCE, 0x01, "优待抚恤代码 2", "Kind 2", "preference"),
        date(0xCF, "优待抚恤批准日期 2", "Approved on 2"),
        date(0xD0, "优待抚恤截止日期 2", "Ends on 2"),
        fen(0xD1, "当年定期抚恤金发放标准", "Regular pension this year"),
        month(0xD2, "优待抚恤已发放月度 2", "Paid up to 2"),
        code_cn(0xD3, 0x01, "优待抚恤代码 3", "Kind 3", "preference"),
        date(0xD4, "优待抚恤批准日期 3", "Approved on 3"),
        date(0xD5, "优待抚恤截止日期 3", "Ends on 3"),
        fen(0xD6, "当年定期补助发放标准", "Regular subsidy this year"),
        month(0xD7, "优待抚恤已发放月度 3", "Paid up to 3"),
        code_cn(0xD8, 0x01, "优待抚恤代码 4", "Kind 4", "preference"),
        date(0xD9, "优待抚恤批准日期 4", "Approved on 4"),
        date(0xDA, "优待抚恤截止日期 4", "Ends on 4"),
        fen(0xDB, "当年抚恤金标准（中央）", "Pension this year, central"),
        fen(0xDC, "当年抚恤金补助标准（地方）", "Pension supplement this year, local"),
        fen(0xDD, "当年保健金标准（中央）", "Health allowance this year, central"),
        fen(0xDE, "当年保健金补助标准（地方）", "Health supplement this year, local"),
        month(0xDF, "伤残抚恤金已发放月度", "Disability pension paid up to"),
        month(0xE0, "伤残抚恤补助金已发放月度", "Its supplement paid up to"),
        year(0xE1, "伤残保健金已发放年度", "Disability health allowance paid up to"),
        year(0xE2, "伤残保健补助金已发放年度", "Its supplement paid up to"),
    ),
    file_class=FileClass.PRESET,
)  # fmt: skip

PERSONNEL = (
    EfSpec(
        "DF07", 0xEF05, "荣誉信息", "Honours",
        Structure.VARIABLE, by_key(K.RK1DF07), by_key(K.UK1DF07),
        (
            code(0xF0, 0x02, "荣誉称号名称代码", "Title of honour"),
            code(0xF1, 0x01, "荣誉称号级别", "Level of the title", "honour_level"),
            date(0xF2, "荣誉称号批准日期", "Title approved on"),
            code(0xF3, 0x03, "荣誉奖章名称代码", "Medal", "medal"),
            date(0xF4, "荣誉奖章批准日期", "Medal approved on"),
        ),
        file_class=FileClass.PRESET,
    ),
    EfSpec(
        "DF07", 0xEF06, "专家信息", "Expert",
        Structure.VARIABLE, by_key(K.RK2DF07), by_key(K.UK2DF07),
        (
            code(0xF5, 0x03, "专家类别", "Kind of expert"),
            date(0xF6, "批准日期", "Approved on"),
            an(0xF7, 0x46, "批准单位名称", "Approved by"),
        ),
        file_class=FileClass.PRESET,
    ),
    EfSpec(
        "DF07", 0xEF07, "军队转业干部信息", "Former officer",
        Structure.VARIABLE, by_key(K.RK3DF07), by_key(K.UK3DF07),
        (
            date(0xF8, "批准转业日期", "Transfer approved on"),
            code(0xF9, 0x01, "安置方式", "Placement", "placement"),
        ),
        file_class=FileClass.PRESET,
    ),
)  # fmt: skip

FILES: tuple[EfSpec, ...] = (HEALTH, RELIEF, PREFERENCE, *PERSONNEL)
