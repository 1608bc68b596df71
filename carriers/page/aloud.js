// Reads calls aloud with the browser's own voices; one switch for all phones. Knows nothing of calls.

export const aloud = {
  on: true,
  audio: null,
  switches: new Set(), // called with the new state

  voice(language) {
    const wanted = language.toLowerCase();
    const voices = (window.speechSynthesis?.getVoices() ?? []).map((voice) => [voice, voice.lang.toLowerCase().replace("_", "-")]);
    const found = voices.find(([, lang]) => lang === wanted) ?? voices.find(([, lang]) => lang.startsWith(wanted.split("-")[0]));
    return found?.[0];
  },

  say(text, language) { // returns a sentence when the browser cannot say it
    if (!this.on) return "";
    const voice = this.voice(language);
    if (!voice) return "Not read aloud: this browser has no voice for it.";
    const utterance = new SpeechSynthesisUtterance(text);
    utterance.voice = voice;
    utterance.lang = language;
    window.speechSynthesis.speak(utterance);
    return "";
  },

  play(url) {
    if (!this.on) return;
    this.audio = new Audio(url);
    this.audio.play().catch(() => { this.audio = null; }); // the transcript already names the recording
  },

  hush() {
    window.speechSynthesis?.cancel();
    this.audio?.pause();
  },

  turn(on) {
    this.on = on;
    if (!on) this.hush();
    for (const draw of this.switches) draw(on);
  },
};
