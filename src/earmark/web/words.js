// The words of the directions, by kind of question.

export function asked({ kind, classes, levels }) {
  return {
    one: "Which of these is it?",
    tags: "Which of these do you hear?",
    levels: "How much of each do you hear?",
    "yes-no": `Do you hear ${classes[0]}?`,
    regions: "Where do you hear them?",
  }[kind];
}

export function hint({ kind }) {
  return {
    one: "Choose one.",
    tags: "Choose any number, or “none of these”.",
    levels: "Choose one for each line.",
    "yes-no": "Choose one.",
    regions: "Choose a class, then draw from corner to corner on the spectrogram.",
  }[kind];
}

export function directions({ kind, levels, classes }) {
  const first = "Listen to the clip, as often as you like. The picture shows time from left to right and pitch from bottom to top; the brighter, the louder. A click on it goes there.";
  const then = {
    one: "Then choose the one answer that fits best.",
    tags: "Then choose everything that you hear. If nothing fits, choose “none of these”.",
    levels: `Then choose for each line: ${levels.join(", ")}. Every line needs an answer.`,
    "yes-no": `Then say whether you hear ${classes[0]}. “Unsure” is an honest answer.`,
    regions: "Then mark each sound: choose its class and draw from corner to corner on the spectrogram (time and pitch), or on the waveform (time alone). If there is nothing to mark, say so.",
  }[kind];
  const last = "Submit, and the next clip is there. If you cannot tell, skip it and say why: somebody else is asked. Undo goes back through your own answers, as far as you like.";
  return [first, then, last, "Answers are saved as you go. If the connection is lost, they are kept in this browser and sent later."];
}

export const KEYS = [["space", "play, pause"], ["enter", "submit"], ["s", "skip, with the reason"], ["u", "undo: back to my last answer"],
  ["← →", "seek; with shift farther"], ["home", "back to the start"], ["l", "loop"], [",  .", "slower, faster"], ["c", "comment; escape leaves it"], ["?", "these directions"]];

/** An answer in a few words. */
export function told(answer) {
  if (answer.skip) return `skipped: ${answer.skip}`;
  if (answer.label !== undefined) return answer.label;
  if (answer.tags) return answer.tags.join(", ") || "none of these";
  if (answer.levels) return Object.entries(answer.levels).map(([name, level]) => `${name}: ${level}`).join(", ");
  if (answer.regions) return answer.regions.map((one) => `${one.label} ${one.start.toFixed(2)}–${one.end.toFixed(2)} s`).join(", ") || "nothing to mark";
  return answer.answer || "";
}
