"use strict";

const $ = (id) => document.getElementById(id);
const STARS = 5;
const REASONS = 3;
const N_FOUND = matchMedia("(max-width: 44rem)").matches ? 5 : 8; // a phone shows what follows, too
const MESSAGES = {
  both: "First what you would come to and like.",
  rating: "First what you would like, as far as that is sure.",
  choice: "First what people with your taste come to.",
};
let model;
let scale = [1, 5];
let likes = false; // the model knows no ratings: things are liked, or not
let halves = false; // whether there are half stars
let by = null; // the ranking that is asked for
let ratings = new Map(); // item id as text -> {item, title, n_ratings, rating}
let hidden = new Map(); // item id as text -> {item, title}
let asked = 0; // number of the latest question: an answer to an older one is thrown away

function make(tag, className, text) {
  const element = document.createElement(tag);
  if (className) element.className = className;
  if (text !== undefined) element.textContent = text;
  return element;
}

function button(className, text, label, act) {
  const element = make("button", className, text);
  element.type = "button";
  if (label) element.setAttribute("aria-label", label);
  element.addEventListener("click", act);
  return element;
}

const rounded = (value) => Math.round(value * 100) / 100;
const number = (n) => n.toLocaleString("en");

// A star is worth the same share of the scale everywhere; of scales from about 0, the same share
// of the highest rating, so that three stars are a 3 of 5.
function worth(star) {
  const [low, high] = scale;
  return low >= 0 && low <= high / STARS ? (high * star) / STARS
    : low + ((high - low) * (star - 1)) / (STARS - 1);
}

// Half stars are there if half a star is a step of the scale, or several.
function hasHalves(step) {
  if (!step) return false;
  const steps = (worth(2) - worth(1)) / 2 / step;
  return steps > 0.99 && Math.abs(steps - Math.round(steps)) < 0.01;
}

const SVG = "http://www.w3.org/2000/svg";
const STAR = "M12 2l3 6.600 7 .8-5.200 4.900 1.400 7L12 17.800l-6.200 3.500 1.400-7L2 9.400l7-.8z";
const PARTS = { whole: "0 0 24 24", left: "0 0 12 24", right: "12 0 12 24" };
const SIDES = { whole: "xMidYMid", left: "xMaxYMid", right: "xMinYMid" };

function star(part) {
  const drawing = document.createElementNS(SVG, "svg");
  drawing.setAttribute("viewBox", PARTS[part]);
  drawing.setAttribute("preserveAspectRatio", SIDES[part]);
  drawing.setAttribute("aria-hidden", "true");
  const path = document.createElementNS(SVG, "path");
  path.setAttribute("d", STAR);
  drawing.append(path);
  return drawing;
}

// The ratings that can be given, and the part of a star that each of them adds.
function choices() {
  const all = [];
  for (let at = 1; at <= STARS; at++) {
    const left = worth(at - 0.5);
    if (halves && left >= scale[0] - 1e-6) {
      all.push([rounded(left), "left"], [rounded(worth(at)), "right"]);
    } else {
      all.push([rounded(worth(at)), "whole"]);
    }
  }
  return all;
}

function rate(entry, rating) {
  const key = String(entry.item);
  const { item, title, n_ratings } = entry;
  if (rating === null) ratings.delete(key);
  else ratings.set(key, { item, title, n_ratings, rating });
  hidden.delete(key);
  changed();
}

let groups = 0;
function rater(entry) {
  const key = String(entry.item);
  if (likes) {
    const like = button("like rater", "", `Like ${entry.title}`,
      () => rate(entry, ratings.has(key) ? null : undefined));
    like.dataset.item = key;
    return like;
  }
  const box = make("fieldset", "stars rater");
  box.dataset.item = key;
  box.append(make("legend", "unseen", `Rate ${entry.title}`));
  const group = `stars-${++groups}`;
  for (const [value, part] of choices()) {
    const label = make("label", part);
    label.title = `${value}`;
    const input = make("input");
    input.type = "radio";
    input.name = group;
    input.value = value;
    input.setAttribute("aria-label", `${value} of ${scale[1]}`);
    input.addEventListener("change", () => rate(entry, value));
    label.append(input, star(part));
    box.append(label);
  }
  return box;
}

// Show in all lists what was rated: the elements stay, and with them the focus.
function mark() {
  for (const box of document.querySelectorAll(".rater")) {
    const mine = ratings.get(box.dataset.item);
    if (likes) {
      box.setAttribute("aria-pressed", String(mine !== undefined));
      box.textContent = mine ? "♥ Liked" : "♡ Like";
      continue;
    }
    for (const label of box.querySelectorAll("label")) {
      const input = label.querySelector("input");
      label.classList.toggle("on", mine !== undefined && input.value <= mine.rating);
      input.checked = mine !== undefined && Number(input.value) === mine.rating;
    }
  }
}

const counted = (n) => `${number(n)} ${likes ? (n === 1 ? "person" : "people") : (n === 1 ? "rating" : "ratings")}`;

function named(entry) {
  const title = make("span", "title", `${entry.title} `);
  if (entry.n_ratings !== undefined) title.append(make("span", "count", counted(entry.n_ratings)));
  return title;
}

function listed(entry, ...more) {
  const row = make("li");
  row.append(named(entry), ...more);
  return row;
}

async function answer(path, body) {
  const options = body === undefined ? {} : {
    method: "POST", headers: { "content-type": "application/json" }, body: JSON.stringify(body),
  };
  const response = await fetch(path, options);
  const plain = await response.json();
  if (!response.ok) throw new Error(typeof plain.detail === "string" ? plain.detail : "That did not work.");
  return plain;
}

let searched = 0;
async function search() {
  const mine = ++searched;
  try {
    const items = await answer(`/items?n=${N_FOUND}&search=${encodeURIComponent($("search").value)}`);
    if (mine !== searched) return;
    $("found").replaceChildren(...items.map((entry) => listed(entry, rater(entry))));
    if (!items.length) $("found").append(make("li", "", "No title like that."));
    $("n-found").textContent = $("search").value ? `${items.length} found` : "";
    mark();
  } catch (error) { $("message").textContent = error.message; }
}

const shortened = (title) => title.replace(/\s*\(.*$/, "") || title;

function reasons(because) {
  const titles = because.filter((each) => each.contribution > 0).slice(0, REASONS);
  if (!titles.length) return "";
  return `because you ${likes ? "like" : "rated"} ${titles.map((each) => shortened(each.title)).join(", ")}`;
}

function recommended(entry) {
  const row = make("li");
  row.append(make("span", "title", entry.title));
  const rating = entry.prediction;
  const value = make("span", "value");
  if (rating !== null) {
    value.textContent = `★ ${rating.toFixed(scale[1] <= 10 ? 1 : 0)}`;
    value.title = "the rating you would give";
    value.setAttribute("aria-label", `you would rate it ${rating.toFixed(1)}`);
    value.setAttribute("role", "img");
  }
  const under = make("span", "under");
  under.append(make("span", "count", counted(entry.n_ratings)),
    button("plain", "Not interested", `Not interested in ${entry.title}`, () => hide(entry)));
  row.append(value, make("span", "why", reasons(entry.because)), under);
  return row;
}

function hide(entry) {
  hidden.set(String(entry.item), { item: entry.item, title: entry.title });
  $("left-out").textContent = `${entry.title} is left out.`;
  $("undo").hidden = false;
  const undo = $("undo").querySelector("button");
  undo.onclick = () => { unhide(entry.item); $("next").focus(); };
  undo.focus();
  changed();
}

function unhide(item) {
  hidden.delete(String(item));
  $("undo").hidden = true;
  changed();
}

async function recommend() {
  const mine = ++asked;
  if (!ratings.size) {
    $("best").replaceChildren();
    $("message").textContent = likes ? "Say what you like first." : "Rate something first.";
    return;
  }
  const given = [...ratings.values()].map(({ item, rating }) => ({ item, rating }));
  const exclude = [...hidden.values()].map(({ item }) => item);
  try {
    const found = await answer("/fold-in", { ratings: given, n: 12, explain: true, by, exclude });
    if (mine !== asked) return;
    $("best").replaceChildren(...found.recommendations.map(recommended));
    $("message").textContent = found.recommendations.length ? MESSAGES[found.by] : "There is nothing left.";
  } catch (error) {
    if (mine === asked) $("message").textContent = error.message;
  }
}

function remember() {
  try {
    localStorage.setItem("ratings", JSON.stringify([...ratings.values()]));
    localStorage.setItem("hidden", JSON.stringify([...hidden.values()]));
    localStorage.setItem("by", JSON.stringify(by));
  } catch { /* private */ }
}

function recalled(name) {
  try { return JSON.parse(localStorage.getItem(name)) ?? []; } catch { return []; }
}

function recall() {
  for (const each of recalled("ratings")) {
    const fits = likes || (each.rating >= scale[0] && each.rating <= scale[1]);
    if (fits) ratings.set(String(each.item), each);
  }
  for (const each of recalled("hidden")) hidden.set(String(each.item), each);
  by = model.rankings.includes(recalled("by")) ? recalled("by") : model.rankings[0];
}

let shown = "";
function showRated() {
  const keys = [...ratings.keys()].reverse();
  if (keys.join("\n") === shown) return; // the rows stay, and with them the focus
  shown = keys.join("\n");
  $("rated").replaceChildren(...keys.map((key) => {
    const entry = ratings.get(key);
    const drop = button("plain", "forget", `Forget ${entry.title}`, () => {
      rate(entry, null);
      $("mine").focus();
    });
    return likes ? listed(entry, drop) : listed(entry, rater(entry), drop);
  }));
}

function showHidden() {
  $("hidden").hidden = hidden.size === 0;
  $("n-hidden").textContent = hidden.size;
  $("hidden-items").replaceChildren(...[...hidden.values()].reverse().map((entry) => listed(entry,
    button("plain", "undo", `Undo: show ${entry.title} again`, () => { unhide(entry.item); $("next").focus(); }))));
}

function changed() {
  remember();
  showRated();
  showHidden();
  mark();
  $("empty").hidden = ratings.size > 0;
  $("clear").hidden = ratings.size === 0;
  recommend();
}

function describe() {
  likes = !model.rankings.includes("rating");
  if (likes) {
    $("about").textContent = "Say what you like. What you might like as well appears at once, and why.";
    $("rate").textContent = "What do you like?";
    $("mine").textContent = "You like";
  } else {
    scale = model.rating_scale;
    halves = hasHalves(model.rating_step);
  }
  const what = likes ? "choices" : "ratings";
  $("model").append(
    `${model.model}, learned from ${number(model.n_ratings)} ${what} of ${number(model.n_items)} items by `
    + `${number(model.n_users)} people. What you ${likes ? "like" : "rate"} is kept in this browser only. `,
  );
  const link = make("a", "", "API");
  link.href = "/openapi.json";
  $("model").append(link);
  $("by").hidden = model.rankings.length < 2;
}

async function begin() {
  model = await answer("/healthz");
  describe();
  recall();
  for (const input of $("by").querySelectorAll("input")) {
    input.checked = input.value === by;
    input.addEventListener("change", () => { by = input.value; changed(); });
  }
  let waiting;
  $("search").addEventListener("input", () => { clearTimeout(waiting); waiting = setTimeout(search, 120); });
  $("clear").addEventListener("click", () => { ratings.clear(); changed(); $("mine").focus(); });
  await search();
  changed();
}

begin().catch((error) => { $("message").textContent = error.message; });
