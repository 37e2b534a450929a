// The answers by buttons: one of N, any of N, yes / no / unsure, a level for each; an editor holds one answer.
//
// Every editor: set(answer or null), value() (null while something is missing), missing() (in words), key(event).

import { choice, make, press, show, $ } from "./dom.js";

const TAKEN = "sucla"; // keys that mean something else
const DIGITS = "1234567890";
const LETTERS = "qwertyiopdfghjkzxvbnm";

/** Keys for names in order: digits, then letters; none where they run out. */
export const keysFor = (n) => [...(DIGITS + LETTERS)].slice(0, n);

/** First letters where they are all different and free, else digits. */
export function levelKeys(names) {
  const letters = names.map((name) => name[0].toLowerCase());
  const fine = letters.every((one) => /[a-z]/.test(one) && !TAKEN.includes(one)) && new Set(letters).size === names.length;
  return fine ? letters : keysFor(names.length);
}

export function buttonsEditor(question, host, changed) {
  const many = question.kind === "tags", yesNo = question.kind === "yes-no";
  const names = yesNo ? ["yes", "no", "unsure"] : question.classes;
  const keys = keysFor(names.length), alias = yesNo ? { y: 0, n: 1 } : {};
  const chosen = new Set();
  let none = false;
  const buttons = names.map((name, i) => choice(name, yesNo ? ["1 y", "2 n", "3"][i] : keys[i], (event) => { pick(i); leave(event); }));
  const nothing = many ? choice("none of these", "-", (event) => { pickNone(); leave(event); }) : null;
  host.replaceChildren(make("div", { class: `grid ${many ? "tags" : "one"}`, role: "group", "aria-labelledby": "question" },
    ...buttons, nothing));
  show($("find-line"), names.length > keys.length);
  $("find").oninput = () => buttons.forEach((one, i) => show(one, matches(names[i])));

  const matches = (name) => name.toLocaleLowerCase().includes($("find").value.trim().toLocaleLowerCase());
  const paint = () => {
    buttons.forEach((one, i) => press(one, chosen.has(i)));
    if (nothing) press(nothing, none);
    changed();
  };
  const pick = (i) => {
    if (many && chosen.has(i)) chosen.delete(i);
    else { if (!many) chosen.clear(); chosen.add(i); }
    none = false;
    paint();
  };
  const pickNone = () => { none = !none; chosen.clear(); paint(); };

  return {
    set(answer) {
      chosen.clear();
      const said = answer?.tags || [answer?.label ?? answer?.answer];
      names.forEach((name, i) => { if (said.includes(name)) chosen.add(i); });
      none = Boolean(answer?.tags && !answer.tags.length);
      if ($("find").value) { $("find").value = ""; $("find").oninput(); }
      paint();
    },
    value() {
      const said = [...chosen].sort((a, b) => a - b).map((i) => names[i]);
      if (many) return said.length || none ? { tags: said } : null;
      return said.length ? (yesNo ? { answer: said[0] } : { label: said[0] }) : null;
    },
    missing: () => many ? "Choose what you hear, or “none of these” (-)." : "Choose an answer first.",
    key(event) {
      const i = alias[event.key.toLowerCase()] ?? keys.indexOf(event.key.toLowerCase());
      if (i >= 0 && i < names.length) pick(i);
      else if (event.key === "-" && nothing) pickNone();
      else if (event.key === "/" && !$("find-line").hidden) $("find").focus();
      else return false;
      return true;
    },
    /** Enter in the field that finds a class chooses the first that is left. */
    found() {
      const i = names.findIndex((name) => matches(name));
      if (i >= 0) { pick(i); $("find").value = ""; $("find").oninput(); $("find").blur(); }
    },
    rows: [[`${keys[0]} … ${keys[Math.min(keys.length, names.length) - 1]}`, many ? "choose, or take back" : "choose"],
      ...(yesNo ? [["y  n", "yes, no"]] : []), ...(many ? [["-", "none of these"]] : [])],
  };
}

export function levelsEditor(question, host, changed) {
  const { classes, levels } = question, keys = levelKeys(levels), byLetter = /[a-z]/.test(keys[0]);
  const said = classes.map(() => null);
  let now = 0;
  const rows = classes.map((name, row) => {
    const buttons = levels.map((level, i) => choice(level, keys[i], (event) => { pick(row, i); leave(event); }));
    const id = `of-${row}`;
    const line = make("div", { class: "row", role: "group", "aria-labelledby": id, onpointerdown: () => go(row), onfocusin: () => go(row) },
      make("span", { class: "of" }, byLetter && row < 10 ? make("kbd", { "aria-hidden": "true", text: DIGITS[row] }) : null, " ", make("span", { id, dir: "auto", text: name })), make("div", { class: "levels" }, ...buttons));
    return { line, buttons };
  });
  host.replaceChildren(make("div", { class: "rows" }, ...rows.map((row) => row.line)));
  show($("find-line"), false);

  const paint = () => rows.forEach(({ line, buttons }, row) => {
    line.classList.toggle("now", row === now);
    buttons.forEach((one, i) => press(one, said[row] === i));
  });
  const go = (row) => {
    now = Math.max(0, Math.min(classes.length - 1, row));
    paint();
  };
  const pick = (row, i) => {
    said[row] = i;
    const next = said.findIndex((one, other) => one === null && other > row);
    const open = next >= 0 ? next : said.indexOf(null);
    go(open >= 0 ? open : row);
    if (open >= 0) rows[open].line.scrollIntoView({ block: "nearest" });
    changed();
  };

  return {
    set(answer) {
      classes.forEach((name, row) => {
        const i = levels.indexOf(answer?.levels?.[name]);
        said[row] = i < 0 ? null : i;
      });
      go(Math.max(0, said.indexOf(null)));
      changed();
    },
    value: () => said.includes(null) ? null : { levels: Object.fromEntries(classes.map((name, row) => [name, levels[said[row]]])) },
    missing: () => `Still without a level: ${classes.filter((_, row) => said[row] === null).join(", ")}.`,
    partial: () => ({ levels: Object.fromEntries(classes.map((name, row) => [name, levels[said[row]]])) }),
    key(event) {
      const i = keys.indexOf(event.key.toLowerCase()), row = byLetter ? DIGITS.indexOf(event.key) : -1;
      if (i >= 0) pick(now, i);
      else if (event.key === "ArrowDown" || event.key === "ArrowUp") go(now + (event.key === "ArrowDown" ? 1 : -1));
      else if (row >= 0 && row < classes.length) go(row);
      else return false;
      return true;
    },
    rows: [[keys.join("  "), `level of the marked line: ${levels.join(", ")}`], ["↑ ↓", "another line"],
      ...(byLetter ? [["1 …", "go to a line"]] : [])],
  };
}

/** After a click the keyboard is the page's again, so that space plays. */
function leave(event) {
  if (event.detail) event.currentTarget.blur();
}
