"use strict";
const state = document.getElementById("state");

function tell(answer) {
  state.textContent = answer.said ? "✕ " + answer.said
    : `卡 card: ${answer.card || "-"}\n网络 network: ${answer.connected ? "on" : "cut"}\n时间 time: ${answer.time}\n屏幕 screen: ${answer.screen}`;
}

async function ask(what, value) {
  const answer = await fetch("/do", {
    method: "POST",
    headers: { "content-type": "application/json" },
    body: JSON.stringify({ do: what, value }),
  });
  tell(await answer.json());
}

document.addEventListener("click", (event) => {
  const button = event.target.closest("button");
  if (!button) return;
  if (button.dataset.size) {
    document.getElementById("screen").className = button.dataset.size;
    return;
  }
  const from = button.dataset.from;
  ask(button.dataset.do, from ? document.getElementById(from).value : button.dataset.value || "");
});

fetch("/state").then((answer) => answer.json()).then(tell);
