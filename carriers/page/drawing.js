// How a message becomes elements. Text from outside reaches the page only as text nodes, never as markup.

import { ARRIVED, CHANNEL_WORD, STATUS, clock, languageOf } from "./words.js";

export function el(tag, props = {}, ...children) {
  const node = document.createElement(tag);
  for (const [name, value] of Object.entries(props)) {
    if (name in node) node[name] = value;
    else node.setAttribute(name, value);
  }
  node.append(...children);
  return node;
}

export function icon(name) {
  const svg = document.createElementNS("http://www.w3.org/2000/svg", "svg");
  svg.setAttribute("aria-hidden", "true");
  svg.append(document.createElementNS("http://www.w3.org/2000/svg", "use"));
  setIcon(svg, name);
  return svg;
}

export function setIcon(svg, name) {
  svg.querySelector("use").setAttribute("href", `#i-${name}`);
}

function link(address) { // may break after a slash, not within a word
  const pieces = address.split(/(?<=\w\/)/).flatMap((piece, i) => (i ? [el("wbr"), piece] : [piece]));
  return el("a", { href: address, target: "_blank", rel: "noopener noreferrer" }, ...pieces);
}

function withLinks(text) {
  const parts = String(text).split(/(https?:\/\/[^\s<>"]+)/);
  return parts.map((part, i) => (i % 2 ? link(part) : part));
}

function drawButtons(rows, pressed, press) {
  const box = el("div", { className: "buttons" });
  for (const row of rows) {
    const line = el("div");
    for (const { text, data } of row) {
      const button = el("button", { type: "button", dir: "auto", lang: languageOf(text) }, text);
      button.setAttribute("aria-pressed", String(pressed === data));
      button.addEventListener("click", () => press(data));
      line.append(button);
    }
    box.append(line);
  }
  return box;
}

function drawMeta({ channel, at, status, error, edited, direction }, nameChannel) {
  const words = [nameChannel ? CHANNEL_WORD[channel] : "", clock(at), edited ? "edited" : ""].filter(Boolean);
  const line = el("p", { className: "meta" }, words.join(" · "));
  if (!status) return line;
  const [shape, word] = STATUS[status] ?? ["ring", status];
  const shown = direction === "in" && word === "sent" ? "on its way" : word;
  line.append(el("span", { className: "status" }, icon(shape), error ? `${shown} (${error})` : shown));
  return line;
}

// Draw a message into its node, again after every change. `press` is told the data of a button.
export function drawMessage(message, { name, nameChannel, press }) {
  const { node, direction, text = "", buttons, status, later, pressed } = message;
  const words = direction === "in" ? withLinks(text) : [text];
  node.className = `message ${direction}`;
  node.classList.toggle("coming", !ARRIVED.has(status));
  node.classList.toggle("lost-message", STATUS[status]?.[0] === "cross");
  node.replaceChildren(
    ...(later ? [el("p", { className: "later" }, later)] : []),
    el("span", { className: "sr" }, direction === "out" ? `${name}: ` : ""),
    el("p", { className: "bubble", dir: "auto", lang: languageOf(text) }, ...words),
    ...(buttons?.length ? [drawButtons(buttons, pressed, press)] : []),
    drawMeta(message, nameChannel),
  );
}

// What was said, pressed or heard on a call.
export function drawSpoken(direction, text, word, language) {
  const bubble = el("p", { className: "bubble", dir: "auto", lang: language || languageOf(text) }, text);
  const meta = el("p", { className: "meta" }, icon("call"), word);
  return el("div", { className: `message ${direction} spoken` }, bubble, meta);
}
