// From the last message on the left to the first page on the right, measured by this page's own clock.
// Only what the page looked on at is measured: a history that is replayed has no figure.

import { el } from "./drawing.js";

const LONGEST_MS = 600_000; // a page later than this belongs to another story

export const gap = {
  live: false, // true once the history has been read
  since: null,

  said() { this.since = this.live ? Date.now() : null; },
  forget() { this.since = null; },

  paged(name) { // says how long it took, or "" when no message on the left waits for a page
    const took = Date.now() - this.since;
    if (!this.live || this.since === null || took > LONGEST_MS) return "";
    this.since = null;
    const wire = document.getElementById("wire");
    const seconds = (took / 1000).toFixed(1);
    wire.querySelector(".figure").replaceChildren(seconds, el("span", {}, " seconds later"));
    wire.querySelector(".caption").textContent = `a page on ${name}’s phone`;
    return `${seconds} seconds later`;
  },
};
