// A small client of the agent, for web pages. Copy it into the page's own site.
//
//   import { Agent } from "./ssct-agent.js";
//   const agent = new Agent("http://127.0.0.1:8793", token);
//   const card = await agent.open();
//   try { console.log((await card.basic()).name); } finally { await card.close(); }
//
// The page's origin must be in [agent] origins. What the agent says no with is thrown as an
// AgentProblem; its `code` is stable, `text.zh` and `text.en` are for the holder.

export class AgentProblem extends Error {
  constructor(problem) {
    super(`${problem.code}: ${problem.title}`);
    this.name = "AgentProblem";
    Object.assign(this, problem);
  }
}

export class Agent {
  #base;
  #token;

  constructor(base, token) {
    this.#base = base.replace(/\/$/, "");
    this.#token = token;
  }

  async readers() {
    return (await this.call("GET", "/v1/readers")).readers;
  }

  blacklist() {
    return this.call("GET", "/v1/blacklist");
  }

  operation(number) {
    return this.call("GET", `/v1/operations/${encodeURIComponent(number)}`);
  }

  resolve(number) {
    return this.call("POST", `/v1/operations/${encodeURIComponent(number)}/resolve`);
  }

  // Begins with the card in a reader, waiting for one: {reader, wait, lease}, all optional.
  async open(options = {}) {
    return new Card(this, await this.call("POST", "/v1/sessions", options));
  }

  // Readers and cards that come and go: what is there first, then what happens. Abort with `signal`.
  async *events(signal) {
    const answer = await this.#fetch("GET", "/v1/events", undefined, signal);
    const reader = answer.body.pipeThrough(new TextDecoderStream()).getReader();
    let text = "";
    for (;;) {
      const { done, value } = await reader.read();
      if (done) return;
      text += value;
      const lines = text.split("\n");
      text = lines.pop();
      for (const line of lines) {
        if (line.startsWith("data: ")) yield JSON.parse(line.slice(6));
      }
    }
  }

  // The functions of LD/T 33 over a socket of their own.
  ldt33() {
    return Ldt33.connect(`${this.#base.replace(/^http/, "ws")}/ldt33`, this.#token);
  }

  async call(method, path, body) {
    const answer = await this.#fetch(method, path, body);
    return answer.status === 204 ? {} : answer.json();
  }

  async blob(path) {
    return (await this.#fetch("GET", path)).blob();
  }

  async #fetch(method, path, body, signal) {
    const request = { method, signal, headers: { authorization: `Bearer ${this.#token}` } };
    if (body !== undefined) {
      request.body = JSON.stringify(body);
      request.headers["content-type"] = "application/json";
    }
    const answer = await fetch(this.#base + path, request);
    if (!answer.ok) throw new AgentProblem(await answer.json());
    return answer;
  }
}

export class Card {
  #agent;
  #path;

  constructor(agent, opened) {
    this.#agent = agent;
    this.#path = `/v1/sessions/${opened.session}`;
    this.reader = opened.reader;
    this.lease = opened.lease;
  }

  async close() {
    try {
      await this.#agent.call("DELETE", this.#path);
    } catch (problem) {
      if (problem.code !== "AGENT_SESSION_UNKNOWN") throw problem;
    }
  }

  renew() { return this.#call("POST", "lease"); }
  basic() { return this.#call("GET", "card"); }
  admission(name) { return this.#call("POST", "admission", { function: name }); }
  async files(...addresses) {
    return (await this.#call("POST", "files", { files: addresses })).files;
  }
  writeItems(address, items) { return this.#call("PUT", `files/${address}`, { items }); }
  writeRow(address, row) { return this.#call("PUT", `files/${address}`, { row }); }
  photo() { return this.#agent.blob(`${this.#path}/photo`); }
  pinState() { return this.#call("GET", "pin"); }
  verifyPin(pin) { return this.#call("POST", "pin/verify", { pin }); }
  changePin(old, fresh) { return this.#call("POST", "pin/change", { old, new: fresh }); }
  unblockPin() { return this.#call("POST", "pin/unblock"); }
  reloadPin(fresh) { return this.#call("POST", "pin/reload", { new: fresh }); }
  account() { return this.#call("GET", "account"); }
  debit(amounts) { return this.#call("POST", "debits", amounts); }

  // A function of the terminal, such as "settlement": what it asks is answered with
  // {choice}, {agree}, {pin} or {cancel: true} until `state` is "ended".
  start(name) { return this.#call("POST", `functions/${name}`); }
  answer(given) { return this.#call("POST", "answer", given); }

  #call(method, rest, body) {
    return this.#agent.call(method, `${this.#path}/${rest}`, body);
  }
}

export class Ldt33 {
  #socket;
  #waiting = [];

  // A page of [agent] unchanged_pages needs no token.
  static connect(url, token) {
    const offered = token ? ["ssct.v1", `ssct.token.${token}`] : [];
    const socket = new WebSocket(url, offered);
    return new Promise((resolve, reject) => {
      socket.onopen = () => resolve(new Ldt33(socket));
      socket.onerror = () => reject(new Error("the agent refused the socket, or is not there"));
    });
  }

  constructor(socket) {
    this.#socket = socket;
    socket.onmessage = (message) => this.#waiting.shift()?.resolve(JSON.parse(message.data));
    socket.onclose = () => {
      for (const one of this.#waiting.splice(0)) one.reject(new Error("the socket was closed"));
    };
  }

  // {success, pOutInfo} of a function, called by its name with its parameters by theirs.
  call(name, parameters = {}) {
    return new Promise((resolve, reject) => {
      this.#waiting.push({ resolve, reject });
      this.#socket.send(JSON.stringify({ function: name, ...parameters }));
    });
  }

  close() {
    this.#socket.close();
  }
}
