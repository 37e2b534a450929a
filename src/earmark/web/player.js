// The stage: pictures with their axes, a playhead that follows the sound, and the sound itself.

import { $, make, press, show } from "./dom.js";
import { keep, kept } from "./keeping.js";
import * as media from "./media.js";

const STEPS = [0.05, 0.1, 0.2, 0.5, 1, 2, 5, 10, 15, 30, 60, 120, 300, 600];

export class Player {
  /** `on`: shown(player) when axes are there; drawn things may then be placed. */
  constructor(on) {
    this.on = on;
    this.one = null;
    this.clip = null;
    this.stage = $("stage");
    this.scale = kept("scale") || "mel";
    this.rate = kept("speed") || 1;
    this.loops = Boolean(kept("loop"));
    this.stage.addEventListener("pointerdown", (event) => this.seekBy(event));
    this.stage.addEventListener("dragstart", (event) => event.preventDefault());
    new ResizeObserver(() => this.axes()).observe(this.stage);
    $("play").addEventListener("click", () => this.toggle());
    $("loop").addEventListener("click", () => this.loop());
    $("speed").addEventListener("change", () => this.speed(Number($("speed").value)));
    $("scale").addEventListener("change", () => this.choose($("scale").value));
    $("scale").value = this.scale;
    $("autoplay").checked = kept("autoplay") ?? true;
    $("autoplay").addEventListener("change", () => keep("autoplay", $("autoplay").checked));
    this.speed(this.rate);
    press($("loop"), this.loops);
  }

  get seconds() { return this.one?.look?.seconds || this.clip?.seconds || 1; }
  get time() { return Math.min(this.one?.audio.currentTime || 0, this.seconds); }
  get axis() { return this.one?.look?.axes[this.scale] || null; }

  /** Show a clip, from its start; play it if that is wanted. */
  show(clip) {
    if (this.one) this.one.audio.pause();
    this.clip = clip;
    const one = media.load(clip, this.scale);
    this.one = one;
    const audio = one.audio;
    audio.currentTime = 0;
    audio.loop = this.loops;
    audio.playbackRate = this.rate;
    audio.onplay = audio.onpause = audio.onended = () => this.told(audio);
    audio.onplaying = () => this.on.playing?.(clip);
    if ($("autoplay").checked) this.play();
    this.put("spectrogram", one.pictures[this.scale]);
    this.put("wave", one.wave);
    this.told(audio);
    this.axes();
    one.looked.then(() => { if (this.one === one) { this.axes(); this.on.shown?.(); } });
  }

  put(id, image) {
    if ($(id) === image) return;
    $(id).removeAttribute("id");
    image.id = id;
    this.stage.querySelector(`img:not([id])`).replaceWith(image);
  }

  play() {
    if (this.one.audio.ended) this.one.audio.currentTime = 0;
    this.one.audio.play().catch(() => {}); // not allowed before the first key or click; the button still says Play
  }

  toggle() { if (this.one) { if (this.one.audio.paused) this.play(); else this.one.audio.pause(); } }
  stop() { this.one?.audio.pause(); }

  seek(seconds) {
    if (!this.one) return;
    this.one.audio.currentTime = Math.max(0, Math.min(this.seconds - 0.001, seconds));
    this.follow();
  }

  /** Steps of a twentieth of the clip, at most a second; large ones are five times as long. */
  step(direction, large) { this.seek(this.time + direction * Math.min(1, this.seconds / 20) * (large ? 5 : 1)); }

  loop() {
    this.loops = !this.loops;
    keep("loop", this.loops);
    press($("loop"), this.loops);
    if (this.one) this.one.audio.loop = this.loops;
  }

  speed(rate) {
    this.rate = rate;
    $("speed").value = String(rate);
    keep("speed", rate);
    if (this.one) this.one.audio.playbackRate = rate;
  }

  slower(direction) {
    const options = $("speed").options, i = $("speed").selectedIndex + direction;
    if (options[i]) this.speed(Number(options[i].value));
  }

  choose(scale) {
    this.scale = scale;
    keep("scale", scale);
    if (!this.clip) return;
    this.put("spectrogram", media.load(this.clip, scale).pictures[scale]);
    this.axes();
    this.on.shown?.();
  }

  seekBy(event) {
    if (event.button || !this.clip || this.on.draws?.(event)) return;
    const box = this.stage.getBoundingClientRect();
    this.seek((event.clientX - box.left) / box.width * this.seconds);
  }

  told(audio) {
    if (audio !== this.one?.audio) return;
    $("play-word").textContent = audio.paused ? "Play" : "Pause";
    this.follow();
    if (!audio.paused && !this.running) {
      this.running = true;
      const frame = () => { this.follow(); this.running = !this.one.audio.paused; if (this.running) requestAnimationFrame(frame); };
      requestAnimationFrame(frame);
    }
  }

  follow() {
    const at = this.time / this.seconds;
    $("playhead").style.transform = `translateX(${at * this.stage.clientWidth}px)`;
    const words = `${this.time.toFixed(1)} of ${this.seconds.toFixed(1)} s`;
    if ($("time").textContent !== words) $("time").textContent = words;
    this.stage.setAttribute("aria-valuenow", this.time.toFixed(2));
    this.stage.setAttribute("aria-valuetext", words);
  }

  axes() {
    if (!this.clip) return;
    const { look, problem } = this.one, width = this.stage.clientWidth;
    show($("stage-note"), Boolean(problem) || (look !== null && look.peak_db === null));
    $("stage-note").textContent = problem || "Digital silence: there is nothing to hear in this clip.";
    const ticks = this.axis?.ticks.filter(([height]) => height < 0.93) || [];
    $("hz").replaceChildren(make("span", { class: "unit", text: "Hz" }), ...ticks.map(([height, words]) => {
      const tick = make("span", { text: words });
      tick.style.bottom = `${100 * height}%`;
      return tick;
    }));
    const step = STEPS.find((one) => this.seconds / one <= Math.max(3, width / 80)) || 1800, marks = [];
    for (let i = 0; i * step <= this.seconds + 1e-6; i++) marks.push(i * step);
    const digits = step < 0.1 ? 2 : step < 1 ? 1 : 0;
    $("seconds").replaceChildren(...marks.map((mark, i) => {
      const at = mark / this.seconds, tick = make("span", { text: mark.toFixed(digits) + (i ? "" : " s") });
      tick.style.left = `${100 * at}%`;
      if (at < 0.02) tick.className = "first"; else if (at > 0.97) tick.className = "last";
      return tick;
    }));
    this.stage.setAttribute("aria-valuemax", this.seconds.toFixed(2));
    this.follow();
  }
}
