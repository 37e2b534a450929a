// Answers on their way: kept in the browser until the server has said that they are on the disk; tried again, in order.

import { write, Refused } from "./wire.js";
import { keep, kept, drop, names } from "./keeping.js";

const WAITS = [1, 2, 4, 8, 15]; // seconds
let counter = 0;

export class Outbox {
  /** `on`: saved(item, reply), refused(item, words), away(words, seconds), ready(). */
  constructor(on) {
    this.on = on;
    this.busy = false;
    this.failures = 0;
    this.timer = null;
    this.stale = new Map(); // refused ones, by name
    this.waiting = names("out.").filter((name) => kept(name)); // an earlier visit's, or another tab's
    addEventListener("online", () => this.kick());
  }

  get size() { return this.waiting.length; }

  has(clipId) { return this.waiting.some((name) => kept(name)?.clip === clipId); }

  /** Add `{annotator, clip, answer, settle, task}`. */
  add(item) {
    const name = `out.${String(Date.now()).padStart(15, "0")}.${String(counter++).padStart(4, "0")}.${token()}`;
    keep(name, { ...item, token: name.split(".").pop() });
    this.waiting.push(name);
    this.kick();
  }

  /** Send what waits, one after another; `n` clips are asked for along with it. */
  async kick() {
    clearTimeout(this.timer);
    if (this.busy) return;
    this.busy = true;
    try {
      while (this.waiting.length && await this.sendFirst());
    } finally {
      this.busy = false;
    }
    if (!this.waiting.length) this.on.ready();
  }

  async sendFirst() {
    const name = this.waiting[0], item = kept(name);
    if (!item) { this.waiting.shift(); return true; } // another tab has sent it
    try {
      const { annotator, clip, answer, token } = item;
      const reply = await write(item.settle ? "settle" : "answer", { annotator, clip, answer, token, n: 3 + this.size });
      this.failures = 0;
      this.waiting.shift();
      drop(name);
      this.on.saved(item, reply);
      return true;
    } catch (error) {
      if (error instanceof Refused) {
        this.waiting.shift();
        drop(name);
        this.on.refused(item, error.message);
        return true;
      }
      const seconds = WAITS[Math.min(this.failures++, WAITS.length - 1)];
      this.on.away(error.message, seconds);
      this.timer = setTimeout(() => this.kick(), 1000 * seconds);
      return false;
    }
  }
}

/** 24 hexadecimal digits by chance; crypto.randomUUID is missing where the page is shared without encryption. */
function token() {
  return [...crypto.getRandomValues(new Uint8Array(12))].map((byte) => byte.toString(16).padStart(2, "0")).join("");
}
