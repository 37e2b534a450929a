// The dialogs: who is there, directions, why a clip is skipped.

import { $, choice, make } from "./dom.js";
import { keep, kept } from "./keeping.js";
import { directions, KEYS } from "./words.js";

const REASONS = [["unsure", "I am unsure", "somebody else is asked"], ["silent", "It is silent", "there is nothing to hear"],
  ["cut off", "It is cut off", "what matters is not in it"], ["other", "Something else", "say what in the comment"]];

export const anyOpen = () => document.querySelector("dialog[open]") !== null;

/** Open a dialog, and call `closed` when it is closed again. A close is told of late: one that comes while the dialog is
 * open is of the time before. */
function open(dialog, closed) {
  dialog.onclose = () => { if (!dialog.open) closed(); };
  dialog.showModal();
}

/** Ask for a name until `enter(name)` has taken it; gives what that gave. */
export function askName(enter, before = "") {
  return new Promise((resolve) => {
    $("name").value = before;
    $("enter-problem").textContent = "";
    $("enter").oncancel = (event) => event.preventDefault();
    $("enter-form").onsubmit = async (event) => {
      event.preventDefault();
      try {
        const found = await enter($("name").value);
        $("enter").close();
        resolve(found);
      } catch (error) {
        $("enter-problem").textContent = error.message;
        $("name").focus();
      }
    };
    $("enter").showModal();
    $("name").focus();
  });
}

/** Write the directions; show them if they were not read before. */
export function prepareDirections(question, rows) {
  $("directions-words").replaceChildren(...directions(question).map((words) => make("p", { text: words })));
  $("key-rows").replaceChildren(...[...rows, ...KEYS].map(([keys, words]) => make("tr", {},
    make("th", { scope: "row" }, ...keys.split("  ").flatMap((one) => [make("kbd", { text: one }), " "])), make("td", { text: words }))));
  $("directions-close").onclick = () => $("directions").close();
}

export function showDirections() {
  return new Promise((resolve) => {
    open($("directions"), () => { keep("directed", true); resolve(); });
    $("directions-close").focus();
    $("directions").scrollTop = 0;
  });
}

export const directed = () => Boolean(kept("directed"));

/** Why is it skipped? The reason, or null. */
export function askReason() {
  return new Promise((resolve) => {
    let reason = null;
    const choose = (one) => { reason = one; $("skip-why").close(); };
    $("skip-reasons").replaceChildren(...REASONS.map(([one, name, more], i) => {
      const button = choice(name, String(i + 1), () => choose(one));
      button.removeAttribute("aria-pressed");
      button.querySelector(".mark").remove();
      button.querySelector(".name").append(make("span", { class: "soft", text: ` – ${more}` }));
      return button;
    }));
    $("skip-not").onclick = () => $("skip-why").close();
    $("skip-why").onkeydown = (event) => {
      const found = REASONS[Number(event.key) - 1];
      if (found && !event.ctrlKey && !event.metaKey && !event.altKey) { event.preventDefault(); choose(found[0]); }
    };
    open($("skip-why"), () => resolve(reason));
    $("skip-reasons").firstChild.focus();
  });
}
