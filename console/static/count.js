// Says how long an answer is while it is written, and how many text messages it becomes.
"use strict";

(() => {
  const GSM = /^[A-Za-z0-9 \r\n@£$¥èéùìòÇØøÅåΔ_ΦΓΛΩΠΨΣΘΞÆæßÉ!"#¤%&'()*+,\-./:;<=>?¡ÄÖÑÜ§¿äöñüà^{}\\[~\]|€]*$/;
  const DOUBLE = /[\^{}\\[~\]|€]/g;

  const messages = (text) => {
    const plain = GSM.test(text);
    const units = plain ? text.length + (text.match(DOUBLE) || []).length : text.length;
    const [one, more] = plain ? [160, 153] : [70, 67];
    return units <= one ? 1 : Math.ceil(units / more);
  };

  for (const box of document.querySelectorAll("textarea[data-count]")) {
    const line = document.getElementById(box.dataset.count);
    const show = () => {
      const length = box.value.length;
      if (!length) { line.textContent = ""; return; }
      const parts = messages(box.value);
      const sms = box.dataset.channel === "sms" ? ", " + parts + (parts === 1 ? " text message" : " text messages") : "";
      line.textContent = length + (length === 1 ? " character" : " characters") + sms + ".";
    };
    box.addEventListener("input", show);
    show();
  }
})();
