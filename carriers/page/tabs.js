// One phone of a group at a time when the screen is small, chosen by tabs; all of them when it is wide.

import { el, icon } from "./drawing.js";
import { gap } from "./gap.js";

export const wide = window.matchMedia("(min-width: 75rem)"); // the same width as in phones.css

export class Group {
  constructor(node, phones) {
    Object.assign(this, { node, phones, selected: 0, tabs: node.querySelector(".tabs") });
    node.style.setProperty("--phones", String(phones.length)); // through CSSOM, which a strict CSP allows
    phones.forEach((phone, i) => this.add(phone, i));
    this.tabs.addEventListener("keydown", (event) => this.move(event));
    wide.addEventListener("change", () => this.draw());
    this.draw();
  }

  add(phone, i) {
    phone.node.id = `${this.node.id}-phone-${i}`;
    phone.news = 0;
    phone.changed = () => this.changed(phone, i);
    const parts = [icon(phone.look.icon), el("span", {}, phone.name), el("b", { hidden: true })];
    const tab = el("button", { type: "button", role: "tab", id: `${this.node.id}-tab-${i}` }, ...parts);
    tab.setAttribute("aria-controls", phone.node.id);
    tab.addEventListener("click", () => this.select(i));
    this.tabs.append(tab);
    this.node.querySelector(".row").append(phone.node);
  }

  changed(phone, i) {
    if (gap.live && !wide.matches && this.selected !== i) phone.news += 1;
    this.draw();
  }

  select(i) {
    this.selected = i;
    this.phones[i].news = 0;
    this.draw();
    this.phones[i].toEnd();
  }

  move(event) {
    const step = { ArrowRight: 1, ArrowLeft: -1, Home: -this.selected, End: -1 - this.selected }[event.key];
    if (step === undefined) return;
    event.preventDefault();
    this.select((this.selected + step + this.phones.length) % this.phones.length);
    this.tabs.children[this.selected].focus();
  }

  draw() {
    this.phones.forEach((phone, i) => {
      this.drawTab(this.tabs.children[i], phone, i === this.selected);
      phone.node.classList.toggle("away", i !== this.selected);
      phone.node.setAttribute("role", wide.matches ? "group" : "tabpanel");
      phone.node.setAttribute("aria-label", wide.matches ? `${phone.name}, ${phone.look.label}` : phone.name);
    });
  }

  drawTab(tab, phone, selected) {
    const badge = tab.querySelector("b");
    tab.setAttribute("aria-selected", String(selected));
    tab.tabIndex = selected ? 0 : -1;
    const news = phone.news ? `${phone.news} new` : "";
    badge.textContent = phone.calls.ringing ? "rings" : news;
    badge.hidden = !badge.textContent;
  }
}
