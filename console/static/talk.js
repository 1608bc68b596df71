// Keeps the panel "Write with them" fresh: who writes, and what the person wrote since. The stream only says that
// something changed. What is being typed is never touched. Without this file a link looks for new words.
"use strict";

(() => {
  const panel = document.getElementById("writing");
  const now = document.getElementById("now");
  const talk = document.getElementById("talk");
  const list = talk && talk.querySelector("ol");
  const seen = document.getElementById("talk-seen");
  const look = document.getElementById("look");
  const news = document.getElementById("news");
  let known = panel.dataset.known;

  // The same sentence twice, within one minute, is read out twice only when it was gone in between.
  const announce = (sentence) => { news.textContent = ""; setTimeout(() => { news.textContent = sentence; }, 100); };

  const down = () => { if (talk) talk.scrollTop = talk.scrollHeight; };

  const append = (fresh) => {
    for (const moment of fresh.querySelectorAll(":scope > ol > li"))
      if (!list.querySelector('[data-number="' + moment.dataset.number + '"]')) { list.append(moment); down(); }
    for (const sent of fresh.querySelectorAll(":scope > ul > li")) {
      const moment = list.querySelector('[data-number="' + sent.dataset.number + '"]');
      const line = moment && moment.querySelector(".delivery");
      if (line && line.textContent !== sent.textContent) line.textContent = sent.textContent;
      if (line) moment.classList.toggle("trouble", sent.classList.contains("trouble"));
    }
    panel.dataset.last = fresh.dataset.last;
    seen.value = fresh.dataset.seen;
  };

  const put = (text) => {
    const part = new DOMParser().parseFromString(text, "text/html").querySelector(".part");
    if (!part) return;
    const fresh = document.adoptNode(part);
    const state = fresh.querySelector(":scope > .stack");
    if (state.innerHTML.trim() !== now.innerHTML.trim()) now.replaceChildren(...state.childNodes);
    if (list && fresh.querySelector(":scope > ol > li, :scope > ul > li")) append(fresh);
    const found = fresh.dataset.seen + fresh.dataset.summary;
    if (known !== found) announce(fresh.dataset.summary);
    known = found;
  };

  down();
  keepFresh({
    address: () => panel.dataset.talk + "?part=1&after=" + panel.dataset.last,
    put,
    said: (lively) => { if (look) look.hidden = lively; },
  });
})();
