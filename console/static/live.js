// Keeps the changing part of a page fresh. The stream only says that something changed; the page then fetches what
// this member may see. Without this file the page refreshes itself, slower.
"use strict";

(() => {
  const changing = document.getElementById("changing");
  const sign = document.getElementById("live");
  const words = document.getElementById("live-words");
  const news = document.getElementById("news");
  const title = document.title;
  let busy = false;
  let again = false;
  let stream = null;

  const say = (lively) => {
    sign.hidden = false;
    sign.classList.toggle("lost", !lively);
    words.textContent = lively ? "Live" : "Not live. Trying again";
  };

  const signedOut = () => {
    if (stream) stream.close();
    location.assign("/signin?next=" + encodeURIComponent(location.pathname));
  };

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

  const refresh = async () => {
    if (busy) { again = true; return; }
    busy = true;
    try {
      const answer = await fetch(changing.dataset.live, { cache: "no-store" });
      if (answer.status === 401) { signedOut(); return; }
      if (answer.ok) { put(await answer.text()); say(true); } else say(false);
    } catch {
      say(false);
    } finally {
      busy = false;
    }
    if (again) { again = false; refresh(); }
  };

  const listen = () => {
    stream = new EventSource("/queue/live");
    stream.addEventListener("changed", refresh);
    stream.addEventListener("signed_out", signedOut);
    stream.addEventListener("open", () => say(true));
    stream.addEventListener("error", () => {
      say(false);
      if (stream.readyState === EventSource.CLOSED) setTimeout(() => { refresh(); listen(); }, 5000);
    });
  };

  addEventListener("pagehide", () => stream && stream.close());
  addEventListener("pageshow", (event) => { if (event.persisted) { refresh(); listen(); } });
  name(changing.querySelector(".part"));
  listen();
})();
