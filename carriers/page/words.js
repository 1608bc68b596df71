// The words and tables of the phones page. No behaviour and no DOM here.

export const STATUS = { // a carrier's word -> shape, our word
  queued: ["ring", "queued"], accepted: ["ring", "queued"], scheduled: ["ring", "queued"], sending: ["ring", "sending"],
  sent: ["tick", "sent"], received: ["ticks", "delivered"], delivered: ["ticks", "delivered"], read: ["ticks", "read"],
  failed: ["cross", "not delivered"], undelivered: ["cross", "not delivered"], canceled: ["cross", "cancelled"],
};
export const ARRIVED = new Set(["received", "delivered", "read", undefined, null, ""]);

export const CALL_OVER = {
  completed: "Call ended", "no-answer": "Call not answered", busy: "Busy", failed: "The call did not go through",
};

export const KINDS = {
  sms: {
    icon: "sms", label: "Text messages", via: ["sms"], placeholder: "Message",
    empty: "What the line answers appears here.",
  },
  telegram: {
    icon: "telegram", label: "Telegram", via: ["telegram"], placeholder: "Message", start: "Start the bot",
    empty: "What the bot answers appears here, with its buttons.",
  },
  voice: {
    icon: "call", label: "Voice", via: ["speech"], placeholder: "Speak", start: "Call the line",
    empty: "What is heard on the call appears here as words, and is read aloud.",
  },
  responder: {
    icon: "person", label: "On call", via: ["sms", "telegram"], placeholder: "Reply",
    empty: "Pages and calls appear here when someone is in danger. Answer them as a responder would.",
  },
};

export const CHANNEL_WORD = { sms: "SMS", telegram: "Telegram" };
export const KEYPAD = ["1", "2", "3", "4", "5", "6", "7", "8", "9", "*", "0", "#"];
export const KEY_WORD = { "*": "star", "#": "hash" };

const SCRIPTS = [ // a message carries no language tag; its script gives one to fonts and screen readers
  [/\p{Script=Arabic}/u, "ar"], [/\p{Script=Devanagari}/u, "hi"], [/\p{Script=Han}/u, "zh"],
];

export function languageOf(text) { // "" for unknown: HTML's own word for it
  return SCRIPTS.find(([script]) => script.test(text))?.[1] ?? "";
}

export function clock(at) { // ISO 8601 -> 21:14
  const when = new Date(at ?? "");
  if (Number.isNaN(when.getTime())) return "";
  return when.toLocaleTimeString("en-GB", { hour: "2-digit", minute: "2-digit" });
}

export function spaced(number) { // +15550100100 -> +1 555 010 0100
  return String(number).replace(/^\+1(\d{3})(\d{3})(\d{4})$/, "+1 $1 $2 $3");
}
