"""Signing in with the electronic card: its code is scanned, its PIN entered (Article 31)."""

from __future__ import annotations

from collections.abc import Generator

from apdu.pin import Pin
from backend_client.errors import Refused as RefusedByCentre
from backend_client.life_messages import Proof, SignInRequest
from terminal.errand import Errand
from terminal.flow import pin, scan, working
from terminal.screens import Answer, AskPin, AskScan, Screen
from terminal.text import Text

PIN_DIGITS = 6
_SCAN = Text("请出示电子社保卡二维码", "Please show the code of your electronic card")
_PIN = Text("请输入电子社保卡密码", "The PIN of your electronic card")
_LENGTH = Text("电子社保卡密码是6位数字。", "This PIN has six digits.")
_NOT_OURS = Text("这不是电子社保卡的二维码。", "This is not the code of an electronic card.")
_PREFIX = "SSCT1:"


def signed_in(errand: Errand) -> Generator[Screen, Answer, Proof]:
    """Ask until a code and its PIN are right.

    Raises `BackendError`: also the refusal of an electronic card that is locked.
    """
    code, note = None, None
    while True:
        if code is None:
            code = yield from _code(note)
            note = None
        entered = yield from ecard_pin(_PIN, note)
        try:
            yield from working("正在登录", "Signing in")
            session = errand.client.life.sign_in(SignInRequest(code, digits(entered)))
        except RefusedByCentre as refused:
            note = Text(refused.zh, refused.en)
            if refused.problem.code == "ECARD_CODE_INVALID":
                code = None
            elif refused.problem.code != "ECARD_PIN_WRONG":
                raise
        else:
            return Proof(session=session.session)
        finally:
            entered.wipe()


def ecard_pin(title: Text, note: Text | None = None) -> Generator[Screen, Answer, Pin]:
    """Ask for a PIN of six digits. The caller wipes it."""
    while True:
        entered = yield from pin(AskPin(title, note, shortest=PIN_DIGITS, longest=PIN_DIGITS))
        if entered.length == PIN_DIGITS:
            return entered
        entered.wipe()
        note = _LENGTH


def digits(entered: Pin) -> str:
    """A PIN of six digits as the back office takes it; two digits a byte are its hex."""
    return entered.packed().hex()


def _code(note: Text | None) -> Generator[Screen, Answer, str]:
    while True:
        code = yield from scan(AskScan(_SCAN, note))
        if code.startswith(_PREFIX):
            return code
        note = _NOT_OURS
