// The keyboard: one place that says which key does what.

import { $ } from "./dom.js";
import { anyOpen } from "./dialogs.js";

/** `does`: submit, skip, undo, accept, leave, help; `editor` and `player` take their own keys. */
export function listen({ does, editor, player }) {
  document.addEventListener("keydown", (event) => {
    if (anyOpen() || event.ctrlKey && event.key !== "Enter" || event.metaKey || event.altKey || event.isComposing) return;
    if (typing(event)) { inField(event, does, editor); return; }
    const act = plain(event, does, player);
    if (act) { event.preventDefault(); if (!event.repeat || act.repeats) act(); return; }
    const wanted = !$("desk").hidden && !event.repeat && !(inList(event) && event.key.startsWith("Arrow")) && editor.key(event);
    if (wanted) event.preventDefault();
  });
}

const typing = ({ target }) => target.matches("textarea, input:not([type=checkbox]), select");
const inList = ({ target }) => target.closest(".region-list") !== null;
const onControl = ({ target }) => target.closest("button, summary, input, a") !== null;

function inField(event, does, editor) {
  const { target } = event;
  if (event.key === "Escape") { target.blur(); event.stopPropagation(); }
  else if (event.key === "Enter" && target.id === "find") { event.preventDefault(); editor.found(); }
  else if (event.key === "Enter" && event.ctrlKey) { event.preventDefault(); target.blur(); does.submit(); }
}

/** What a key does whatever is asked; null: nothing. */
function plain(event, does, player) {
  const repeats = (act) => Object.assign(act, { repeats: true });
  switch (event.key) {
    case "Enter": return onControl(event) && !event.target.closest("#choices .choice, #submit") ? null : does.submit;
    case " ": return onControl(event) ? null : () => player.toggle();
    case "ArrowLeft": return repeats(() => player.step(-1, event.shiftKey));
    case "ArrowRight": return repeats(() => player.step(1, event.shiftKey));
    case "Home": return () => player.seek(0);
    case "End": return () => player.seek(Infinity);
    case "Escape": return does.leave;
    case "?": return does.help;
    case ",": return () => player.slower(-1);
    case ".": return () => player.slower(1);
  }
  switch (event.key.toLowerCase()) {
    case "s": return does.skip;
    case "u": return does.undo;
    case "l": return () => player.loop();
    case "c": return () => $("comment").focus();
    case "a": return $("suggestion").hidden ? null : does.accept;
  }
  return null;
}
