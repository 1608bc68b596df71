// One phone: its messages, its composer and its suggested stories. Its calls are in calls.js.

import { Calls } from "./calls.js";
import { drawMessage, el, icon, setIcon } from "./drawing.js";
import { gap } from "./gap.js";
import { post } from "./line.js";
import { ARRIVED, CHANNEL_WORD, KINDS, languageOf, spaced } from "./words.js";

const NEAR_END_PX = 120;

export class Phone {
  constructor({ kind, name, addresses, line }) { // addresses: {sms | voice: number, telegram: chat id}
    Object.assign(this, { kind, name, addresses, line, look: KINDS[kind], messages: new Map(), erased: 0 });
    this.node = document.getElementById("phone").content.cloneNode(true).firstElementChild;
    this.feed = this.find(".feed");
    this.via = this.look.via.filter((channel) => channel === "speech" || addresses[channel]);
    this.drawFrame();
    this.drawStories();
    this.calls = new Calls(this);
    this.listen();
    this.refresh();
  }

  find(selector) { return this.node.querySelector(selector); }

  get responder() { return this.kind === "responder"; }

  get number() { return this.addresses.sms ?? this.addresses.voice; }

  // Building

  drawFrame() {
    const { look, name, addresses } = this;
    const reached = this.via.map((channel) => CHANNEL_WORD[channel]);
    const [label, own] = this.node.querySelectorAll(".about");
    this.node.classList.add(this.kind);
    this.node.dataset.phone = this.number ?? addresses.telegram;
    setIcon(this.find(".phone-head svg"), look.icon);
    this.find("h3").textContent = name;
    label.textContent = this.responder ? [...reached, "calls"].join(", ") : look.label;
    own.firstElementChild.textContent = this.number ? spaced(this.number) : `@${this.line.bot}`;
    this.find(".empty").textContent = look.empty;
    this.feed.setAttribute("aria-label", `Messages on ${name}’s phone`);
    this.find("textarea").setAttribute("aria-label", `${look.placeholder} from ${name}`);
    this.find(".via").setAttribute("aria-label", "Reply by");
    this.find(".start").append(icon(look.icon), look.start ?? "");
  }

  drawStories() {
    if (this.responder) return;
    const box = this.find(".stories");
    box.append(document.getElementById("stories").content.cloneNode(true));
    for (const item of box.querySelectorAll("li")) {
      if (item.dataset.kind !== this.kind) { item.remove(); continue; }
      const props = { type: "button", className: "story", lang: item.lang, dir: "auto" };
      const button = el("button", props, item.textContent);
      button.addEventListener("click", () => this.tell(button.textContent));
      item.replaceChildren(button);
    }
    const moods = [...box.querySelectorAll(".moods button")];
    const show = (mood) => {
      for (const button of moods) button.setAttribute("aria-pressed", String(button.dataset.mood === mood));
      for (const item of box.querySelectorAll("li")) item.hidden = item.dataset.mood !== mood;
    };
    for (const button of moods) button.addEventListener("click", () => show(button.dataset.mood));
    show("urgent");
  }

  listen() {
    const field = this.find("textarea");
    this.find(".start").addEventListener("click", () => (this.kind === "voice" ? this.calls.dial() : this.send("/start")));
    this.find(".story-toggle").addEventListener("click", () => this.openStories(this.find(".stories").hidden));
    this.find(".newer").addEventListener("click", () => this.toEnd());
    this.find(".composer").addEventListener("submit", (event) => { event.preventDefault(); this.submit(); });
    field.addEventListener("input", () => { field.lang = languageOf(field.value); });
    field.addEventListener("keydown", (event) => {
      if (event.key !== "Enter" || event.shiftKey || event.isComposing) return;
      event.preventDefault();
      this.submit();
    });
    this.feed.addEventListener("scroll", () => { if (this.nearEnd()) this.find(".newer").hidden = true; });
  }

  // Doing

  async attempt(work) { // one place where a refused request becomes a sentence; null when it was refused
    const trouble = this.find(".trouble");
    try {
      const answer = await work();
      trouble.hidden = true;
      return answer;
    } catch (error) {
      trouble.textContent = `The practice carrier did not take that (${error.message}). Please try again.`;
      trouble.hidden = false;
      return null;
    }
  }

  send(text) {
    const written = this.via.length > 1 ? this.find(".via").value : this.via[0];
    const requests = {
      sms: () => post("/phones/sms", { from: this.number, text }),
      telegram: () => post("/phones/telegram", { chat: this.addresses.telegram, text }),
      speech: () => this.calls.speak(text),
    };
    return this.attempt(requests[this.calls.talking ? "speech" : written]);
  }

  async submit() {
    const field = this.find("textarea");
    const text = field.value.trim();
    if (!text || field.disabled) return;
    field.value = "";
    if (!(await this.send(text)) && !field.value) field.value = text; // refused: nothing typed is lost
  }

  async tell(text) {
    if (this.kind === "voice") await this.calls.tell(text);
    else await this.send(text);
    this.openStories(undefined);
  }

  async pressButton(message, data) {
    const body = { chat: this.addresses.telegram, message_id: message.id, data };
    if (!(await this.attempt(() => post("/phones/telegram", body)))) return;
    message.pressed = data;
    this.drawMessage(message);
  }

  openStories(open) { // undefined: open while the phone has nothing else to show
    this.storiesOpen = open;
    this.refresh();
    this.toEnd();
  }

  // What the carriers report

  on(event) {
    const { calls } = this;
    ({
      message: () => this.onMessage(event), deleted: () => this.onDeleted(event), call: () => calls.onState(event),
      say: () => calls.onSay(event), play: () => calls.onPlay(event), gather: () => calls.onGather(event),
      connected: () => calls.onConnected(event),
    })[event.type]?.();
    this.refresh();
  }

  onMessage(event) {
    const key = `${event.channel}/${event.id}`;
    const known = this.messages.get(key);
    const message = known ?? { key, node: el("div") };
    const edited = known && event.text !== known.text;
    const waited = !known || !ARRIVED.has(known.status);
    Object.assign(message, event, edited ? { edited: true, pressed: null } : {});
    const arrives = event.direction === "in" && waited && ARRIVED.has(event.status);
    if (arrives && this.responder) message.later = gap.paged(this.name);
    this.drawMessage(message);
    if (!known) this.addMessage(message);
    if (arrives) this.changed?.();
  }

  addMessage(message) {
    this.messages.set(message.key, message);
    this.storiesOpen = undefined;
    if (message.direction === "out" && !this.responder) gap.said();
    if (message.direction === "out" && this.responder) gap.forget(); // what follows answers the responder
    this.append(message.node, message.direction);
  }

  onDeleted({ id }) {
    for (const message of this.messages.values()) {
      if (message.channel !== "telegram" || String(message.id) !== String(id)) continue;
      message.node.remove();
      this.messages.delete(message.key);
      this.erased += 1;
    }
    if (!this.erased) return;
    this.erasedNote ??= el("p", { className: "note" });
    const count = this.erased === 1 ? "1 message" : `${this.erased} messages`;
    this.erasedNote.textContent = `${count} erased from this phone`;
    this.append(this.erasedNote, "in");
  }

  // Drawing

  drawMessage(message) {
    const press = (data) => this.pressButton(message, data);
    drawMessage(message, { name: this.name, nameChannel: this.via.length > 1, press });
  }

  note(text) { this.append(el("p", { className: "note" }, text), "in"); }

  append(node, direction) {
    const follow = direction === "out" || this.nearEnd();
    this.find(".empty").hidden = true;
    this.feed.append(node);
    if (follow) this.toEnd();
    else this.find(".newer").hidden = false;
  }

  nearEnd() { return this.feed.scrollHeight - this.feed.scrollTop - this.feed.clientHeight < NEAR_END_PX; }

  toEnd() {
    this.feed.scrollTop = this.feed.scrollHeight;
    this.find(".newer").hidden = true;
  }

  refresh() {
    const follow = this.nearEnd();
    this.calls.refresh();
    this.refreshStories();
    this.refreshComposer();
    if (follow) this.toEnd();
  }

  refreshStories() {
    const idle = this.kind === "voice" ? !this.calls.current : !this.find(".empty").hidden;
    const open = !this.responder && (this.storiesOpen ?? idle);
    this.find(".stories").hidden = !open;
    this.find(".story-toggle").hidden = this.responder;
    this.find(".story-toggle").setAttribute("aria-expanded", String(open));
    this.find(".start").hidden = !this.look.start || !idle;
  }

  refreshComposer() {
    const { talking, hears } = this.calls;
    const voice = this.kind === "voice";
    const field = this.find("textarea");
    this.find(".composer").hidden = voice ? !talking : talking && !hears;
    this.find(".via").hidden = this.via.length < 2 || talking;
    field.disabled = this.find(".send").disabled = voice && !hears;
    field.placeholder = field.disabled ? "Keys only" : hears ? "Speak" : this.look.placeholder;
  }
}
