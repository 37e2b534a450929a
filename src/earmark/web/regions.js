// Regions drawn on the pictures: with the mouse (or a finger) from corner to corner, or with keys from start to end.

import { $, choice, make, press, show } from "./dom.js";
import { keysFor } from "./choices.js";

const LEAST_PIXELS = 5;

export function regionsEditor(question, host, changed, player) {
  const { classes } = question, keys = keysFor(classes.length).filter((one) => !"be".includes(one));
  let regions = [], now = -1, kind = 0, none = false, begun = null;
  const palette = classes.map((name, i) => choice(name, keys[i], (event) => { choose(i); if (event.detail) event.currentTarget.blur(); }));
  const nothing = choice("nothing to mark", "-", (event) => { pickNone(); if (event.detail) event.currentTarget.blur(); });
  const list = make("ul", { class: "region-list", "aria-label": "Regions" });
  host.replaceChildren(make("div", { class: "grid one", role: "group", "aria-labelledby": "question" }, ...palette, nothing), list);
  show($("find-line"), false);
  $("stage").classList.add("drawing");

  const round = (value, digits = 3) => Number(value.toFixed(digits));
  const choose = (i) => {
    kind = i;
    if (now >= 0) regions[now].label = classes[i];
    paint();
  };
  const pickNone = () => { none = !none; if (none) { regions = []; now = -1; } paint(); };
  const add = (region) => { regions.push({ ...region, label: classes[kind] }); now = regions.length - 1; none = false; paint(); };
  const remove = (i) => { regions.splice(i, 1); now = Math.min(now, regions.length - 1); paint(); };

  function paint() {
    palette.forEach((one, i) => press(one, i === kind));
    press(nothing, none);
    list.replaceChildren(...regions.map((region, i) => line(region, i)));
    place();
    changed();
  }

  function line(region, i) {
    const field = (name, key, step) => make("label", {}, name, make("input", {
      type: "number", step, min: "0", value: region[key] ?? "", placeholder: key[0] === "f" ? "all" : null,
      "aria-label": `${name} of region ${i + 1}`,
      onchange: (event) => set(i, key, event.target),
    }));
    const what = make("select", { "aria-label": `Class of region ${i + 1}`, onchange: (event) => { region.label = event.target.value; place(); changed(); } },
      ...classes.map((name) => make("option", { value: name, text: name, selected: name === region.label })));
    return make("li", { class: i === now ? "now" : null, onfocusin: () => mark(i), onpointerdown: () => mark(i) },
      make("b", { text: `${i + 1}` }), what, field("start (s)", "start", "0.01"), field("end (s)", "end", "0.01"),
      field("from (Hz)", "f_min", "1"), field("to (Hz)", "f_max", "1"),
      make("button", { type: "button", "aria-label": `Remove region ${i + 1}`, text: "Remove", onclick: () => remove(i) }));
  }

  /** A number typed into the list; one that cannot be goes back to what it was. */
  function set(i, key, input) {
    const region = regions[i], value = input.value === "" ? null : Number(input.value);
    const next = { ...region, [key]: value };
    const inside = next.start !== null && next.end !== null && next.start >= 0 && next.end > next.start && next.end <= player.seconds + 1e-3;
    const upright = next.f_min === null || next.f_max === null || next.f_max > next.f_min;
    if (inside && upright) regions[i] = next;
    else input.value = region[key] ?? "";
    place();
    changed();
  }

  function mark(i) {
    now = i;
    [...list.children].forEach((one, other) => one.classList.toggle("now", other === now));
    place();
  }

  /** Lay the regions over the spectrogram. */
  function place() {
    const boxes = regions.map((region, i) => box(region, i === now, `${i + 1} ${region.label}`));
    if (begun !== null) boxes.push(box({ start: begun, end: begun, f_min: null, f_max: null }, true, "from here …"));
    $("regions").replaceChildren(...boxes);
  }

  function box(region, marked, words) {
    const one = make("div", { class: marked ? "region now" : "region" }, make("b", { text: words }));
    const low = region.f_min === null ? 0 : heightOf(region.f_min), high = region.f_max === null ? 1 : heightOf(region.f_max);
    one.style.left = `${100 * region.start / player.seconds}%`;
    one.style.width = `${100 * (region.end - region.start) / player.seconds}%`;
    one.style.bottom = `${100 * low}%`;
    one.style.height = `${100 * (high - low)}%`;
    return one;
  }

  function heightOf(hz) {
    const points = player.axis?.hz;
    if (!points) return 0;
    const i = points.findIndex((one) => one >= hz);
    if (i <= 0) return i < 0 ? 1 : 0;
    return (i - 1 + (hz - points[i - 1]) / (points[i] - points[i - 1])) / (points.length - 1);
  }

  function hertz(height) {
    const points = player.axis.hz, at = Math.max(0, Math.min(1, height)) * (points.length - 1), i = Math.min(points.length - 2, Math.floor(at));
    return points[i] + (at - i) * (points[i + 1] - points[i]);
  }

  /** Follow a drag on the pictures; a click without one seeks. */
  function draws(event) {
    if (!player.axis) return false;
    const stage = $("stage").getBoundingClientRect(), picture = $("spectrogram").getBoundingClientRect();
    const onPicture = event.clientY < picture.bottom;
    const at = ({ clientX, clientY }) => [Math.max(0, Math.min(1, (clientX - stage.left) / stage.width)), 1 - (clientY - picture.top) / picture.height];
    const from = at(event), sketch = make("div", { class: "region now" }, make("b", { text: classes[kind] }));
    const span = (to) => ({
      start: round(Math.min(from[0], to[0]) * player.seconds), end: round(Math.max(from[0], to[0]) * player.seconds),
      f_min: onPicture ? round(hertz(Math.min(from[1], to[1])), 0) : null, f_max: onPicture ? round(hertz(Math.max(from[1], to[1])), 0) : null,
    });
    const move = (next) => {
      const drawn = box(span(at(next)), true, classes[kind]);
      sketch.style.cssText = drawn.style.cssText;
      if (!sketch.isConnected) $("regions").append(sketch);
    };
    const end = (last) => {
      stop();
      const far = Math.hypot(last.clientX - event.clientX, onPicture ? last.clientY - event.clientY : 0) >= LEAST_PIXELS;
      const region = span(at(last));
      if (far && region.end > region.start && (!onPicture || region.f_max > region.f_min)) add(region);
      else player.seek(from[0] * player.seconds);
    };
    const stop = () => {
      sketch.remove();
      $("stage").removeEventListener("pointermove", move);
      $("stage").removeEventListener("pointerup", end);
      $("stage").removeEventListener("pointercancel", stop);
    };
    $("stage").setPointerCapture(event.pointerId);
    $("stage").addEventListener("pointermove", move);
    $("stage").addEventListener("pointerup", end);
    $("stage").addEventListener("pointercancel", stop);
    return true;
  }

  /** Begin a region where the playhead is, or end it there. */
  function bound(ends) {
    const time = round(player.time);
    if (!ends) { begun = time; place(); return; }
    if (begun === null || time <= begun) return;
    const start = begun;
    begun = null;
    add({ start, end: time, f_min: null, f_max: null });
  }

  return {
    set(answer) {
      regions = (answer?.regions || []).map((region) => ({ ...region }));
      none = Boolean(answer?.regions && !answer.regions.length);
      now = -1;
      begun = null;
      paint();
    },
    value: () => regions.length || none ? { regions: regions.map((region) => ({ ...region, end: Math.min(region.end, player.seconds) })) } : null,
    missing: () => "Draw a region, or say “nothing to mark” (-).",
    draws, place,
    key(event) {
      const pressed = event.key.toLowerCase(), i = keys.indexOf(pressed);
      if (i >= 0 && i < classes.length) choose(i);
      else if (pressed === "b" || pressed === "[") bound(false);
      else if (pressed === "e" || pressed === "]") bound(true);
      else if (pressed === "-") pickNone();
      else if ((pressed === "delete" || pressed === "backspace") && now >= 0) remove(now);
      else if ((pressed === "arrowdown" || pressed === "arrowup") && regions.length) mark((now + (pressed === "arrowdown" ? 1 : regions.length - 1 + (now < 0))) % regions.length);
      else return false;
      return true;
    },
    rows: [["b  e", "begin a region at the playhead, end it there"], [`${keys[0]} …`, "its class"], ["↑ ↓", "another region"],
      ["delete", "remove the marked region"], ["-", "nothing to mark"], ["drag", "on the spectrogram: time and frequency; on the waveform: time"]],
  };
}
