"""The kiosk's own words: buttons, hints and the screens around the functions."""

from __future__ import annotations

from collections.abc import Mapping

from terminal.text import Text

WORDS: Mapping[str, Text] = {
    "name": Text("社会保障卡自助服务", "Social security card self-service"),
    "tools": Text("显示和语音", "Display and voice"),
    "other_language": Text("English", "中文"),
    "large": Text("大字", "Large type"),
    "contrast": Text("高对比", "High contrast"),
    "voice": Text("语音", "Voice"),
    "insert": Text("请插入或放上您的社保卡", "Please insert or place your card"),
    "without_card": Text("没有带卡、挂失、服务指南", "No card, report a loss, services"),
    "insert_how": Text("芯片朝上，芯片一端先进", "Chip up, chip end first"),
    "limited": Text("请注意", "Please note"),
    "out_of_service": Text("暂停服务", "Out of service"),
    "elsewhere": Text(
        "请使用其他终端或到窗口办理，也可以拨打12333。",
        "Please use another terminal or the counter, or call 12333.",
    ),
    "code": Text("代码", "Code"),
    "checking": Text("正在检查您的卡", "Checking your card"),
    "leave_in": Text("请不要取出卡片", "Please leave the card in"),
    "take": Text("请取回您的卡", "Please take your card"),
    "take_alarm": Text("您的卡还在机器里", "Your card is still in the machine"),
    "take_call": Text(
        "卡片无人取走，请工作人员处理。", "A card was left here. Staff, please look after it."
    ),
    "bye": Text("感谢使用，请带好随身物品和凭条。", "Thank you. Please take all your belongings."),
    "menu_hint": Text("按一下要办理的业务", "Touch what you want to do"),
    "more": Text("更多业务", "More"),
    "back": Text("上一页", "Back"),
    "why": Text("为什么没有其他业务？", "Why is something missing?"),
    "end": Text("结束并取卡", "End and take the card"),
    "page": Text("第{number}页，共{pages}页", "Page {number} of {pages}"),
    "cancel": Text("取消", "Cancel"),
    "next": Text("继续", "Continue"),
    "seen": Text("知道了", "OK"),
    "slip": Text("带走这份说明", "Take this with you"),
    "done": Text("完成", "Done"),
    "reveal": Text("显示完整信息", "Show in full"),
    "hide": Text("隐藏部分信息", "Hide again"),
    "below": Text("下面还有", "More below"),
    "digits": Text("已输入{count}位", "{count} digits entered"),
    "length": Text("{shortest}至{longest}位数字", "{shortest} to {longest} digits"),
    "tries": Text("还可以试{left}次", "{left} tries left"),
    "last_try": Text("只剩最后1次机会", "This is the last try"),
    "erase": Text("删除", "Erase"),
    "enter": Text("确定", "Enter"),
    "on_pad": Text("请在密码键盘上输入，按确认键结束", "Use the PIN pad, then press its enter key"),
    "shield": Text("请注意遮挡", "Please shield your hand"),
    "keypad": Text("数字键盘", "Number pad"),
    "number": Text("业务流水号", "Operation number"),
    "when": Text("时间", "Time"),
    "where": Text("机构", "Place"),
    "copy": Text("电子凭条", "Copy for your phone"),
    "busy": Text("请稍候", "Please wait"),
    "still_there": Text("您还在吗？", "Are you still there?"),
    "seconds": Text("秒后结束并退卡", "seconds until this ends"),
    "stay": Text("继续使用", "I need more time"),
    "qr": Text("二维码", "QR code"),
    "valid_until": Text("{time}前有效", "Good until {time}"),
    "hold_code": Text(
        "请将手机上的二维码对准扫码口", "Hold the code on your telephone before the scanner"
    ),
    "scanned": Text("二维码内容", "Content of the code"),
    "amount": Text("金额（元）", "Amount in yuan"),
    "holder_name": Text("姓名", "Name"),
    "ssn": Text("社会保障号码", "Social security number"),
    "document": Text(
        "也可以把身份证放在阅读区。", "You may also lay your identity card on the reader."
    ),
    "tone_info": Text("提示", "Note"),
    "tone_success": Text("完成", "Done"),
    "tone_warning": Text("注意", "Attention"),
    "tone_error": Text("不能办理", "Not possible"),
}
"""Every word by its name, as the templates use it."""
