// Sound and pictures of clips, loaded ahead: when a clip is shown, all of it is here already.

const held = new Map(); // by clip id
const MOST = 5;

/** Load a clip; the same one again costs nothing. */
export function load(clip, scale) {
  let one = held.get(clip.id);
  if (!one || one.version !== clip.version) {
    one = fresh(clip);
    held.set(clip.id, one);
  }
  if (!one.pictures[scale]) one.pictures[scale] = picture(`${one.base}/${scale}.png?v=${clip.version}`);
  return one;
}

/** Let go of what is neither shown nor next. */
export function forget(wanted) {
  for (const [id, one] of held) {
    if (held.size <= MOST || wanted.has(id)) continue;
    one.audio.removeAttribute("src");
    one.audio.load();
    held.delete(id);
  }
}

/** Try once more what could not be loaded. */
export function again(clip) {
  held.delete(clip.id);
}

function fresh(clip) {
  const base = `/clip/${clip.id}`;
  const audio = new Audio();
  audio.preload = "auto";
  audio.preservesPitch = true;
  audio.src = `${base}/wav?v=${clip.version}`;
  const one = { base, audio, version: clip.version, pictures: {}, look: null, problem: "" };
  one.wave = picture(`${base}/wave.png?v=${clip.version}`);
  one.looked = look(`${base}/json?v=${clip.version}`, one);
  return one;
}

function picture(address) {
  const image = new Image();
  image.alt = "";
  image.draggable = false;
  image.decoding = "sync";
  image.src = address;
  image.decode?.().catch(() => {}); // ahead of time; if it fails the look says why
  return image;
}

async function look(address, one) {
  try {
    const response = await fetch(address);
    const found = await response.json();
    if (response.ok) one.look = found;
    else one.problem = `${found.error.problem}. ${found.error.remedy}`;
  } catch {
    one.problem = "The server does not answer.";
  }
  return one;
}
