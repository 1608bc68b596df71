// The connection to the practice carriers: requests, the stream of events, its loss and return.
// Hands events to the phones; draws nothing but the state of the connection.

import { aloud } from "./aloud.js";
import { setIcon } from "./drawing.js";
import { gap } from "./gap.js";

const LIVE_AFTER_MS = 400; // this long without an event after connecting: the history is over
const RETRY_MS = [500, 1000, 2000, 4000];

const pause = (i) => RETRY_MS[Math.min(i, RETRY_MS.length - 1)];

export async function post(path, body) {
  const answer = await fetch(path, {
    method: "POST", headers: { "Content-Type": "application/json" }, body: JSON.stringify(body),
  });
  const said = await answer.json().catch(() => ({}));
  if (!answer.ok) throw new Error(said.error || `answer ${answer.status}`);
  return said;
}

async function getSetup() {
  const answer = await fetch("/phones/setup", { cache: "no-store" });
  if (!answer.ok) throw new Error(`answer ${answer.status}`);
  const setup = await answer.json();
  if (!setup.people || !setup.responders) throw new Error("nobody has a phone yet");
  return setup;
}

export async function firstSetup() { // the demo may still be starting: ask until it answers
  for (let i = 0; ; i += 1) {
    try {
      return await getSetup();
    } catch {
      showLink(false);
      await new Promise((again) => {
        document.getElementById("retry").onclick = again;
        setTimeout(again, pause(i));
      });
    }
  }
}

function showLink(up, brief = false) {
  const link = document.getElementById("link");
  setIcon(link.querySelector("svg"), up ? "tick" : "cross");
  link.querySelector("span").textContent = up ? "Live" : "Not connected";
  if (up || !brief) document.getElementById("lost").hidden = up; // a blink of the connection moves nothing on the page
}

export class Line {
  constructor(setup, phones) {
    Object.assign(this, { setup: JSON.stringify(setup), phones, seen: new Map(), failures: 0, byAddress: new Map() });
    for (const phone of phones) {
      for (const address of Object.values(phone.addresses)) this.byAddress.set(String(address), phone);
    }
    document.getElementById("retry").onclick = () => this.connect();
    this.connect();
  }

  async connect() {
    clearTimeout(this.retry);
    try {
      if (JSON.stringify(await getSetup()) !== this.setup) window.location.reload(); // another demo on this port
    } catch {
      this.lost();
      return;
    }
    this.source?.close();
    this.source = new EventSource("/phones/events?after=0");
    this.source.addEventListener("open", () => this.opened());
    this.source.addEventListener("message", (event) => this.heard(event.data));
    this.source.addEventListener("error", () => this.lost());
  }

  opened() {
    this.failures = 0;
    showLink(true);
    this.settle();
  }

  settle() {
    if (gap.live) return;
    clearTimeout(this.settling);
    this.settling = setTimeout(() => {
      gap.live = true;
      for (const phone of this.phones) phone.feed.setAttribute("aria-live", "polite"); // history is not read out
    }, LIVE_AFTER_MS);
  }

  heard(data) {
    const event = JSON.parse(data);
    const before = this.seen.get(event.seq);
    if (before === data) return; // replayed after a reconnection
    if (before !== undefined) { window.location.reload(); return; } // numbers begin anew: the demo was restarted
    this.seen.set(event.seq, data);
    this.settle();
    this.byAddress.get(String(event.phone))?.on(event);
  }

  lost() {
    this.source?.close();
    showLink(false, this.failures === 0);
    aloud.hush();
    clearTimeout(this.retry);
    this.retry = setTimeout(() => this.connect(), pause(this.failures));
    this.failures += 1;
  }
}
