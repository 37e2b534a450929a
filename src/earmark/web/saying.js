// What the page says: one line beside the buttons, and notices above that stay until their matter is settled.

import { $, make, show } from "./dom.js";

const notices = new Map();

/** A line that screen readers read out; `careful`: it wants attention. */
export function say(words, careful = false) {
  $("status").textContent = (careful ? "⚠ " : "") + words;
  $("status").classList.toggle("careful", careful);
}

/** Put up a notice about a matter, with a button; null takes it away. */
export function notice(matter, words, button = "", press = null) {
  if (words === null) notices.delete(matter);
  else notices.set(matter, { words, button, press });
  const parts = [...notices.values()].flatMap((one) => [
    make("span", { text: `⚠ ${one.words}` }), one.button ? make("button", { text: one.button, onclick: one.press }) : null, make("br")]);
  const said = parts.map((one) => one?.textContent).join();
  if (said !== notice.said) $("trouble").replaceChildren(...parts.filter(Boolean).slice(0, -1));
  notice.said = said;
  show($("trouble"), notices.size > 0);
}
