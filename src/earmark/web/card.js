// What is written about a clip: its name and place, what was answered before, what is suggested, what others said.

import { $, make, show, some } from "./dom.js";
import { kept } from "./keeping.js";
import { told } from "./words.js";

/** A line above the clip; with `back`, one may leave it for the next. */
export function banner(words, back = false) {
  $("banner-words").textContent = words;
  show($("leave"), back);
  show($("banner"), Boolean(words));
}

/** Write about a task; gives the answer and the comment to begin with: half-made ones, else those given before. */
export function layOut(task) {
  const { clip } = task;
  $("clip-name").replaceChildren(make("bdi", { text: clip.file }));
  $("clip-place").textContent = clip.whole ? `${clip.seconds.toFixed(1)} s`
    : `from ${clip.start.toFixed(1)} to ${(clip.start + clip.seconds).toFixed(1)} s`;
  before(task);
  suggested(task.suggestion);
  said(task.said);
  const draft = kept(`draft.${clip.id}`), answer = draft?.answer || task.answer || null;
  return { answer: answer?.skip ? null : answer, comment: draft?.comment ?? task.answer?.comment ?? "" };
}

function before({ answer, returned }) {
  if (returned) banner("This answer was not accepted; here it is again.");
  else if (answer) banner(`You had answered: ${told(answer)}. Submit to change it.`, true);
  else banner("");
}

function suggested(suggestion) {
  show($("suggestion"), Boolean(suggestion));
  if (!suggestion) return;
  const sure = suggestion.score === undefined ? "" : ` (${Math.round(100 * suggestion.score)} %)`;
  $("suggested").textContent = `Suggested: ${told(suggestion.answer)}${sure}`;
}

function said(answers) {
  show($("said"), Boolean(answers));
  if (!answers) return;
  const rows = answers.map((one) => make("tr", {}, make("th", { scope: "row", dir: "auto", text: one.name }),
    make("td", { dir: "auto", text: told(one.answer) })));
  $("said").replaceChildren(make("table", {}, make("caption", { text: "What was said. Your answer counts for everybody." }),
    make("tbody", {}, ...rows)));
}

/** Say that there is no clip, and why. */
export function emptied({ waiting, settling, progress }) {
  const { everybody, total } = progress || { everybody: 0, total: 0 }, done = everybody >= total;
  const [title, words] = waiting ? ["Waiting for the server", `Kept in this browser, and sent when it is back: ${some(waiting, "answer")} of yours.`]
    : settling ? ["All settled", "There is no disagreement left."]
    : done ? ["All clips are done. Thank you!", `${some(total, "clip")} have their answers.`]
    : ["Nothing waits for you", `${some(total - everybody, "clip")} of ${total.toLocaleString("en")} are with others, who have them open just now, or wait for somebody else. What is left open comes back.`];
  $("empty-title").textContent = title;
  $("empty-words").textContent = words;
  show($("empty"), true);
  $("empty").focus();
}
