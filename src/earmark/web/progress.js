// How far it is: mine, everybody's, a class's.

import { $, make, show, some } from "./dom.js";

export class Progress {
  constructor() { this.last = null; }

  tell(progress) {
    const { mine, everybody, total, per_class } = progress;
    this.last = progress;
    show($("far"), true);
    $("bar").value = total ? everybody / total : 1;
    $("bar").setAttribute("aria-valuetext", `${everybody} of ${total} clips`);
    $("counts").textContent = `${everybody.toLocaleString("en")} of ${total.toLocaleString("en")} done · ${mine.toLocaleString("en")} mine`;
    $("all").textContent = `You have answered ${some(mine, "clip")}. Everybody together: ${everybody.toLocaleString("en")} of ${some(total, "clip")} done.`;
    $("classes").replaceChildren(...per_class.map(([name, n]) => make("tr", {},
      make("th", { scope: "row", dir: "auto", text: name }), make("td", { class: "n", text: n.toLocaleString("en") }))));
  }
}
