"""The story of two cards, step by step: the main job of the whole system.

Each step plays on a `Scene`, tells what happens and why, and checks that it comes out as told;
`StoryBroken` says where it does not. The demo shows the story, the tests play it: in-process, and
through the real PC/SC service with the back office as a process of its own.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from zoneinfo import ZoneInfo

from backend_client.list_messages import Terms
from simulator.card.card import SimulatedCard
from simulator.card.description import CardProfile
from simulator.card.profile import load_profile, replacement
from simulator.city import HOSPITAL, card_ref
from simulator.scene import Scene, StoryBroken
from terminal.admission import Admitted
from terminal.functions import FUNCTIONS
from terminal.outcome import Done, Outcome, Refused
from terminal.policy import Function
from terminal.reasons import Reason
from terminal.receipt import yuan
from terminal.store.journal import State
from terminal.text import Text, until

SHANGHAI = ZoneInfo("Asia/Shanghai")
BEGINS = datetime(2026, 3, 16, 9, 0, tzinfo=SHANGHAI)
"""A Monday morning."""

INITIAL_PIN = "123456"
OWN_PIN = "864209"
_SECOND = timedelta(seconds=1)
_DAY = timedelta(days=1)


@dataclass(slots=True)
class Play:
    """The scene, the cards, and what one step leaves for the next."""

    scene: Scene
    random: Callable[[int], bytes]
    active: CardProfile = field(default_factory=lambda: load_profile("adult-3.0"))
    fresh: CardProfile = field(default_factory=lambda: load_profile("not-active"))
    chips: dict[str, SimulatedCard] = field(default_factory=dict)
    loss_ends: datetime = BEGINS
    new: CardProfile | None = None

    def card(self, profile: CardProfile) -> SimulatedCard:
        """The plastic of this profile; always the same one."""
        number = profile.card.number
        if number not in self.chips:
            self.chips[number] = SimulatedCard(profile, random=self.random)
        return self.chips[number]

    def serve(self, profile: CardProfile, function: Function, *answers: str | bool) -> Outcome:
        """The holder of this card uses a function."""
        return self.scene.serve(self.card(profile), function, *answers)

    def sync(self) -> int:
        """The terminal brings itself up to date; the version of the blacklist now in force."""
        report = self.scene.terminal.sync()
        expect(report.error is None, f"the synchronisation works ({report.error})")
        expect(report.after is not None, "there is a blacklist after it")
        self.scene.say(
            f"终端同步：黑名单版本 {report.before or '无'} → {report.after}，"
            f"共 {report.entries} 条，签名与哈希链均已核对。",
            f"The terminal synchronises: blacklist version {report.before or 'none'} -> "
            f"{report.after} ({report.entries} listed), signature and hash chain verified.",
        )
        return report.after or 0

    def entries(self, profile: CardProfile) -> tuple[Terms, ...]:
        """What the terminal's blacklist says of this card."""
        card = profile.card
        return self.scene.terminal.blacklist.find(card.card_id.hex(), card.number)


@dataclass(frozen=True, slots=True)
class Step:
    """One step: what happens, why, by which articles, and how it is played."""

    name: str
    title: Text
    why: Text
    articles: tuple[int, ...]
    play: Callable[[Play], None]


def expect(holds: object, what: str) -> None:
    """Raise `StoryBroken` unless `what` holds."""
    if not holds:
        raise StoryBroken(f"the story says: {what}")


def expect_refused(outcome: Outcome, reason: Reason, article: int | None) -> None:
    """The card was refused for this reason, by this article."""
    expect(isinstance(outcome, Refused), f"the card is refused ({outcome!r})")
    if isinstance(outcome, Refused):
        expect(outcome.code == reason, f"refused with {reason}, not {outcome.code}")
        expect(outcome.article == article, f"by Article {article}, not {outcome.article}")


def expect_done(outcome: Outcome) -> Done:
    """The function came to its end."""
    if not isinstance(outcome, Done):
        raise StoryBroken(f"the story says: it is done ({outcome!r})")
    return outcome


def _set_up(play: Play) -> None:
    scene = play.scene
    identity = scene.terminal.enrol(scene.office.enrolment_code(HOSPITAL))
    scene.say(
        f"终端登记完成：{identity.institution_name}，终端号 {identity.terminal_id}。",
        f"The terminal is enrolled at {identity.institution_name} as {identity.terminal_id}.",
    )
    play.sync()


def _read(play: Play) -> None:
    scene, holder, card = play.scene, play.active.holder, play.active.card
    expect_done(play.serve(play.active, Function.READ))
    with scene.card_in(play.card(play.active)) as session:
        basic = session.basic
    commands, total = scene.commands()
    scene.say(
        f"EF05 和 EF06 各一次读出：共 {commands} 条指令、{total} 字节（含真伪校验和外部认证）。",
        f"EF05 and EF06 are read whole: {commands} commands and {total} bytes in all, internal and "
        "external authentication among them.",
    )
    expect(basic.name == holder.name, "the name is read")
    expect(basic.ssn == holder.ssn, "the social security number is read")
    expect(basic.card_number == card.number, "the card number is read")
    expect(basic.card_id == card.card_id, "the card id is read")
    expect((basic.issued, basic.expires) == (card.issued, card.expires), "the dates are read")
    expect(basic.version == card.version, "the version is read")


def _admission(play: Play) -> None:
    scene = play.scene
    with scene.card_in(play.card(play.active)) as session:
        facts = session.facts
        decisions = [scene.terminal.admit(facts, function, "demo") for function in FUNCTIONS]
    expect(facts.authentic, "the card proves that it is genuine")
    for decision in decisions:
        title = FUNCTIONS[decision.function].title
        if isinstance(decision, Admitted):
            scene.say(f"✔ {title.zh}", f"{title.en}: admitted")
        else:
            scene.say(f"✘ {title.zh}：{decision.text.zh}", f"{title.en}: {decision.text.en}")
    refused = [d.function for d in decisions if not isinstance(d, Admitted)]
    closed = [Function.ACTIVATION, Function.RELEASE]
    expect(refused == closed, "everything but activation and release is open to an active card")


def _query(play: Play) -> None:
    expect(play.active.pin is not None, "the card has a PIN")
    pin = play.active.pin.value if play.active.pin else ""
    expect_done(play.serve(play.active, Function.QUERY, pin))


def _activation(play: Play) -> None:
    scene = play.scene
    refused = play.serve(play.fresh, Function.SETTLEMENT)
    expect_refused(refused, Reason.NOT_ACTIVATED, 12)
    scene.say("于是持卡人先在本机开通：", "So the holder activates it here first:")
    answers = (True, INITIAL_PIN, INITIAL_PIN, OWN_PIN, OWN_PIN)
    expect_done(play.serve(play.fresh, Function.ACTIVATION, *answers))
    again = play.serve(play.fresh, Function.ACTIVATION)
    expect_refused(again, Reason.ALREADY_ACTIVATED, 12)


def _settlement(play: Play) -> None:
    scene, register = play.scene, play.fresh.backoffice
    expect(register is not None and register.bills, "there is a bill")
    bill = register.bills[0] if register else None
    if bill is None:
        return
    done = expect_done(play.serve(play.fresh, Function.SETTLEMENT, OWN_PIN, bill.bill_id, True))
    expect(done.receipt is not None, "there is a receipt")
    number = done.receipt.number if done.receipt else ""
    operation = scene.terminal.journal.find(number)
    state = operation.state if operation else None
    expect(state is State.CONFIRMED, "the journal has it as confirmed")
    scene.say(
        f"账单 ¥ {yuan(bill.total_fen)}；业务流水号 {number} 先写入日志，再发送，答复后才关闭。",
        f"A bill of ¥ {yuan(bill.total_fen)}. Operation {number} was in the journal before it was "
        "sent, and was closed by the answer.",
    )
    expect_done(play.serve(play.fresh, Function.SETTLEMENT, OWN_PIN))
    scene.say("账单只结一次：再来已没有待结账单。", "A bill is settled once: there is none left.")


def _temporary_loss(play: Play) -> None:
    scene = play.scene
    scene.office.report_temporary_loss(card_ref(play.fresh))
    scene.say(
        "持卡人拨打服务电话办理临时挂失，社会保障功能即时冻结。",
        "The holder reports the loss by phone. The social security function freezes at once.",
    )
    play.sync()
    entries = play.entries(play.fresh)
    expect(entries and entries[0].valid_until, "the listing carries its end")
    play.loss_ends = entries[0].valid_until or BEGINS
    said = until(play.loss_ends)
    scene.say(f"名单写明期限：{said.zh}止。", f"The listing says when it ends: {said.en}.")
    expect(
        play.loss_ends == datetime(2026, 3, 22, tzinfo=SHANGHAI),
        "reported on 16 March, it ends when 21 March ends",
    )
    refused = play.serve(play.fresh, Function.QUERY)
    expect_refused(refused, Reason.LISTED_TEMPORARY_LOSS, 18)


def _five_days_offline(play: Play) -> None:
    scene = play.scene
    scene.network.connected = False
    scene.say(
        "网络中断，终端听不到任何消息；五天过去。",
        "The network is cut and the terminal hears of nothing. Five days pass.",
    )
    scene.wait_until(play.loss_ends - _SECOND)
    _tell_time(scene)
    refused = play.serve(play.fresh, Function.QUERY)
    expect_refused(refused, Reason.LISTED_TEMPORARY_LOSS, 18)
    scene.wait_until(play.loss_ends)
    _tell_time(scene)
    expect_done(play.serve(play.fresh, Function.QUERY, OWN_PIN))
    scene.say(
        "挂失自动失效，查询恢复。动钱的业务仍要等联网和新名单：",
        "The loss has lapsed by itself and the card is admitted again. What moves money still "
        "waits for the network and a fresh list:",
    )
    expect_refused(play.serve(play.fresh, Function.SETTLEMENT), Reason.OFFLINE, None)


def _network_back(play: Play) -> None:
    scene = play.scene
    scene.network.connected = True
    play.sync()
    expect(not play.entries(play.fresh), "the list no longer names the card")
    expect_done(play.serve(play.fresh, Function.SETTLEMENT, OWN_PIN))


def _formal_loss(play: Play) -> None:
    scene = play.scene
    scene.office.report_formal_loss(card_ref(play.fresh))
    scene.say(
        "卡片确实找不到了，持卡人到社区受理网点办理正式挂失。",
        "The card is really gone: the holder makes the loss formal at a community service point.",
    )
    play.sync()
    refused = play.serve(play.fresh, Function.QUERY)
    expect_refused(refused, Reason.LISTED_FORMAL_LOSS, 18)
    scene.wait_until(scene.clock.now() + 10 * _DAY)
    scene.say("十天后也一样：", "Ten days later it is the same:")
    play.sync()
    refused = play.serve(play.fresh, Function.QUERY)
    expect_refused(refused, Reason.LISTED_FORMAL_LOSS, 18)


def _replacement(play: Play) -> None:
    scene = play.scene
    play.new = replacement(play.fresh, issued=scene.clock.now().date())
    scene.office.replace(card_ref(play.fresh), card_ref(play.new))
    scene.say("新卡补领完成，原卡失效。", "The replacement is issued; the old card is void.")
    play.sync()
    expect_refused(play.serve(play.fresh, Function.QUERY), Reason.LISTED_VOID, 23)
    answers = (True, INITIAL_PIN, OWN_PIN, OWN_PIN)
    expect_done(play.serve(play.new, Function.ACTIVATION, *answers))
    expect_done(play.serve(play.new, Function.QUERY, OWN_PIN))


def _old_card_never(play: Play) -> None:
    scene = play.scene
    scene.wait_until(scene.clock.now() + 365 * _DAY)
    _tell_time(scene)
    play.sync()
    expect_refused(play.serve(play.fresh, Function.QUERY), Reason.LISTED_VOID, 23)
    expect(play.new is not None, "there is a new card")
    if play.new is not None:
        expect_done(play.serve(play.new, Function.QUERY, OWN_PIN))


def _tell_time(scene: Scene) -> None:
    now = scene.clock.now().astimezone(SHANGHAI).strftime("%Y-%m-%d %H:%M:%S")
    scene.say(f"现在是上海时间 {now}。", f"It is {now} in Shanghai.")


STORY: tuple[Step, ...] = (
    Step(
        "set-up",
        Text("终端上线", "A terminal goes to work"),
        Text(
            "没有可信的时钟和签名的黑名单，终端不办动钱的业务。",
            "Without a clock it can trust and a signed blacklist a terminal moves no money.",
        ),
        (),
        _set_up,
    ),
    Step(
        "read",
        Text("插入社保卡，读出卡内文件", "A card is inserted and its files are read"),
        Text(
            "卡面信息、其他基本信息和应用信息都记录在卡内。",
            "The card records face data, other basic data and application data.",
        ),
        (4,),
        _read,
    ),
    Step(
        "admission",
        Text("准入：这张卡现在能办什么", "Admission: what this card may do now"),
        Text(
            "先验真伪，再查黑名单、初始化机构、版本、有效期、开通状态；只有一处作决定。",
            "Authenticity, blacklist, initialising body, version, dates, standing: one decision.",
        ),
        (16, 26),
        _admission,
    ),
    Step(
        "query",
        Text("查询账户和参保情况", "Account and insurances are looked up"),
        Text(
            "自助查询是社会保障卡的基本功能；密码证明是本人使用。",
            "Self-service query is a basic function; the PIN shows that the holder asks.",
        ),
        (5, 16),
        _query,
    ),
    Step(
        "activation",
        Text("开通一张新卡", "A new card is activated"),
        Text(
            "未开通的卡不能结算；开通时必须修改初始密码。",
            "A card that is not active settles nothing; activating it takes a PIN of one's own.",
        ),
        (12,),
        _activation,
    ),
    Step(
        "settlement",
        Text("结算医院账单", "A hospital bill is settled"),
        Text(
            "先试算，持卡人逐项确认，再结算；终端只核对，不自行计算。",
            "Trial, the holder's agreement to exactly those amounts, confirm. The terminal checks "
            "the sums and computes none.",
        ),
        (5, 13),
        _settlement,
    ),
    Step(
        "temporary-loss",
        Text("临时挂失", "A temporary loss"),
        Text(
            "临时挂失有效期5日，当日不算，第5日24时届满（民法典第201、203条）。",
            "It lasts five days: the day of the report does not count, the fifth day ends at 24:00 "
            "(Civil Code, Articles 201 and 203).",
        ),
        (17, 18),
        _temporary_loss,
    ),
    Step(
        "five-days-offline",
        Text("五日届满，终端一直离线", "Five days pass, the terminal offline all the time"),
        Text(
            "期限写在名单里，所以离线的终端也会按时恢复，一秒不差。",
            "The listing says when it ends, so a terminal that hears nothing lifts it as well.",
        ),
        (18,),
        _five_days_offline,
    ),
    Step(
        "network-back",
        Text("网络恢复", "The network is back"),
        Text(
            "拿到新名单后，各项业务恢复。",
            "With a fresh list everything is open again.",
        ),
        (18,),
        _network_back,
    ),
    Step(
        "formal-loss",
        Text("正式挂失", "A formal loss"),
        Text(
            "正式挂失后社会保障功能停止使用，不会自动恢复。",
            "After a formal loss the function is stopped; it does not come back by itself.",
        ),
        (18,),
        _formal_loss,
    ),
    Step(
        "replacement",
        Text("补领新卡", "A replacement card"),
        Text(
            "补领后原卡失效；新卡开通后即可使用。",
            "After the replacement the old card is void. The new one works once it is activated.",
        ),
        (19, 23),
        _replacement,
    ),
    Step(
        "old-card-never",
        Text("原卡永远不能恢复", "The old card never comes back"),
        Text("原卡失效，不能恢复使用。", "A card that was replaced cannot be used again."),
        (23,),
        _old_card_never,
    ),
)
