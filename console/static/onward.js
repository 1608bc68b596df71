// Presses "Go on" by itself while cases move to the team's new key. Without this file somebody presses it.
"use strict";

(() => {
  const form = document.getElementById("going-on");
  if (form) setTimeout(() => form.submit(), 300);
})();
