"use strict";
/* A line moves over the map as a sound plays; a click on the map, or arrow keys, go to that moment; one sound at a time. */
(() => {
  const players = [...document.querySelectorAll("audio")];
  for (const article of document.querySelectorAll("article")) {
    const map = article.querySelector(".map");
    const line = article.querySelector(".playhead");
    const own = [...article.querySelectorAll("audio")];
    const seconds = Number(map.dataset.seconds);
    let current = own[0];

    const draw = () => {
      const share = Math.min(1, Math.max(0, current.currentTime / seconds));
      line.style.left = `${100 * share}%`;
      map.setAttribute("aria-valuenow", current.currentTime.toFixed(2));
      map.setAttribute("aria-valuetext", `${current.currentTime.toFixed(1)} seconds`);
    };
    const follow = () => {
      draw();
      if (!current.paused) requestAnimationFrame(follow);
    };
    for (const player of own) {
      player.addEventListener("play", () => {
        players.forEach((other) => { if (other !== player) other.pause(); });
        current = player;
        line.hidden = false;
        follow();
      });
      player.addEventListener("seeked", () => { current = player; line.hidden = false; draw(); });
      player.addEventListener("timeupdate", draw);
    }
    const go = (time) => {
      current.currentTime = Math.min(seconds, Math.max(0, time));
      line.hidden = false;
      draw();
    };
    map.addEventListener("click", (event) => {
      const box = map.getBoundingClientRect();
      go((seconds * (event.clientX - box.left)) / box.width);
    });
    map.addEventListener("keydown", (event) => {
      const step = { ArrowLeft: -0.1, ArrowRight: 0.1, PageDown: -1, PageUp: 1 }[event.key];
      if (event.key === "Home") go(0);
      else if (event.key === "End") go(seconds);
      else if (step) go(current.currentTime + step);
      else if (event.key === " " || event.key === "Enter") (current.paused ? current.play() : current.pause());
      else return;
      event.preventDefault();
    });
  }
})();
