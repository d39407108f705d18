"use strict";
// The map of items: the mark under the pointer shows its title, and a search marks what it finds.
// Without this script, the browser shows the marks' own titles instead.
(() => {
  const map = document.querySelector(".map");
  const tip = map.querySelector(".tip");
  const search = map.querySelector("input");
  const svg = map.querySelector("svg");
  const marks = [...map.querySelectorAll(".mark")].map((element) => {
    const title = element.querySelector("title");
    const [name, ...more] = title.textContent.split("\n");
    title.remove();
    const number = Number(element.dataset.n);
    return { element, number, name, more: more.join(" "), low: name.toLowerCase() };
  });
  marks.sort((one, other) => one.number - other.number); // the best-known first
  const REACH = 26; // pixels
  let near = null;

  const middle = (mark) => {
    const box = mark.element.getBoundingClientRect();
    return [box.left + box.width / 2, box.top + box.height / 2];
  };
  const show = (mark) => {
    if (near) near.element.classList.remove("near");
    near = mark;
    tip.hidden = !mark;
    if (!mark) return;
    mark.element.classList.add("near");
    const note = document.createElement("small");
    note.textContent = mark.more;
    tip.replaceChildren(mark.name, note);
    const frame = map.getBoundingClientRect();
    const [x, y] = middle(mark);
    const half = tip.offsetWidth / 2;
    const left = Math.min(Math.max(x - frame.left, half), frame.width - half);
    tip.style.left = `${left}px`;
    tip.style.top = `${y - frame.top}px`;
  };
  const nearest = (event) => {
    let best = null;
    let least = REACH;
    for (const mark of marks) {
      if (map.classList.contains("searching") && !mark.element.classList.contains("found")) continue;
      const [x, y] = middle(mark);
      const distance = Math.hypot(x - event.clientX, y - event.clientY);
      if (distance < least) [best, least] = [mark, distance];
    }
    return best;
  };
  svg.addEventListener("pointermove", (event) => show(nearest(event)));
  svg.addEventListener("pointerdown", (event) => show(nearest(event)));
  svg.addEventListener("pointerleave", () => show(null));
  search.addEventListener("input", () => {
    const wanted = search.value.trim().toLowerCase();
    map.classList.toggle("searching", wanted !== "");
    const found = marks.filter((mark) => {
      const is = wanted !== "" && mark.low.includes(wanted);
      mark.element.classList.toggle("found", is);
      return is;
    });
    show(found.length ? found[0] : null);
  });
})();
