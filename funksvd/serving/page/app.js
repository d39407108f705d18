"use strict";

const $ = (id) => document.getElementById(id);
const STARS = 5;
let scale = [1, 5];
let ratings = new Map(); // item id as text -> {item, title, rating}
let asked = 0; // number of the latest question: an answer to an older one is thrown away

function make(tag, className, text) {
  const element = document.createElement(tag);
  if (className) element.className = className;
  if (text !== undefined) element.textContent = text;
  return element;
}

// A star is worth the same share of the scale everywhere; of scales from about 0, the same share
// of the highest rating, so that three stars are a 3 of 5.
function worth(star) {
  const [low, high] = scale;
  const value = low >= 0 && low <= high / STARS ? (high * star) / STARS
    : low + ((high - low) * (star - 1)) / (STARS - 1);
  return Math.round(value * 100) / 100;
}

function stars(entry) {
  const box = make("span", "stars");
  box.setAttribute("role", "group");
  box.setAttribute("aria-label", `Rate ${entry.title}`);
  const mine = ratings.get(String(entry.item));
  for (let star = 1; star <= STARS; star++) {
    const button = make("button", mine && worth(star) <= mine.rating ? "on" : "", "★");
    button.type = "button";
    button.title = `${worth(star)}`;
    button.setAttribute("aria-label", `${worth(star)} of ${scale[1]}`);
    button.addEventListener("click", () => {
      ratings.set(String(entry.item), { item: entry.item, title: entry.title, rating: worth(star) });
      changed();
    });
    box.append(button);
  }
  return box;
}

function listed(entry, droppable) {
  const row = make("li");
  row.append(make("span", "title", entry.title), stars(entry));
  if (droppable) {
    const drop = make("button", "drop", "forget");
    drop.type = "button";
    drop.setAttribute("aria-label", `Forget the rating of ${entry.title}`);
    drop.addEventListener("click", () => { ratings.delete(String(entry.item)); changed(); });
    row.append(drop);
  }
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

let found = [];
let searched = 0;
async function search() {
  const mine = ++searched;
  try {
    const items = await answer(`/items?n=8&search=${encodeURIComponent($("search").value)}`);
    if (mine !== searched) return;
    found = items;
    showFound();
  } catch (error) { $("message").textContent = error.message; }
}

function showFound() {
  $("found").replaceChildren(...(found.length ? found.map((entry) => listed(entry, false))
    : [make("li", "", "No title like that.")]));
}

function reason(because) {
  const text = because.contribution > 0 ? "for" : "against";
  const sign = because.contribution > 0 ? "+" : "−";
  return make("span", text, `${sign}${Math.abs(because.contribution).toFixed(2)} ${because.title}`);
}

function recommended(entry) {
  const row = make("li");
  row.append(make("span", "title", entry.title), make("span", "value", entry.prediction.toFixed(2)));
  const why = make("div", "why", `everyone: ${entry.without_your_ratings.toFixed(2)}`);
  for (const each of entry.because) why.append(" · ", reason(each));
  row.append(why);
  return row;
}

async function recommend() {
  const mine = ++asked;
  if (!ratings.size) {
    $("best").replaceChildren();
    $("message").textContent = "Rate something first.";
    return;
  }
  const given = [...ratings.values()].map(({ item, rating }) => ({ item, rating }));
  try {
    const { recommendations } = await answer("/fold-in", { ratings: given, n: 12, explain: true });
    if (mine !== asked) return;
    $("best").replaceChildren(...recommendations.map(recommended));
    $("message").textContent = "The rating you would give, and what of yours moves it most.";
  } catch (error) {
    if (mine === asked) $("message").textContent = error.message;
  }
}

function remember() {
  try { localStorage.setItem("ratings", JSON.stringify([...ratings.values()])); } catch { /* private */ }
}

function recall() {
  try {
    for (const each of JSON.parse(localStorage.getItem("ratings") ?? "[]")) {
      if (each.rating >= scale[0] && each.rating <= scale[1]) ratings.set(String(each.item), each);
    }
  } catch { /* nothing that can be used */ }
}

function changed() {
  remember();
  $("rated").replaceChildren(...[...ratings.values()].reverse().map((entry) => listed(entry, true)));
  $("empty").hidden = ratings.size > 0;
  $("clear").hidden = ratings.size === 0;
  showFound();
  recommend();
}

async function begin() {
  const model = await answer("/healthz");
  scale = model.rating_scale;
  const count = (n) => n.toLocaleString("en");
  $("model").append(
    `${model.model}, learned from ${count(model.n_ratings)} ratings of ${count(model.n_items)} items by `
    + `${count(model.n_users)} people. What you rate is kept in this browser only. `,
  );
  const link = make("a", "", "API");
  link.href = "/openapi.json";
  $("model").append(link);
  recall();
  let waiting;
  $("search").addEventListener("input", () => { clearTimeout(waiting); waiting = setTimeout(search, 120); });
  $("clear").addEventListener("click", () => { ratings.clear(); changed(); });
  await search();
  changed();
}

begin().catch((error) => { $("message").textContent = error.message; });
