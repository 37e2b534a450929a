// The desk: the clip that is being answered, those that come next, and the way back.

import { $, show, some } from "./dom.js";
import { keep, drop } from "./keeping.js";
import { banner, emptied, layOut } from "./card.js";
import { Outbox } from "./outbox.js";
import { write, Refused } from "./wire.js";
import { told } from "./words.js";
import { askReason } from "./dialogs.js";
import * as media from "./media.js";
import { say, notice } from "./saying.js";

const AHEAD = 3;

export class Desk {
  /** `me`: the annotator; `progress`: told how far it is; `more`: looks for further disagreements. */
  constructor({ editor, player, me, progress, more }) {
    Object.assign(this, { editor, player, me, progress, more });
    this.task = null;
    this.next = [];
    this.settling = false;
    this.outbox = new Outbox({
      saved: (item, reply) => this.saved(item, reply),
      refused: (item, words) => this.refused(item, words),
      away: (words, seconds) => this.away(words, seconds),
      ready: () => { notice("away", null); if (this.idle) this.fetch(); },
    });
    this.outbox.kick();
  }

  get idle() { return this.task === null; }

  /** Ask for clips and show the first, if none is shown. */
  async fetch() {
    if (this.settling) return;
    try {
      const { tasks } = await write("next", { annotator: this.me.id, n: AHEAD + this.outbox.size });
      notice("away", null);
      if (!this.settling) this.take(tasks);
    } catch (error) {
      if (error instanceof Refused) notice("refused", error.message);
      else { notice("away", `${error.message}. It is asked again in 4 s.`); setTimeout(() => { if (this.idle) this.fetch(); }, 4000); }
    }
  }

  /** What the server says is next, without what is shown or on its way. */
  take(tasks) {
    const mine = this.task && !this.task.answer && !this.task.settle;
    if (mine && !tasks.some((one) => one.clip.id === this.task.clip.id)) {
      banner("You have answered this clip in another tab, or it went to somebody else meanwhile. If you answer it here as well, nothing is lost: both are kept, and your newer answer counts.");
    }
    this.next = tasks.filter((one) => one.clip.id !== this.task?.clip.id && !this.outbox.has(one.clip.id));
    for (const one of this.next) media.load(one.clip, this.player.scale);
    media.forget(new Set([this.task, ...this.next].filter(Boolean).map((one) => one.clip.id)));
    if (this.idle) this.forward();
  }

  /** Show the next clip, or that there is none. */
  forward() {
    const task = this.next.shift();
    if (task) this.show(task);
    else this.nothing();
  }

  show(task) {
    this.task = task;
    show($("empty"), false);
    show($("desk"), true);
    this.player.show(task.clip); // first: what is heard must not wait for what is written
    const { answer, comment } = layOut(task);
    this.editor.set(answer);
    $("comment").value = comment;
    this.changed();
    $("stage").scrollIntoView({ block: "nearest" });
  }

  nothing() {
    this.task = null;
    this.player.stop();
    show($("desk"), false);
    emptied({ waiting: this.outbox.size, settling: this.settling, progress: this.progress.last });
  }

  /** Something was chosen or written: is the answer whole? */
  changed() {
    if (this.idle) return;
    const answer = this.editor.value();
    $("submit").setAttribute("aria-disabled", String(answer === null));
    const comment = $("comment").value, half = answer || this.editor.partial?.();
    if (half || comment) keep(`draft.${this.task.clip.id}`, { answer: half, comment });
    else drop(`draft.${this.task.clip.id}`);
  }

  submit() {
    if (this.idle) return;
    const answer = this.editor.value();
    if (answer === null) say(this.editor.missing(), true);
    else this.send(answer);
  }

  accept() {
    const suggestion = this.task?.suggestion?.answer;
    if (suggestion) this.send(suggestion);
  }

  async skip() {
    if (this.idle) return;
    const task = this.task, reason = await askReason();
    if (reason && this.task === task) this.send({ skip: reason });
  }

  /** Keep the answer, show the next clip at once, and send the answer behind its back. */
  send(answer) {
    const { clip, settle } = this.task, comment = $("comment").value.trim();
    performance.mark("submitted");
    const item = { annotator: this.me.id, clip: clip.id, answer: comment ? { ...answer, comment } : answer, settle, task: this.task };
    drop(`draft.${clip.id}`);
    this.task = null;
    if (this.next.length) this.forward();
    this.outbox.add(item);
    say("Saving …");
    if (this.idle) this.nothing();
  }

  saved(item, { saved, tasks, progress }) {
    const twice = saved.replaces && !item.task.answer;
    say(twice ? "Saved. You had answered this clip before, in another tab or window: the newer answer counts, the earlier one is kept in the history."
      : `Saved: ${told(item.answer)}.`, twice);
    if (progress) this.progress.tell(progress);
    if (tasks && !this.settling) this.take(tasks);
    if (this.settling && this.idle) this.more();
  }

  refused(item, words) {
    const { comment = "", ...answer } = item.answer;
    keep(`draft.${item.clip}`, { answer, comment });
    const back = () => {
      notice("refused", null);
      if (this.task) this.next.unshift(this.task);
      this.show({ ...item.task, answer: item.answer, returned: true });
    };
    notice("refused", `An answer was not accepted. ${words}`, "Show it again", back);
    if (this.idle) this.fetch();
  }

  away(words, seconds) {
    notice("away", `Not saved yet: ${words.replace(/\.$/, "")}. ${some(this.outbox.size, "answer")} of yours ${this.outbox.size === 1 ? "is" : "are"} kept in this browser; next try in ${seconds} s. Go on, or leave: nothing is lost.`,
      "Try now", () => this.outbox.kick());
    say("Kept here, not saved yet.", true);
    if (this.idle) this.nothing();
  }

  /** Back through one's own answers. */
  async undo() {
    if (this.outbox.size) { say("One moment: your last answer is still on its way.", true); return; }
    const shown = this.task;
    try {
      const { task } = await write("undo", { annotator: this.me.id, before: shown?.answer ? shown.clip.id : null });
      if (!task) { say("There is nothing before this.", true); return; }
      if (shown && !shown.answer) this.next.unshift(shown);
      this.show(task);
      say(`Back at ${task.clip.file}.`);
    } catch (error) {
      say(error.message, true);
    }
  }

  /** Leave an earlier answer as it is. */
  leave() {
    if (!this.task?.answer) return;
    drop(`draft.${this.task.clip.id}`);
    this.task = null;
    if (this.next.length) this.forward(); else this.fetch().then(() => { if (this.idle) this.nothing(); });
  }
}
