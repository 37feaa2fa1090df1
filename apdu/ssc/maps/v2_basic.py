"""V2.0: the environment SSSE and the public application DF01.

Facts 3.2, 3.5 and 3.6. Item names: V2.0, table 9; access rules: V2.0, tables 3 and 4.
"""

from __future__ import annotations

from apdu.ssc.filespec import (
    FREE,
    UNTAGGED,
    EfSpec,
    FileClass,
    Structure,
    an,
    b,
    btlv,
    by_key,
    code,
    code_cn,
    date,
    opaque,
    pin_or,
    region,
)
from apdu.ssc.keys import KeyName as K

ISSUER = EfSpec(
    "SSSE", 0xEF05, "发卡机构数据", "Issuer data",
    Structure.VARIABLE, FREE, by_key(K.UKSSSE),
    (
        opaque(0x01, 0x10, "卡的识别码", "Card identification code"),
        code(0x02, 0x01, "卡的类别", "Card class", "card_class"),
        an(0x03, 0x04, "规范版本", "Specification version"),
        opaque(0x04, 0x0C, "初始化机构编号", "Initialising institution"),
        date(0x05, "发卡日期", "Date of issue"),
        date(0x06, "卡有效期", "Valid until"),
        an(0x07, 0x09, "卡号", "Card number"),
    ),
)  # fmt: skip

HOLDER = EfSpec(
    "SSSE", 0xEF06, "持卡人基本信息", "Holder",
    Structure.VARIABLE, FREE, by_key(K.UKSSSE),
    (
        an(0x08, 0x12, "社会保障号码", "Social security number"),
        an(0x09, 0x1E, "姓名", "Name"),
        an(0x4E, 0x14, "姓名扩展", "Name, continued"),
        code(0x0A, 0x01, "性别", "Sex", "sex"),
        code_cn(0x0B, 0x01, "民族", "Ethnicity", "ethnicity"),
        region(0x0C, "出生地", "Place of birth"),
        date(0x0D, "出生日期", "Date of birth"),
    ),
)  # fmt: skip

FINGERPRINTS = EfSpec(
    "SSSE", 0xEF07, "指纹数据", "Fingerprints",
    Structure.TRANSPARENT, by_key(K.RKSSSE), by_key(K.UKSSSE),
    (b(UNTAGGED, 0x300, "指纹", "Fingerprints"),),
    file_class=FileClass.PRESET,
)  # fmt: skip

PHOTO = EfSpec(
    "SSSE", 0xEF08, "照片信息", "Photograph",
    Structure.TRANSPARENT, by_key(K.RKSSSE), by_key(K.UKSSSE),
    (b(UNTAGGED, 0x1000, "数字相片", "Photograph (BMP or JPEG)"),),
    file_class=FileClass.PRESET,
)  # fmt: skip

_READ = pin_or(K.RK1DF01)

PUBLIC = (
    EfSpec(
        "DF01", 0xEF05, "户籍信息", "Household registration",
        Structure.VARIABLE, _READ, by_key(K.UK1DF01),
        (
            code(0x20, 0x02, "户口类别", "Kind of household", "household"),
            an(0x21, 0x50, "户口所在地地址", "Registered address"),
            region(0x0E, "户口所在地行政区划代码", "Registered region"),
        ),
    ),
    EfSpec(
        "DF01", 0xEF06, "常住地信息", "Residence and contacts",
        Structure.VARIABLE, _READ, by_key(K.UK4DF01),
        (
            an(0x23, 0x50, "常住所在地地址", "Residential address"),
            region(0x24, "常住所在地行政区划代码", "Region of residence"),
            an(0x28, 0x0F, "联系电话", "Telephone"),
            an(0x2C, 0x32, "联系人（监护人）姓名", "Contact person or guardian"),
            an(0x2D, 0x0F, "联系人（监护人）电话", "Telephone of the contact person"),
        ),
    ),
    EfSpec(
        "DF01", 0xEF07, "个人状况信息", "Personal status",
        Structure.VARIABLE, _READ, by_key(K.UK2DF01),
        (code(0x29, 0x01, "个人就业或离退休（职）状态", "Employment status", "employment"),),
    ),
    EfSpec(
        "DF01", 0xEF08, "婚姻状况信息", "Marital status",
        Structure.VARIABLE, _READ, by_key(K.UK3DF01),
        (code(0x2B, 0x01, "婚姻状况", "Marital status", "marriage"),),
    ),
    EfSpec(
        "DF01", 0xEF09, "人员身份及就业单位信息", "Occupational status and employer",
        Structure.VARIABLE, _READ, by_key(K.UK2DF01),
        (
            an(0x2E, 0x46, "单位名称", "Employer"),
            an(0x30, 0x09, "单位组织机构代码", "Employer's organisation code"),
            code(0x32, 0x02, "人员身份类别", "Occupational status", "occupational_status"),
        ),
    ),
    EfSpec(
        "DF01", 0xEF0A, "国籍及政治面貌信息", "Nationality and political affiliation",
        Structure.VARIABLE, _READ, by_key(K.UK5DF01),
        (
            code(0x37, 0x03, "国籍", "Nationality (ISO 3166-1)"),
            code(0x38, 0x02, "政治面貌", "Political affiliation", "politics"),
            date(0x39, "参加党派日期", "Date of joining the party"),
        ),
    ),
    EfSpec(
        "DF01", 0xEF15, "学历信息", "Education",
        Structure.VARIABLE, _READ, by_key(K.UK6DF01),
        (
            code_cn(0x2A, 0x01, "学历", "Education", "education"),
            btlv(
                0x40, 0x34, 3, "学位信息", "Degree",
                code(0x57, 0x03, "学位代码", "Degree"),
                code_cn(0x58, 0x03, "所学专业类别", "Field of study"),
                an(0x59, 0x28, "毕业学校名称", "School"),
            ),
        ),
    ),
    *(
        EfSpec(
            "DF01", 0xEF16 + index, f"预留信息 {index + 1}", f"Reserved {index + 1}",
            Structure.TRANSPARENT, FREE, by_key(key),
            (b(UNTAGGED, 0x128, f"预留信息 {index + 1}", f"Reserved {index + 1}"),),
            file_class=FileClass.RESERVED,
        )
        for index, key in enumerate((K.UK7DF01, K.UK8DF01, K.UK9DF01, K.UKADF01, K.UKBDF01))
    ),
)  # fmt: skip

FILES: tuple[EfSpec, ...] = (ISSUER, HOLDER, FINGERPRINTS, PHOTO, *PUBLIC)
