// Elements: found by id, and made with text that is only ever text.

export const $ = (id) => document.getElementById(id);

/** An element; `about`: attributes, `on...` handlers, `text`; then children (strings are text). */
export function make(tag, about = {}, ...children) {
  const one = document.createElement(tag);
  for (const [key, value] of Object.entries(about)) {
    if (key === "text") one.textContent = value;
    else if (key.startsWith("on")) one.addEventListener(key.slice(2), value);
    else if (value !== null && value !== undefined && value !== false) one.setAttribute(key, value === true ? "" : value);
  }
  one.append(...children.filter((child) => child !== null && child !== undefined));
  return one;
}

export const key = (name) => make("kbd", { text: name });

/** A button that is chosen or not, with its key written on it. */
export function choice(name, keyName, press) {
  return make("button", { type: "button", class: "choice", "aria-pressed": "false", onclick: press,
    "aria-keyshortcuts": keyName || null },
    make("span", { class: "mark", "aria-hidden": "true" }), make("span", { class: "name", dir: "auto", text: name }),
    keyName ? make("kbd", { "aria-hidden": "true", text: keyName }) : null);
}

export const press = (button, pressed) => button.setAttribute("aria-pressed", String(pressed));
export const show = (one, shown) => { one.hidden = !shown; };

/** "1 clip", "2 clips". */
export const some = (n, word) => `${n.toLocaleString("en")} ${word}${n === 1 ? "" : "s"}`;
