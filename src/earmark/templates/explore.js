"use strict";
/* The map of the clips: drawn on a canvas; a click or Enter plays; arrows walk; wheel, buttons and drag zoom and move. */
(() => {
  const canvas = document.getElementById("map");
  if (!canvas) return;
  const read = (id) => JSON.parse(document.getElementById(id).textContent);
  const { points, marks } = read("map-points");
  const sounds = read("map-sounds");
  const [ROW, X, Y, CLASS, FILE, TIME, LABEL] = [0, 1, 2, 3, 4, 5, 6];
  const context = canvas.getContext("2d");
  const tip = document.getElementById("map-tip");
  const said = document.getElementById("map-said");
  const player = document.getElementById("map-player");
  const shown = new Map([...document.querySelectorAll("#map-legend input")].map((box) => [Number(box.value), box]));
  const MARGIN = 18, REACH = 14, MOST_ZOOM = 60;
  let view = { zoom: 1, x: 0, y: 0 };
  let chosen = -1;

  // ---- places: the map's [-1, 1] and the canvas's pixels ----

  const size = () => ({ width: canvas.clientWidth, height: canvas.clientHeight });
  const scale = () => (Math.min(size().width, size().height) / 2 - MARGIN) * view.zoom;
  const place = (p) => [
    size().width / 2 + (p[X] - view.x) * scale(),
    size().height / 2 - (p[Y] - view.y) * scale(),
  ];
  const visible = (p) => !shown.has(p[CLASS]) || shown.get(p[CLASS]).checked;

  // ---- drawing ----

  let pen = context;
  const SHAPES = {
    o: (r) => pen.arc(0, 0, r, 0, 7),
    s: (r) => pen.rect(-r * 0.9, -r * 0.9, r * 1.8, r * 1.8),
    "^": (r) => polygon([[0, -1.15], [1.05, 0.8], [-1.05, 0.8]], r),
    v: (r) => polygon([[0, 1.15], [1.05, -0.8], [-1.05, -0.8]], r),
    D: (r) => polygon([[0, -1.2], [1.2, 0], [0, 1.2], [-1.2, 0]], r),
    P: (r) => polygon(cross(0.42, 1.15), r),
    X: (r) => polygon(cross(0.42, 1.15).map(([x, y]) => [(x - y) * 0.72, (x + y) * 0.72]), r),
    "*": (r) => polygon([...Array(10).keys()].map((i) => {
      const far = i % 2 ? 0.55 : 1.35, turn = (i * Math.PI) / 5;
      return [far * Math.sin(turn), -far * Math.cos(turn)];
    }), r),
  };
  const cross = (a, b) => [[-a, -b], [a, -b], [a, -a], [b, -a], [b, a], [a, a], [a, b], [-a, b], [-a, a], [-b, a], [-b, -a], [-a, -a]];
  function polygon(corners, r) {
    corners.forEach(([x, y], i) => (i ? pen.lineTo(x * r, y * r) : pen.moveTo(x * r, y * r)));
    pen.closePath();
  }

  function drawMark(x, y, own, r) {
    const [colour, shape] = own < 0 ? ["#8a8a8a", "o"] : marks[own];
    pen.save();
    pen.translate(x, y);
    pen.beginPath();
    SHAPES[shape](own < 0 ? r * 0.7 : r);
    pen.fillStyle = colour;
    pen.fill();
    pen.stroke();
    pen.restore();
  }

  function drawLegend() {
    const ratio = window.devicePixelRatio || 1;
    for (const key of document.querySelectorAll("#map-legend canvas")) {
      key.width = key.height = Math.round(20 * ratio);
      pen = key.getContext("2d");
      pen.setTransform(ratio, 0, 0, ratio, 0, 0);
      pen.strokeStyle = "#222222";
      pen.lineWidth = 0.7;
      drawMark(10, 10, Number(key.dataset.class), 6.5);
    }
    pen = context;
  }

  function draw() {
    const { width, height } = size(), ratio = window.devicePixelRatio || 1;
    if (canvas.width !== Math.round(width * ratio) || canvas.height !== Math.round(height * ratio)) {
      canvas.width = Math.round(width * ratio);
      canvas.height = Math.round(height * ratio);
    }
    context.setTransform(ratio, 0, 0, ratio, 0, 0);
    context.fillStyle = "#ffffff";
    context.fillRect(0, 0, width, height);
    context.strokeStyle = "#222222";
    context.lineWidth = 0.7;
    const r = Math.min(9, Math.max(2.6, 60 / Math.sqrt(points.length)) * Math.sqrt(Math.sqrt(view.zoom)));
    for (const p of points) {
      const [x, y] = place(p);
      if (visible(p) && x > -20 && y > -20 && x < width + 20 && y < height + 20) drawMark(x, y, p[CLASS], r);
    }
    if (chosen >= 0) {
      const [x, y] = place(points[chosen]);
      drawMark(x, y, points[chosen][CLASS], r * 1.25);
      context.beginPath();
      context.arc(x, y, r * 1.25 + 6, 0, 7);
      context.lineWidth = 3;
      context.stroke();
    }
    document.getElementById("map-zoom").textContent = `${Math.round(100 * view.zoom)} %`;
  }
  let waiting = false;
  const redraw = () => {
    if (waiting) return;
    waiting = true;
    requestAnimationFrame(() => { waiting = false; draw(); });
  };

  // ---- choosing and playing ----

  const words = (p) => `${p[LABEL]}: ${p[FILE]}${p[TIME] ? `, ${p[TIME]}` : ""}`;
  const hasSound = (p) => Object.hasOwn(sounds, p[ROW]);

  function nearest(x, y) {
    let best = -1, least = REACH * REACH;
    points.forEach((p, i) => {
      if (!visible(p)) return;
      const [px, py] = place(p), distance = (px - x) ** 2 + (py - y) ** 2;
      if (distance < least) [best, least] = [i, distance];
    });
    return best;
  }

  function choose(i, play) {
    chosen = i;
    const p = points[i];
    said.textContent = words(p) + (hasSound(p) ? "" : " (its sound is not in this page)");
    showTip(i);
    if (play && hasSound(p)) {
      player.src = `data:audio/mpeg;base64,${sounds[p[ROW]]}`;
      player.hidden = false;
      player.play().catch(() => { said.textContent = `${words(p)} (the browser does not let it play)`; });
    } else if (play) {
      player.pause();
    }
    redraw();
  }

  function showTip(i) {
    tip.hidden = i < 0;
    if (i < 0) return;
    tip.textContent = words(points[i]) + (hasSound(points[i]) ? "" : " (not in this page)");
    const [x, y] = place(points[i]), right = x > size().width / 2;
    tip.style.left = right ? "auto" : `${x + 14}px`;
    tip.style.right = right ? `${size().width - x + 14}px` : "auto";
    tip.style.top = `${Math.max(0, Math.min(size().height - 40, y + 12))}px`;
  }

  // ---- moving about ----

  function zoomBy(factor, x = size().width / 2, y = size().height / 2) {
    const before = scale(), zoom = Math.min(MOST_ZOOM, Math.max(1, view.zoom * factor));
    const dx = x - size().width / 2, dy = size().height / 2 - y;
    view.zoom = zoom;
    view.x += dx / before - dx / scale();
    view.y += dy / before - dy / scale();
    keepInside();
  }
  function keepInside() {
    const reach = view.zoom === 1 ? 0 : 1.05;
    view.x = Math.max(-reach, Math.min(reach, view.x));
    view.y = Math.max(-reach, Math.min(reach, view.y));
    canvas.style.touchAction = view.zoom === 1 ? "pan-y" : "none";
    showTip(-1);
    redraw();
  }
  function whole() {
    view = { zoom: 1, x: 0, y: 0 };
    keepInside();
  }

  function walk(dx, dy) {
    const from = chosen >= 0 ? place(points[chosen]) : [size().width / 2, size().height / 2];
    let best = -1, least = Infinity;
    points.forEach((p, i) => {
      if (i === chosen || !visible(p)) return;
      const [x, y] = place(p), along = (x - from[0]) * dx + (y - from[1]) * dy;
      const aside = Math.abs((x - from[0]) * dy) + Math.abs((y - from[1]) * dx);
      if (chosen >= 0 && (along <= 0 || aside > 2 * along)) return;
      const cost = Math.hypot(along, 2 * aside);
      if (cost < least) [best, least] = [i, cost];
    });
    if (best < 0) return;
    const [x, y] = place(points[best]);
    if (x < 0 || y < 0 || x > size().width || y > size().height) {
      view.x = points[best][X];
      view.y = points[best][Y];
      keepInside();
    }
    choose(best, false);
  }

  // ---- what a person does ----

  const at = (event) => {
    const box = canvas.getBoundingClientRect();
    return [event.clientX - box.left, event.clientY - box.top];
  };
  const fingers = new Map();
  let moved = 0;
  canvas.addEventListener("pointerdown", (event) => {
    canvas.setPointerCapture(event.pointerId);
    if (!fingers.size) moved = 0;
    fingers.set(event.pointerId, at(event));
  });
  canvas.addEventListener("pointermove", (event) => {
    const [x, y] = at(event);
    if (!fingers.has(event.pointerId)) {
      const i = nearest(x, y);
      canvas.style.cursor = i < 0 ? "grab" : "pointer";
      showTip(i);
      return;
    }
    const [x0, y0] = fingers.get(event.pointerId);
    const other = [...fingers].find(([id]) => id !== event.pointerId);
    moved += Math.hypot(x - x0, y - y0);
    if (other) {
      const [ox, oy] = other[1];
      zoomBy(Math.hypot(x - ox, y - oy) / Math.max(1, Math.hypot(x0 - ox, y0 - oy)), (x + ox) / 2, (y + oy) / 2);
      moved = Infinity;
    } else if (moved > 4) {
      view.x -= (x - x0) / scale();
      view.y += (y - y0) / scale();
      keepInside();
    }
    fingers.set(event.pointerId, [x, y]);
  });
  canvas.addEventListener("pointerup", (event) => {
    if (fingers.delete(event.pointerId) && moved <= 4) {
      const i = nearest(...at(event));
      if (i >= 0) choose(i, true);
    }
  });
  canvas.addEventListener("pointercancel", (event) => fingers.delete(event.pointerId));
  canvas.addEventListener("pointerleave", () => { if (!fingers.size) showTip(-1); });
  canvas.addEventListener("wheel", (event) => {
    if (document.activeElement !== canvas && !event.ctrlKey) return; // the page scrolls until the map is clicked
    event.preventDefault();
    zoomBy(Math.exp(-event.deltaY / 400), ...at(event));
  }, { passive: false });

  const KEYS = {
    ArrowLeft: () => walk(-1, 0),
    ArrowRight: () => walk(1, 0),
    ArrowUp: () => walk(0, -1),
    ArrowDown: () => walk(0, 1),
    Enter: () => { if (chosen >= 0) choose(chosen, true); },
    " ": () => { if (chosen >= 0) choose(chosen, true); },
    "+": () => zoomBy(1.5),
    "-": () => zoomBy(1 / 1.5),
    0: whole,
    Escape: () => player.pause(),
  };
  canvas.addEventListener("keydown", (event) => {
    if (!Object.hasOwn(KEYS, event.key) || event.ctrlKey || event.metaKey || event.altKey) return;
    event.preventDefault();
    KEYS[event.key]();
  });
  const press = (id, act) => document.getElementById(id).addEventListener("click", act);
  press("map-in", () => zoomBy(1.5));
  press("map-out", () => zoomBy(1 / 1.5));
  press("map-whole", whole);
  press("map-all", () => { shown.forEach((box) => { box.checked = true; }); redraw(); });
  press("map-none", () => { shown.forEach((box) => { box.checked = false; }); showTip(-1); redraw(); });
  shown.forEach((box) => box.addEventListener("change", redraw));
  new ResizeObserver(redraw).observe(canvas);
  drawLegend();
  draw();
})();
