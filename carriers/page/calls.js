// The calls of one phone: ringing, keypad, what is heard and said. One call at a time, as on a telephone.

import { aloud } from "./aloud.js";
import { drawSpoken, el, setIcon } from "./drawing.js";
import { gap } from "./gap.js";
import { post } from "./line.js";
import { CALL_OVER, KEYPAD, KEY_WORD, spaced } from "./words.js";

const KEYS_PAUSE_MS = 2500; // keys typed without a known end are sent after this pause

export class Calls {
  constructor(phone) {
    Object.assign(this, { phone, current: null, keys: "", toSay: "", dialling: false });
    this.own = new Set(); // calls that this very page placed or answered: only these are read aloud
    this.draw();
  }

  find(selector) { return this.phone.find(selector); }

  get talking() { return this.current?.state === "in-progress"; }

  get ringing() { return this.current?.direction === "in" && this.current.state === "ringing"; }

  get hears() { return this.talking && this.listening.includes("speech"); }

  get listening() { return this.current?.gather?.input ?? []; }

  get caller() {
    const { line } = this.phone;
    return [line.voice, line.sms].includes(this.current.other) ? "Harborline" : spaced(this.current.other);
  }

  draw() {
    const panel = this.find(".call");
    panel.append(document.getElementById("call").content.cloneNode(true));
    panel.setAttribute("aria-label", `Call on ${this.phone.name}’s phone`);
    for (const key of KEYPAD) {
      const button = el("button", { type: "button", "aria-label": KEY_WORD[key] ?? key }, key);
      button.addEventListener("click", () => this.press(key));
      this.find(".keypad").append(button);
    }
    this.find(".keypad").addEventListener("keydown", (event) => {
      if (KEYPAD.includes(event.key) && !event.ctrlKey && !event.metaKey) this.press(event.key);
    });
    this.find(".answer").addEventListener("click", () => { this.own.add(this.current?.id); this.ask("answer"); });
    this.find(".decline").addEventListener("click", () => this.ask("decline"));
    this.find(".hangup").addEventListener("click", () => { aloud.hush(); this.ask("hangup"); });
    this.drawSwitch();
  }

  drawSwitch() {
    const sound = this.find(".aloud");
    sound.addEventListener("click", () => aloud.turn(!aloud.on));
    aloud.switches.add((on) => {
      sound.setAttribute("aria-checked", String(on));
      setIcon(sound.querySelector("svg"), on ? "aloud" : "mute");
    });
  }

  // Doing

  request(verb, body = {}) {
    return post(`/phones/call/${encodeURIComponent(this.current.id)}/${verb}`, body);
  }

  async ask(verb, body) {
    if (!this.current) return;
    const answer = await this.phone.attempt(() => this.request(verb, body));
    if (verb === "digits" && answer?.done === false) this.phone.note("The line was not listening");
  }

  async dial() {
    this.dialling = true; // the call may ring here before the answer to this request arrives
    const answer = await this.phone.attempt(() => post("/phones/call", { from: this.phone.number }));
    this.dialling = false;
    if (answer) this.own.add(answer.call);
    else this.toSay = "";
  }

  async speak(text) {
    aloud.hush();
    if (!this.phone.responder) gap.said();
    const spoken = this.write("out", text, "said"); // before the request: the line may answer sooner than it returns
    try {
      const answer = await this.request("speech", { text });
      if (answer.done === false) this.phone.note("The line was not listening");
      return answer;
    } catch (error) {
      spoken.remove();
      throw error;
    }
  }

  async tell(text) { // say it as soon as the line listens; call it first if need be
    if (this.hears) {
      await this.phone.attempt(() => this.speak(text));
      return;
    }
    this.toSay = text;
    if (!this.current) await this.dial();
  }

  press(key) {
    if (!this.talking) return;
    const { num_digits: count, finish_on_key: finish = "#" } = this.current.gather ?? {};
    aloud.hush();
    clearTimeout(this.keysTimer);
    this.keys += key;
    if ((count && this.keys.length >= count) || key === finish) this.sendKeys();
    else this.keysTimer = setTimeout(() => this.sendKeys(), KEYS_PAUSE_MS);
    this.hint();
  }

  sendKeys() {
    clearTimeout(this.keysTimer);
    const digits = this.keys;
    this.keys = "";
    if (!digits || !this.talking) return;
    this.write("out", digits, "pressed");
    this.ask("digits", { digits });
  }

  // What the carriers report

  onState({ call, direction, state, other }) {
    const over = state in CALL_OVER;
    const fresh = this.current?.id !== call;
    if (fresh && over) return;
    if (fresh) this.current = { id: call, direction, other };
    this.current.state = state;
    if (fresh) this.begins();
    if (state === "in-progress" && !this.phone.responder) gap.forget();
    if (over) this.ends(state);
    this.phone.changed?.();
  }

  begins() {
    if (this.current.direction === "out") {
      if (this.dialling) this.own.add(this.current.id);
      this.phone.note("Calling the line");
      return;
    }
    const later = this.phone.responder ? gap.paged(this.phone.name) : "";
    this.phone.note([`${this.caller} is calling`, later].filter(Boolean).join(", "));
  }

  ends(state) {
    if (this.own.has(this.current.id)) aloud.hush();
    clearTimeout(this.keysTimer);
    this.phone.note(this.current.direction === "in" && state === "no-answer" ? "Missed call" : CALL_OVER[state]);
    Object.assign(this, { current: null, keys: "", toSay: "" });
  }

  onSay({ call, text, language }) {
    const line = this.write("in", text, "heard", language);
    if (!this.own.has(call)) return;
    const trouble = aloud.say(text, language || line.querySelector(".bubble").lang || "en");
    if (!trouble || this.toldNoVoice) return;
    this.toldNoVoice = true;
    line.append(el("p", { className: "meta" }, trouble));
  }

  onPlay({ call, url }) {
    this.phone.note("A recording is played");
    if (this.own.has(call)) aloud.play(url);
  }

  onConnected({ call }) { // the line has joined two people: what is typed is heard at the other end
    if (this.current?.id !== call) return;
    this.current.gather = { input: ["speech"], person: true };
    this.phone.note("Connected to a person");
  }

  onGather(event) {
    if (this.current?.id !== event.call) return;
    this.current.gather = event;
    this.keys = "";
    if (!this.toSay || !this.hears || !this.own.has(event.call)) return;
    const text = this.toSay;
    this.toSay = "";
    this.phone.attempt(() => this.speak(text));
  }

  // Drawing

  write(direction, text, word, language) {
    const node = drawSpoken(direction, text, word, language);
    this.phone.append(node, direction);
    return node;
  }

  refresh() {
    this.find(".call").hidden = !this.current;
    this.find(".aloud").hidden = this.phone.kind !== "voice" && !this.talking;
    this.phone.node.classList.toggle("ringing", Boolean(this.ringing));
    if (!this.current) return;
    const state = this.ringing ? `${this.caller} is calling` : this.talking ? "On the call" : "Calling";
    if (this.find(".call-state").textContent !== state) this.find(".call-state").textContent = state;
    this.find(".choice").hidden = this.find(".bell").hidden = !this.ringing;
    this.find(".hangup").hidden = Boolean(this.ringing);
    this.find(".keypad").hidden = !this.talking;
    this.hint();
  }

  hint() {
    const waits = this.current?.gather?.person ? "A person listens."
      : this.hears ? "Press a key or speak."
        : this.listening.length ? "Press a key." : "";
    this.find(".hint").textContent = this.talking ? this.keys || waits : "";
  }
}
