// Sounds while an alert calls everyone and nobody has it. Never by itself: somebody turns it on in this browser, and
// hears it once then. Two soft tones, made here, again and again until the alert is taken. Without this file the banner
// remains.
"use strict";

(() => {
  const changing = document.getElementById("changing");
  const bar = document.getElementById("alarm");
  if (!changing || !bar || !window.AudioContext) return;

  const EVERY = 3000;
  const TONES = [[523.25, 0], [659.25, 0.45]];
  const KEY = "alarm-sound";
  const button = document.getElementById("alarm-button");
  const words = document.getElementById("alarm-words");
  let context = null;
  let timer = null;

  const remembered = () => { try { return localStorage.getItem(KEY) === "on"; } catch { return false; } };
  const remember = (on) => { try { localStorage.setItem(KEY, on ? "on" : "off"); } catch { /* private window */ } };

  let wanted = remembered();

  const ringing = () => changing.querySelector(".part").dataset.alarm === "1";
  const audible = () => context !== null && context.state === "running";

  const play = () => {
    for (const [pitch, after] of TONES) {
      const tone = context.createOscillator();
      const loudness = context.createGain();
      const begin = context.currentTime + after;
      tone.type = "sine";
      tone.frequency.value = pitch;
      loudness.gain.setValueAtTime(0.0001, begin);
      loudness.gain.exponentialRampToValueAtTime(0.5, begin + 0.06);
      loudness.gain.exponentialRampToValueAtTime(0.0001, begin + 1.2);
      tone.connect(loudness).connect(context.destination);
      tone.start(begin);
      tone.stop(begin + 1.3);
    }
  };

  const show = () => {
    bar.hidden = false;
    bar.classList.toggle("silent", ringing() && !(wanted && audible()));
    if (wanted && audible()) words.textContent = "The alarm sounds in this browser.";
    else if (wanted) words.textContent = "The browser keeps the alarm silent until you press here.";
    else words.textContent = "The alarm is silent in this browser.";
    button.textContent = wanted && audible() ? "Turn the sound off" : "Turn the sound on";
  };

  const follow = () => {
    show();
    const sounding = wanted && audible() && ringing();
    if (sounding && timer === null) {
      play();
      timer = setInterval(play, EVERY);
    } else if (!sounding && timer !== null) {
      clearInterval(timer);
      timer = null;
    }
  };

  const awake = async () => {
    if (context === null) {
      context = new AudioContext();
      context.addEventListener("statechange", follow);
    }
    try { await context.resume(); } catch { /* show() says that it is silent */ }
  };

  button.addEventListener("click", async () => {
    wanted = !(wanted && audible());
    remember(wanted);
    if (wanted) {
      await awake();
      if (audible() && !ringing()) play(); // so that everybody knows the sound before the night it is needed
    }
    follow();
  });

  // Somebody who turned it on before need not look for the button: their first touch of the page is enough.
  const touched = async () => {
    removeEventListener("pointerdown", touched);
    removeEventListener("keydown", touched);
    if (wanted) { await awake(); follow(); }
  };
  addEventListener("pointerdown", touched);
  addEventListener("keydown", touched);

  new MutationObserver(follow).observe(changing, { childList: true });
  follow();
})();
