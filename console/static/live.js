// Keeps the changing part of a page fresh. The stream only says that something changed; the page then fetches what
// this member may see. Without this file the page refreshes itself, slower.
"use strict";

(() => {
  const changing = document.getElementById("changing");
  const news = document.getElementById("news");
  const title = document.title;

  const name = (part) => {
    const urgent = Number(part.dataset.urgent);
    document.title = urgent ? "(" + urgent + ") " + title : title;
  };

  const put = (text) => {
    const fresh = new DOMParser().parseFromString(text, "text/html").querySelector(".part");
    const old = changing.querySelector(".part");
    if (!fresh || old.outerHTML === fresh.outerHTML) return;
    const focused = changing.contains(document.activeElement) ? document.activeElement : null;
    const id = focused && focused.id;
    const form = focused && focused.closest("form");
    const action = form && form.getAttribute("action");
    const here = document.adoptNode(fresh);
    old.replaceWith(here);
    if (id && document.getElementById(id)) document.getElementById(id).focus({ preventScroll: true });
    else if (action) {
      const button = here.querySelector('form[action="' + action + '"] button');
      if (button) button.focus({ preventScroll: true });
    }
    if (old.dataset.summary !== here.dataset.summary) news.textContent = here.dataset.summary;
    name(here);
  };

  name(changing.querySelector(".part"));
  keepFresh({ address: () => changing.dataset.live, put });
})();
