// Shows what the terminal pushes and tells it what is pressed. Keeps nothing.
"use strict";

const holder = document.getElementById("page");
const told = document.getElementById("told");
const warning = document.getElementById("warning");
const lost = document.getElementById("lost");
let revision = 0;
let voice = false;
let presses = Promise.resolve();
let touchedAt = 0;

const TOUCH_EVERY = 3000;

function post(path, body) {
  // One after the other: the digits of a PIN must arrive in their order.
  presses = presses.then(() =>
    fetch(path, {
      method: "POST",
      headers: { "content-type": "application/json" },
      body: JSON.stringify(body),
    }).catch(() => undefined),
  );
}

function press(kind, value = null) {
  post("/press", { revision, press: kind, value });
}

function touched() {
  const now = performance.now();
  if (now - touchedAt > TOUCH_EVERY) {
    touchedAt = now;
    press("touch");
  }
}

function follow() {
  const events = new EventSource("/events");
  events.addEventListener("page", (event) => {
    close(lost);
    show(JSON.parse(event.data));
  });
  events.addEventListener("superseded", () => {
    // Another page shows the kiosk now. Who touches this one is before it, so it takes over.
    events.close();
    open(lost);
    wipe();
    document.addEventListener("click", follow, { once: true });
  });
  events.onerror = () => {
    wipe();
    open(lost);
  };
}

function wipe() {
  holder.replaceChildren();
  told.textContent = "";
  revision = 0;
  hush();
}

function show(page) {
  if (page.html !== undefined) {
    replace(page);
  }
  typed(page.digits);
  warn(page);
}

function replace(page) {
  const same = page.revision === revision;
  const focused = same && document.activeElement ? document.activeElement.id : "";
  const html = document.documentElement;
  revision = page.revision;
  html.lang = page.lang;
  html.classList.toggle("large", page.large);
  html.classList.toggle("contrast", page.contrast);
  html.dataset.kind = page.kind;
  html.dataset.revision = String(page.revision);
  holder.innerHTML = page.html;
  const title = holder.querySelector("h1");
  const wanted = focused || (holder.querySelector("[data-scan]") ? "scan" : "title");
  (document.getElementById(wanted) || title).focus({ preventScroll: true });
  if (!same || page.voice !== voice) {
    say(page.voice);
  }
  voice = page.voice;
  const scroller = holder.querySelector(".scroll");
  if (scroller) {
    const below = holder.querySelector("#below");
    below.hidden = left(scroller) < 24;
    scroller.addEventListener("scroll", () => hint(below, scroller), { passive: true });
  }
  if (!same && holder.querySelector("[data-sound]")) {
    beep(Number(holder.querySelector("[data-sound]").dataset.sound));
  }
}

function typed(digits) {
  const dots = holder.querySelector("#dots");
  if (dots) {
    dots.textContent = "●".repeat(digits);
    const count = holder.querySelector("#count");
    count.textContent = count.dataset.words.replace("{count}", String(digits));
    const enter = holder.querySelector("#enter");
    dots.hidden = count.hidden = enter === null && digits === 0;
    if (enter) {
      enter.disabled = digits < Number(enter.dataset.shortest);
    }
  }
}

function left(scroller) {
  return scroller.scrollHeight - scroller.clientHeight - scroller.scrollTop;
}

function hint(below, scroller) {
  // Its place stays: nothing may move under a finger that is scrolling or pressing.
  below.classList.toggle("spent", left(scroller) < 24);
}

function warn(page) {
  if (page.warning === null) {
    close(warning);
    return;
  }
  document.getElementById("warning-title").textContent = page.words.still_there;
  document.getElementById("warning-text").textContent = page.words.seconds;
  document.getElementById("warning-stay").textContent = page.words.stay;
  document.getElementById("warning-seconds").textContent = String(page.warning);
  if (!warning.open) {
    open(warning);
    speak(page.words.still_there);
    beep(1);
  }
}

function open(dialog) {
  if (!dialog.open) {
    dialog.showModal();
  }
}

function close(dialog) {
  if (dialog.open) {
    dialog.close();
  }
}

// Speech: the title and what explains it, never values.

function say(aloud) {
  const words = [...holder.querySelectorAll("[data-say]")].map((one) => one.textContent.trim());
  told.textContent = words.join(" ");
  hush();
  if (aloud) {
    speak(words.join("。"));
  }
}

function speak(words) {
  if (!window.speechSynthesis || !words || !(voice || holder.querySelector(".tools [data-prefer=voice][aria-pressed=true]"))) {
    return;
  }
  const spoken = new SpeechSynthesisUtterance(words);
  spoken.lang = document.documentElement.lang;
  spoken.rate = 0.9;
  window.speechSynthesis.speak(spoken);
}

function hush() {
  if (window.speechSynthesis) {
    window.speechSynthesis.cancel();
  }
}

let sound = null;

function beep(times) {
  if (!window.AudioContext || times < 1) {
    return;
  }
  sound = sound || new AudioContext();
  for (let i = 0; i < times; i += 1) {
    const tone = sound.createOscillator();
    tone.frequency.value = 880;
    tone.connect(sound.destination);
    tone.start(sound.currentTime + i * 0.4);
    tone.stop(sound.currentTime + i * 0.4 + 0.2);
    tone.onended = () => tone.disconnect();
  }
}

document.addEventListener("click", (event) => {
  const button = event.target instanceof Element ? event.target.closest("button") : null;
  if (button === null) {
    touched();
    return;
  }
  const data = button.dataset;
  if (button.id === "warning-stay") {
    press("touch");
  } else if (data.prefer) {
    post("/prefer", { prefer: data.prefer });
  } else if (data.key) {
    press("key", data.key);
  } else if (data.cancel !== undefined) {
    press("cancel");
  } else if (data.answer !== undefined) {
    press("answer", JSON.parse(data.answer));
  } else if (data.type) {
    type(data.type);
  } else if (data.send) {
    send(data.send);
  } else if (button.id === "below") {
    const scroller = holder.querySelector(".scroll");
    scroller.scrollBy({ top: scroller.clientHeight * 0.8 });
    touched();
  }
});

// What is typed into a field stays there until it is sent; the next screen takes it away.

function type(key) {
  const field = holder.querySelector("[data-typed]");
  const longer = (field.value + key).slice(0, field.maxLength);
  field.value = key === "erase" ? field.value.slice(0, -1) : longer;
  touched();
}

function send(what) {
  if (what === "scan" || what === "amount") {
    press("answer", document.getElementById(what).value.trim());
  } else {
    const [name, ssn] = ["name", "ssn"].map((id) => document.getElementById(id).value.trim());
    press("identity", { name, ssn });
  }
}

document.addEventListener("keydown", (event) => {
  if (event.ctrlKey || event.altKey || event.metaKey) {
    return;
  }
  if (warning.open) {
    if (event.key === "Escape") {
      event.preventDefault();
      press("touch");
    }
    return;
  }
  const pad = holder.querySelector(".pad [data-key]") !== null;
  const sends = holder.querySelector("[data-send]");
  if (sends && event.key === "Enter" && document.activeElement?.tagName === "INPUT") {
    event.preventDefault();
    send(sends.dataset.send);
    return;
  }
  if (event.key === "Escape" && holder.querySelector("[data-cancel]")) {
    event.preventDefault();
    press("cancel");
  } else if (pad && /^[0-9]$/.test(event.key)) {
    event.preventDefault();
    press("key", event.key);
  } else if (pad && event.key === "Backspace") {
    event.preventDefault();
    press("key", "erase");
  } else if (pad && event.key === "Enter" && document.activeElement?.tagName !== "BUTTON") {
    event.preventDefault();
    press("key", "enter");
  } else {
    touched();
  }
});

document.addEventListener("scroll", touched, { capture: true, passive: true });
document.addEventListener("contextmenu", (event) => event.preventDefault());
warning.addEventListener("cancel", (event) => event.preventDefault());
lost.addEventListener("cancel", (event) => event.preventDefault());

follow();
