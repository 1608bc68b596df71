// Fetches the changing part of a page whenever the stream says that something changed, and shows whether that works.
// What is fetched, and what is done with it, is for live.js and talk.js.
"use strict";

// address(): where the part is; put(text): takes it; said(lively): whether it is live, for whoever wants to know.
const keepFresh = ({ address, put, said = () => {} }) => {
  const sign = document.getElementById("live");
  const words = document.getElementById("live-words");
  let busy = false;
  let again = false;
  let stream = null;

  const say = (lively) => {
    sign.hidden = false;
    sign.classList.toggle("lost", !lively);
    words.textContent = lively ? "Live" : "Not live. Trying again";
    said(lively);
  };

  const signedOut = () => {
    if (stream) stream.close();
    location.assign("/signin?next=" + encodeURIComponent(location.pathname));
  };

  const refresh = async () => {
    if (busy) { again = true; return; }
    busy = true;
    try {
      const answer = await fetch(address(), { cache: "no-store" });
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
  listen();
};
