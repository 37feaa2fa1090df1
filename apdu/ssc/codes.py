"""The code lists of the card's items, with Chinese and English labels (facts 3.8; V2.0, 8).

The file map names these lists. Not here: region codes (GB/T 2260), countries (ISO 3166-1),
occupations, fields of study, degrees, and the long lists of titles of honour, kinds of expert and
professions; a code of those is shown as it is.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import NamedTuple


class Label(NamedTuple):
    """What a code means."""

    zh: str
    en: str


def label(codes: str, code: str) -> Label | None:
    """The meaning of `code` in the list `codes`; None when list or code are not known.

    Some items join several codes: their labels are joined, and None stands for one that has an
    unknown part.
    """
    parts = _COMPOSITE.get(codes)
    if parts is None:
        found = CODES.get(codes, {}).get(code)
        return Label(*found) if found else None
    labels = []
    at = 0
    for length, name, prefix in parts:
        part, at = code[at : at + length], at + length
        if part == "0" * length and name not in ("yes_no", "medical_insurance"):
            continue  # zeros say that this part does not apply
        one = label(name, part)
        if one is None:
            return None
        labels.append(Label(prefix.zh + one.zh, prefix.en + one.en))
    return Label("，".join(one.zh for one in labels), ", ".join(one.en for one in labels))


CODES: Mapping[str, Mapping[str, tuple[str, str]]] = {
    "card_class": {
        "1": ("学龄前儿童卡", "Preschool child"),
        "2": ("学生卡", "Student"),
        "3": ("成年人卡", "Adult"),
        "4": ("老年人卡", "Senior"),
    },
    "sex": {
        "1": ("男", "Male"),
        "2": ("女", "Female"),
        "9": ("未说明", "Not stated"),
    },
    "ethnicity": {
        "01": ("汉族", "Han"),
        "02": ("蒙古族", "Mongol"),
        "03": ("回族", "Hui"),
        "04": ("藏族", "Tibetan"),
        "05": ("维吾尔族", "Uyghur"),
        "06": ("苗族", "Miao"),
        "07": ("彝族", "Yi"),
        "08": ("壮族", "Zhuang"),
        "09": ("布依族", "Buyi"),
        "10": ("朝鲜族", "Korean"),
        "11": ("满族", "Manchu"),
        "12": ("侗族", "Dong"),
        "13": ("瑶族", "Yao"),
        "14": ("白族", "Bai"),
        "15": ("土家族", "Tujia"),
        "16": ("哈尼族", "Hani"),
        "17": ("哈萨克族", "Kazakh"),
        "18": ("傣族", "Dai"),
        "19": ("黎族", "Li"),
        "20": ("傈僳族", "Lisu"),
        "21": ("佤族", "Va"),
        "22": ("畲族", "She"),
        "23": ("高山族", "Gaoshan"),
        "24": ("拉祜族", "Lahu"),
        "25": ("水族", "Sui"),
        "26": ("东乡族", "Dongxiang"),
        "27": ("纳西族", "Naxi"),
        "28": ("景颇族", "Jingpo"),
        "29": ("柯尔克孜族", "Kirgiz"),
        "30": ("土族", "Tu"),
        "31": ("达斡尔族", "Daur"),
        "32": ("仫佬族", "Mulao"),
        "33": ("羌族", "Qiang"),
        "34": ("布朗族", "Blang"),
        "35": ("撒拉族", "Salar"),
        "36": ("毛南族", "Maonan"),
        "37": ("仡佬族", "Gelao"),
        "38": ("锡伯族", "Xibe"),
        "39": ("阿昌族", "Achang"),
        "40": ("普米族", "Pumi"),
        "41": ("塔吉克族", "Tajik"),
        "42": ("怒族", "Nu"),
        "43": ("乌孜别克族", "Uzbek"),
        "44": ("俄罗斯族", "Russian"),
        "45": ("鄂温克族", "Ewenki"),
        "46": ("德昂族", "De'ang"),
        "47": ("保安族", "Bonan"),
        "48": ("裕固族", "Yugur"),
        "49": ("京族", "Gin"),
        "50": ("塔塔尔族", "Tatar"),
        "51": ("独龙族", "Derung"),
        "52": ("鄂伦春族", "Oroqen"),
        "53": ("赫哲族", "Hezhen"),
        "54": ("门巴族", "Monba"),
        "55": ("珞巴族", "Lhoba"),
        "56": ("基诺族", "Jino"),
        "99": ("其他", "Other"),
    },
    "household": {
        "10": ("非农业户口", "Non-agricultural"),
        "11": ("本地非农业户口", "Non-agricultural, local"),
        "12": ("外地非农业户口", "Non-agricultural, from elsewhere"),
        "20": ("农业户口", "Agricultural"),
        "21": ("本地农业户口", "Agricultural, local"),
        "22": ("外地农业户口", "Agricultural, from elsewhere"),
        "30": ("港澳台侨人员", "Hong Kong, Macao, Taiwan or overseas Chinese"),
        "31": ("香港特别行政区居民", "Resident of Hong Kong"),
        "32": ("澳门特别行政区居民", "Resident of Macao"),
        "33": ("台湾地区居民", "Resident of Taiwan"),
        "34": ("华侨", "Overseas Chinese"),
        "40": ("外国人", "Foreigner"),
        "41": ("未取得永久居留权的外国人", "Foreigner without permanent residence"),
        "42": ("取得永久居留权的外国人", "Foreigner with permanent residence"),
        "50": ("居民户口", "Resident"),
        "51": ("本地居民户口", "Resident, local"),
        "52": ("外地居民户口", "Resident, from elsewhere"),
    },
    "employment": {
        "1": ("在业", "Employed"),
        "2": ("离休", "Retired with veteran's status"),
        "3": ("退休", "Retired"),
        "4": ("退职", "Resigned for good"),
        "5": ("失业", "Unemployed"),
        "6": ("无业", "Without work"),
        "7": ("从未就业", "Never employed"),
        "8": ("其他非在业", "Other, not employed"),
    },
    "marriage": {
        "1": ("未婚", "Single"),
        "2": ("已婚", "Married"),
        "3": ("丧偶", "Widowed"),
        "4": ("离婚", "Divorced"),
        "9": ("未说明", "Not stated"),
    },
    "occupational_status": {
        "11": ("国家公务员", "Civil servant"),
        "12": ("参照公务员管理人员", "Managed as a civil servant"),
        "13": ("专业技术人员", "Professional or technician"),
        "17": ("职员", "Clerk"),
        "21": ("企业管理人员", "Manager"),
        "24": ("工人", "Worker"),
        "27": ("农民", "Farmer"),
        "31": ("学生", "Student"),
        "37": ("现役军人", "On active military service"),
        "51": ("自由职业者", "Freelance"),
        "54": ("个体经营者", "Self-employed"),
        "70": ("无业人员", "Without work"),
        "80": ("退（离）休人员", "Retired"),
        "90": ("其他", "Other"),
    },
    "politics": {
        "01": ("中共党员", "Communist Party of China"),
        "02": ("中共预备党员", "Communist Party of China, probationary"),
        "03": ("共青团员", "Communist Youth League"),
        "04": ("民革会员", "Revolutionary Committee of the Kuomintang"),
        "05": ("民盟盟员", "China Democratic League"),
        "06": ("民建会员", "China National Democratic Construction Association"),
        "07": ("民进会员", "China Association for Promoting Democracy"),
        "08": ("农工党党员", "Peasants' and Workers' Democratic Party"),
        "09": ("致公党党员", "China Zhi Gong Party"),
        "10": ("九三学社社员", "Jiusan Society"),
        "11": ("台盟盟员", "Taiwan Democratic Self-Government League"),
        "12": ("无党派民主人士", "Without party affiliation"),
        "13": ("群众", "General public"),
    },
    "education": {
        "11": ("博士研究生", "Doctoral studies"),
        "14": ("硕士研究生", "Master's studies"),
        "21": ("大学本科", "University, bachelor"),
        "31": ("大学专科", "University, short course"),
        "41": ("中等专科", "Secondary technical school"),
        "44": ("职业高中", "Vocational secondary school"),
        "47": ("技工学校", "Workers' technical school"),
        "61": ("普通高中", "Upper secondary school"),
        "71": ("初级中学", "Lower secondary school"),
        "81": ("小学", "Primary school"),
        "90": ("其他", "Other"),
    },
    "title_level": {
        "410": ("高级", "Senior"),
        "411": ("正高级", "Senior, full"),
        "412": ("副高级", "Senior, associate"),
        "420": ("中级", "Intermediate"),
        "430": ("初级", "Junior"),
        "434": ("助理级", "Assistant"),
        "435": ("员级", "Technician"),
        "499": ("未定职级", "Not graded"),
    },
    "employment_kind": {
        "10": ("实现就业", "Employment begun"),
        "20": ("终止就业", "Employment ended"),
    },
    "employment_form": {
        "010": ("单位就业", "By an employer"),
        "020": ("自主就业", "On one's own account"),
        "021": ("个体经营", "Own business"),
        "022": ("灵活就业", "Flexible"),
        "023": ("其他自主就业", "On one's own account, other"),
        "030": ("公益性岗位安置", "Public welfare post"),
        "990": ("其它就业形式", "Other"),
    },
    "unemployment_kind": {
        "10": ("失业登记", "Registered as unemployed"),
        "20": ("注销失业登记", "Registration ended"),
    },
    "unemployment_reason": {
        "10": ("离校后未能继续升学", "Left school"),
        "20": ("与企业解除或终止劳动关系", "Employment with an enterprise ended"),
        "30": ("从机关事业单位辞职或被辞退解聘", "Left a public institution"),
        "40": ("由农业户口转为非农业户口并失去承包土地", "Lost contracted land"),
        "50": ("军人退出现役且未纳入国家统一安置", "Left military service"),
        "60": ("刑满释放或假释、监外执行", "Released from prison"),
        "70": ("劳动教养期满或提前解除", "Released from labour education"),
        "80": ("个体工商户或私营企业停止经营", "Own business ended"),
        "90": ("其他", "Other"),
    },
    "unemployment_end": {
        "10": ("享受基本养老保险待遇或达到年龄", "Pension or pension age"),
        "20": ("完全丧失劳动能力", "Incapable of work"),
        "30": ("入学、服兵役、移居境外", "School, military service, or moved abroad"),
        "40": ("被判刑收监执行或被劳动教养", "Imprisoned"),
        "50": ("连续三个月未与失业登记机构联系", "No contact for three months"),
        "60": ("已从事有稳定收入的工作", "Has a steady income"),
        "70": ("死亡", "Died"),
        "90": ("其他", "Other"),
    },
    "assistance": {
        "010": ("国企下岗失业人员", "Laid off by a state enterprise"),
        "020": ("国企关闭破产安置人员", "State enterprise closed"),
        "030": ("集体企业下岗职工", "Laid off by a collective enterprise"),
        "040": ("享受低保的长期失业人员", "Long unemployed on subsistence allowance"),
        "050": ("大龄就业困难人员", "Older person with difficulties"),
        "060": ("残疾人", "Disabled"),
        "070": ("零就业家庭成员", "Family without employment"),
        "990": ("其他", "Other"),
    },
    "support": {
        "010": ("公益性岗位补贴", "Public welfare post subsidy"),
        "020": ("社会保险补贴", "Social insurance subsidy"),
        "030": ("职业介绍补贴", "Job placement subsidy"),
        "040": ("职业培训补贴", "Training subsidy"),
        "050": ("职业技能鉴定补贴", "Skill assessment subsidy"),
        "060": ("税收优惠政策", "Tax relief"),
        "061": ("个体经营税收政策", "Tax relief for own business"),
        "062": ("企业吸纳税收政策", "Tax relief for the employer"),
        "070": ("行政事业性收费减免政策", "Relief from administrative fees"),
        "080": ("小额担保贷款贴息政策", "Subsidised loan"),
        "990": ("其他就业扶持政策", "Other"),
    },
    "assessment": {
        "10": ("工伤职工劳动能力鉴定", "Working ability after a work injury"),
        "20": ("工伤职工延长停工留薪期确认", "Longer paid leave after a work injury"),
        "30": ("工伤职工配置辅助器具确认", "Aids after a work injury"),
        "40": ("工伤职工康复性治疗确认", "Rehabilitation after a work injury"),
        "50": ("工伤职工工伤直接导致疾病确认", "Illness caused by a work injury"),
        "60": ("工伤职工旧伤复发确认", "Relapse of a work injury"),
        "70": ("工伤职工其他确认事项", "Other matter of a work injury"),
        "80": ("因工死亡职工供养亲属劳动能力鉴定", "Working ability of a dependent relative"),
        "90": ("因病或非因工负伤职工劳动能力鉴定", "Working ability, not work-related"),
    },
    "disability_grade": {
        **{
            f"{grade:02}": (f"伤残{zh}级", f"Grade {grade}")
            for grade, zh in enumerate("一二三四五六七八九十", 1)
        },
        "11": ("未达等级", "Below the grades"),
    },
    "care_grade": {
        "1": ("生活完全不能自理", "Wholly dependent on care"),
        "2": ("生活大部分不能自理", "Mostly dependent on care"),
        "3": ("生活部分不能自理", "Partly dependent on care"),
        "4": ("未达等级", "Below the grades"),
    },
    "incapacity": {
        "0": ("未完全丧失", "Not complete"),
        "1": ("完全丧失", "Complete"),
    },
    "confirmed": {
        "0": ("不通过", "Refused"),
        "1": ("通过", "Confirmed"),
    },
    "insurance": {
        "110": ("城镇企业职工基本养老保险", "Basic pension, urban enterprises"),
        "120": ("机关事业单位养老保险", "Pension, public institutions"),
        "150": ("新型农村社会养老保险", "Pension, rural residents"),
        "160": ("城镇居民社会养老保险", "Pension, urban residents"),
        "170": ("城乡居民社会养老保险", "Pension, urban and rural residents"),
        "210": ("失业保险", "Unemployment insurance"),
        "310": ("职工基本医疗保险", "Basic medical insurance, employees"),
        "380": ("新型农村合作医疗", "Rural cooperative medical scheme"),
        "390": ("城乡居民基本医疗保险", "Basic medical insurance, urban and rural residents"),
        "391": ("城镇居民基本医疗保险", "Basic medical insurance, urban residents"),
        "410": ("工伤保险", "Work injury insurance"),
        "510": ("生育保险", "Maternity insurance"),
    },
    "yes_no": {
        "0": ("否", "No"),
        "1": ("是", "Yes"),
    },
    "injury": {
        "1": ("工伤", "Work injury"),
        "2": ("视同工伤", "Regarded as a work injury"),
        "3": ("不属于工伤", "Not a work injury"),
        "4": ("不视同工伤", "Not regarded as a work injury"),
    },
    "kinship": {
        # One digit in two BCD nibbles; cards have it with the zero before it or the fill behind.
        **{
            code: meaning
            for digit, meaning in {
                "1": ("配偶", "Spouse"),
                "2": ("子女", "Child"),
                "4": ("孙子女或外孙子女", "Grandchild"),
                "5": ("父母", "Parent"),
                "6": ("祖父母或外祖父母", "Grandparent"),
                "7": ("兄弟姐妹", "Sibling"),
            }.items()
            for code in (digit, "0" + digit)
        },
    },
    "medical_insurance": {
        "310": ("职工基本医疗保险", "Basic medical insurance, employees"),
        "340": ("离休人员医疗保障", "Medical care, veteran cadres"),
        "360": ("老红军医疗保障", "Medical care, Red Army veterans"),
        "380": ("新型农村合作医疗", "Rural cooperative medical scheme"),
        "390": ("城乡居民基本医疗保险", "Basic medical insurance, urban and rural residents"),
        "391": ("城镇居民基本医疗保险", "Basic medical insurance, urban residents"),
    },
    "medical_person": {
        "11": ("在职", "Employed"),
        "21": ("退休", "Retired"),
        "22": ("退休易地安置", "Retired, settled elsewhere"),
        "31": ("离休", "Retired with veteran's status"),
        "32": ("老红军", "Red Army veteran"),
        "33": ("二等乙级以上革命伤残军人", "Disabled soldier, class 2B or higher"),
        "34": ("医疗照顾人员", "Entitled to medical attention"),
        "91": ("其他人员", "Other"),
    },
    "card_use": {
        "1": ("联网处理方式", "Online"),
        "2": ("脱网处理方式", "Offline"),
    },
    "transaction": {
        "1": ("账户划入", "Load of the account"),
        "2": ("医疗结算", "Medical settlement"),
    },
    "special_settlement": {
        "1": ("工伤医疗", "Work injury"),
        "2": ("生育医疗", "Maternity"),
        "3": ("医疗救助", "Medical relief"),
        "9": ("其他", "Other"),
    },
    "health": {
        "1": ("健康或良好", "Good"),
        "2": ("一般或较弱", "Fair or weak"),
        "3": ("有慢性病", "Chronic illness"),
        "4": ("残疾", "Disabled"),
    },
    "disability": {
        "1": ("视力残疾", "Sight"),
        "2": ("听力残疾", "Hearing"),
        "3": ("言语残疾", "Speech"),
        "4": ("肢体残疾", "Limbs"),
        "5": ("智力残疾", "Intellectual"),
        "6": ("精神残疾", "Mental"),
        "7": ("多重残疾", "Multiple"),
        "9": ("其他残疾", "Other"),
    },
    "disability_degree": {
        str(grade): (f"残疾{zh}级", f"Degree {grade}") for grade, zh in enumerate("一二三四", 1)
    },
    "rhesus": {
        "01": ("Rh 阴性", "Rh negative"),
        "02": ("Rh 阳性", "Rh positive"),
        "03": ("不详", "Not known"),
    },
    "health_flag": {
        "0": ("无", "No"),
        "1": ("有", "Yes"),
        "2": ("不详", "Not known"),
    },
    "relief": {
        "01": ("城市最低生活保障", "Urban subsistence allowance"),
        "02": ("农村最低生活保障", "Rural subsistence allowance"),
        "03": ("农村五保供养", "Rural five guarantees"),
        "04": ("城乡医疗救助", "Medical relief"),
        "09": ("其他社会救助", "Other social relief"),
    },
    "preference": {
        "01": ("义务兵及其家属优待金", "Conscripts and their families"),
        "02": ("定期抚恤金", "Regular pension"),
        "03": ("生活补助", "Living subsidy"),
        "04": ("伤残抚恤金和伤残保健金", "Disability pension and health allowance"),
    },
    "honour_level": {
        "0": ("国家级荣誉称号", "National"),
        "1": ("省（自治区、直辖市）级荣誉称号", "Province or municipality"),
        "3": ("部（委）级荣誉称号", "Ministry"),
        "5": ("地（市、厅、局）级荣誉称号", "City"),
        "6": ("区（县、局）级荣誉称号", "District or county"),
        "7": ("基层单位荣誉称号", "Local unit"),
        "8": ("国际国外荣誉称号", "International or foreign"),
    },
    "medal": {
        "901": ("“两弹一星”功勋奖章", "Two Bombs and One Satellite"),
        "902": ("航天功勋奖章", "Space flight"),
        "911": ("五一劳动奖章", "May First labour medal"),
        "912": ("一级英雄模范奖章", "Heroic model, first class"),
        "913": ("二级英雄模范奖章", "Heroic model, second class"),
        "914": ("一等功奖章", "Merit, first class"),
        "915": ("二等功奖章", "Merit, second class"),
        "916": ("三等功奖章", "Merit, third class"),
        "920": ("优秀毕业生奖章", "Outstanding graduate"),
        "921": ("中国青年五四奖章", "May Fourth youth medal"),
        "922": ("雏鹰奖章", "Young eagle"),
    },
    "placement": {
        "1": ("计划分配", "Assigned by plan"),
        "2": ("自主择业", "Own choice"),
        "3": ("复员改转业", "Demobilisation turned into transfer"),
        "9": ("其他", "Other"),
    },
}
"""Every list by the name that the file map uses, every code with its Chinese and English label."""

_NO_PREFIX = Label("", "")

_COMPOSITE: Mapping[str, tuple[tuple[int, str, Label], ...]] = {
    # Characters, list, and what is said before the label.
    "medical": (
        (3, "medical_insurance", _NO_PREFIX),
        (1, "yes_no", Label("异地就诊：", "treatment elsewhere: ")),
        (1, "yes_no", Label("门诊统筹：", "outpatient pooling: ")),
        (1, "yes_no", Label("门诊大病：", "serious illness as an outpatient: ")),
        (1, "yes_no", Label("医疗救助：", "medical relief: ")),
        (1, "yes_no", Label("优抚补助：", "subsidy for entitled groups: ")),
    ),
    "employment_registration": (
        (2, "employment_kind", _NO_PREFIX),
        (3, "employment_form", _NO_PREFIX),
    ),
    "unemployment_registration": (
        (2, "unemployment_kind", _NO_PREFIX),
        (2, "unemployment_reason", _NO_PREFIX),
        (2, "unemployment_end", _NO_PREFIX),
    ),
}

NAMES = frozenset(CODES) | frozenset(_COMPOSITE)
"""The names of all lists."""
