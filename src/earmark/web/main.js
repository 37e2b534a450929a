// The page of a project: who is there, what is asked, and then clip after clip.

import { $, show } from "./dom.js";
import { read, write, Refused } from "./wire.js";
import { keep, kept, ofProject } from "./keeping.js";
import { asked, hint } from "./words.js";
import { buttonsEditor, levelsEditor } from "./choices.js";
import { regionsEditor } from "./regions.js";
import { Player } from "./player.js";
import { Progress } from "./progress.js";
import { Desk } from "./desk.js";
import { askName, directed, prepareDirections, showDirections } from "./dialogs.js";
import { listen } from "./keys.js";
import { notice, say } from "./saying.js";
import * as media from "./media.js";

const TOUCH_SECONDS = 60;
let desk = null;

async function begin() {
  const project = await patiently(() => read("project"));
  ofProject(project.id);
  const { question } = project;
  document.title = `${project.name} – labelling`;
  $("title").textContent = project.name;
  $("question").textContent = asked(question);
  $("hint").textContent = hint(question);

  const progress = new Progress(), me = await enter(progress);
  const on = {}, player = new Player(on);
  const editors = { levels: levelsEditor, regions: regionsEditor };
  const editor = (editors[question.kind] || buttonsEditor)(question, $("choices"), () => desk?.changed(), player);
  on.shown = () => editor.place?.();
  on.draws = (event) => editor.draws?.(event);
  on.playing = () => performance.mark("playing");
  prepareDirections(question, editor.rows);
  if (!directed()) await showDirections();

  desk = new Desk({ editor, player, me, progress, more: () => settle(true) });
  const does = { submit: () => desk.submit(), skip: () => desk.skip(), undo: () => desk.undo(), accept: () => desk.accept(), leave: () => desk.leave(), help: showDirections };
  for (const name of ["submit", "skip", "undo", "accept", "leave"]) $(name).addEventListener("click", (event) => { does[name](); if (event.detail) event.currentTarget.blur(); });
  $("help").addEventListener("click", showDirections);
  $("comment").addEventListener("input", () => desk.changed());
  $("empty-undo").addEventListener("click", does.undo);
  $("again").addEventListener("click", () => desk.settling ? settle(true) : desk.fetch());
  $("settle").addEventListener("click", () => settle(!desk.settling));
  $("me").addEventListener("click", () => { keep("name", ""); location.reload(); });
  show($("menu"), true);
  listen({ does, editor, player });
  setInterval(() => stayed(me), 1000 * TOUCH_SECONDS);
  await desk.fetch();
  if (desk.idle) desk.nothing();
}

/** Come in under the name of the last visit, or ask for one. */
async function enter(progress) {
  const take = async (name) => {
    const found = await write("enter", { name });
    keep("name", found.annotator.name);
    progress.tell(found.progress);
    return found.annotator;
  };
  let me = null;
  const name = kept("name");
  if (name) me = await patiently(() => take(name)).catch(() => null);
  me ||= await askName(take);
  $("me").textContent = me.name;
  $("me").title = "Not you? Enter another name.";
  $("me").setAttribute("aria-label", `You are ${me.name}. Enter another name.`);
  show($("me"), true);
  return me;
}

/** Go through disagreements, or back to one's own clips. */
async function settle(wanted) {
  let found = { tasks: [] };
  if (wanted) {
    try { found = await read("disagreements"); } catch (error) { say(error.message, true); return; }
    if (!found.tasks.length) {
      if (desk.settling) desk.nothing(); else say("There is no disagreement to settle.");
      return;
    }
  }
  const begins = wanted && !desk.settling; // later on the line says that the answer before is saved
  desk.settling = wanted;
  $("settle").textContent = wanted ? "Back to my clips" : "Settle disagreements";
  desk.task = null;
  desk.next = found.tasks;
  for (const one of found.tasks.slice(0, 2)) media.load(one.clip, desk.player.scale);
  if (begins) say(`${found.total} to settle.`);
  if (wanted) desk.forward(); else { await desk.fetch(); if (desk.idle) desk.nothing(); }
}

/** As long as somebody is there, the clip stays theirs; others' progress is shown. */
async function stayed(me) {
  if (document.hidden || !desk.task || desk.task.settle || desk.task.answer) return;
  try {
    await write("touch", { annotator: me.id, clip: desk.task.clip.id });
    desk.progress.tell((await read("progress", { annotator: me.id })).progress);
  } catch { /* the next answer will say so */ }
}

/** Try until the server answers; what it refuses stays refused. */
async function patiently(call) {
  for (;;) {
    try {
      const found = await call();
      notice("away", null);
      return found;
    } catch (error) {
      if (error instanceof Refused) throw error;
      notice("away", `${error.message}. It is asked again every 3 s.`);
      await new Promise((resolve) => setTimeout(resolve, 3000));
    }
  }
}

begin().catch((error) => notice("refused", error.message));
