// Starts the phones page: asks the practice carriers who has a phone, and draws the phones on both sides.
// The page only shows what the carriers report and sends what a visitor does; it decides nothing about a report.

import { Line, firstSetup } from "./line.js";
import { Phone } from "./phone.js";
import { Group } from "./tabs.js";

function present(addresses) {
  return Object.fromEntries(Object.entries(addresses).filter(([, value]) => value));
}

async function begin() {
  const setup = await firstSetup();
  const { line, people, responders, console: address } = setup;
  const left = people.map(({ name, kind, phone }) => new Phone({ kind, name, line, addresses: { [kind]: phone } }));
  const right = responders.map(({ name, phone, telegram }) => (
    new Phone({ kind: "responder", name, line, addresses: present({ sms: phone, telegram }) })
  ));
  new Group(document.getElementById("people"), left);
  new Group(document.getElementById("responders"), right);
  const link = document.getElementById("console");
  link.hidden = !/^https?:\/\//.test(address ?? "");
  if (!link.hidden) link.href = address;
  window.speechSynthesis?.getVoices(); // some browsers load their voices only when asked
  new Line(setup, [...left, ...right]);
}

begin();
