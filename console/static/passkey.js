// Asks the browser for a passkey, to sign in or to add one. Without this file the authenticator's code remains.
"use strict";

(() => {
  if (!window.PublicKeyCredential) return;

  const bytes = (text) => Uint8Array.from(atob(text.replace(/-/g, "+").replace(/_/g, "/")), (c) => c.charCodeAt(0));
  const words = (buffer) =>
    btoa(String.fromCharCode(...new Uint8Array(buffer))).replace(/\+/g, "-").replace(/\//g, "_").replace(/=+$/, "");

  const trouble = document.getElementById("passkey-trouble");
  const say = (sentence) => { trouble.textContent = sentence; trouble.hidden = !sentence; };

  const options = async (path, request) => {
    const answer = await fetch(path, { cache: "no-store", ...request });
    if (!answer.ok || answer.redirected) throw new Error();
    const given = await answer.json();
    given.challenge = bytes(given.challenge);
    if (given.user) given.user.id = bytes(given.user.id);
    for (const known of [...(given.excludeCredentials || []), ...(given.allowCredentials || [])]) known.id = bytes(known.id);
    return given;
  };

  const plain = (made) => {
    const response = {};
    for (const name of ["clientDataJSON", "attestationObject", "authenticatorData", "signature", "userHandle"])
      if (made.response[name]) response[name] = words(made.response[name]);
    return JSON.stringify({ id: made.id, rawId: words(made.rawId), type: made.type, response });
  };

  const ask = async (form, button, made) => {
    say("");
    button.disabled = true;
    try {
      form.elements.passkey.value = plain(await made());
      form.submit();
    } catch {
      say("The passkey did not answer. Try again, or use the code from your authenticator.");
      button.disabled = false;
    }
  };

  const signing = document.getElementById("signin");
  if (signing) {
    const button = document.getElementById("with-passkey");
    button.hidden = false;
    button.addEventListener("click", () => {
      if (!signing.reportValidity()) return;
      ask(signing, button, async () => navigator.credentials.get({ publicKey: await options("/signin/passkey") }));
    });
  }

  const adding = document.getElementById("new-passkey");
  if (adding) {
    document.getElementById("add-passkey").hidden = false;
    document.getElementById("needs-script").hidden = true;
    adding.addEventListener("submit", (event) => {
      event.preventDefault();
      const body = new URLSearchParams({ token: adding.elements.token.value });
      ask(adding, adding.querySelector("button"), async () =>
        navigator.credentials.create({ publicKey: await options("/account/passkeys/options", { method: "POST", body }) }));
    });
  }
})();
