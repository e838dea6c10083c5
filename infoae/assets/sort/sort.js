"use strict";
// Lays out the groups. What is drawn stands in the block `data`; nothing is asked of anybody. Text is only ever set as text.
const $ = id => document.getElementById(id);
const data = JSON.parse($("data").textContent);
const STEP = 48;                                           // tiles that a group begins with, and that "more" adds
const DOUBT = 0.9;                                         // below this a bar has another colour
const made = (kind, name, text) => {
  const one = document.createElement(kind);
  if (name) one.className = name;
  if (text !== undefined) one.textContent = text;
  return one;
};
const count = n => n.toLocaleString("en");
const percent = p => { const tenths = Math.floor(1000 * p + 1e-6); return `${tenths === 1000 ? 100 : (tenths / 10).toFixed(1)} %`; };   // 100 % is never rounded up to
const pictures = n => `${count(n)} ${n === 1 ? "picture" : "pictures"}`;
let turned = false, asked = "", open = null;
const grids = [];

document.documentElement.classList.toggle("pixels", data.pixels);
document.documentElement.style.setProperty("--tile", `${data.tile}px`);

function picture(item) {
  const img = made("img");
  img.src = item.src; img.alt = ""; img.decoding = "async"; img.draggable = false;
  return img;
}

// ---- what a group shows: its items in the chosen order, those that are looked for, and where some are left out

function listed(group) {
  const words = asked.toLowerCase();
  const kept = group.items.map((item, i) => ({ ...item, group, i })).filter(item => item.file.toLowerCase().includes(words));
  return turned ? kept.reverse() : kept;
}
const leftOut = group => group.n - group.items.length;
const isGap = (a, b, group) => !asked && leftOut(group) > 0 && a && Math.min(a.i, b.i) === group.gap - 1 && Math.max(a.i, b.i) === group.gap;

function tile(item, grid) {
  const one = made("button", "tile");
  one.type = "button";
  one.tabIndex = -1;
  one.title = `${item.file}\n${percent(item.sure)}`;
  one.setAttribute("aria-label", `${item.file}, ${percent(item.sure)} sure`);
  const bar = made("i");
  bar.style.width = `${100 * item.sure}%`;
  one.classList.toggle("doubt", item.sure < DOUBT);
  one.append(picture(item), bar);
  one.addEventListener("click", () => show(grid, grid.list.indexOf(item)));
  return one;
}

class Grid {
  constructor(group, section) {
    this.group = group; this.section = section;
    this.box = section.querySelector(".grid");
    this.more = section.querySelector(".more");
    this.more.addEventListener("click", () => {
      const first = this.tiles.length;
      this.add();
      this.at(first);
    });
    this.box.addEventListener("keydown", event => this.key(event));
    this.box.addEventListener("focusin", event => this.stop(this.tiles.indexOf(event.target)));
    this.fill();
  }
  fill() {
    this.list = listed(this.group);
    this.tiles = [];
    this.box.replaceChildren();
    this.add();
    this.section.hidden = asked !== "" && this.list.length === 0;
  }
  add() {
    for (const item of this.list.slice(this.tiles.length, this.tiles.length + STEP)) {
      const before = this.list[this.tiles.length - 1];
      if (isGap(before, item, this.group))
        this.box.append(made("p", "gap", `${pictures(leftOut(this.group))} between these are not on this page; sorted.csv has them.`));
      const one = tile(item, this);
      this.tiles.push(one);
      this.box.append(one);
    }
    const rest = this.list.length - this.tiles.length;
    this.more.hidden = rest === 0;
    this.more.textContent = rest > STEP ? `Show ${STEP} more of ${count(rest)}` : `Show ${rest} more`;
    if (!this.tiles.some(one => one.tabIndex === 0)) this.stop(0);
  }
  stop(i) {                                                // the one tile of the grid that Tab comes to
    if (!this.tiles[i]) return;
    for (const one of this.tiles) one.tabIndex = -1;
    this.tiles[i].tabIndex = 0;
  }
  at(i) {
    this.stop(i);
    this.tiles[i]?.focus();
  }
  key(event) {
    const i = this.tiles.indexOf(event.target);
    if (i < 0 || event.ctrlKey || event.metaKey || event.altKey) return;
    const wide = getComputedStyle(this.box).gridTemplateColumns.split(" ").length;
    const to = { ArrowLeft: i - 1, ArrowRight: i + 1, ArrowUp: i - wide, ArrowDown: i + wide, Home: 0, End: this.tiles.length - 1 }[event.key];
    if (to === undefined) return;
    event.preventDefault();
    this.at(Math.max(0, Math.min(this.tiles.length - 1, to)));
  }
}

// ---- groups, and the overview of them

function spark(group) {
  const box = made("div", "spark"), most = Math.max(...group.bins);
  box.title = "how sure the model is, from unsure to sure, and of how many pictures";
  for (const n of group.bins) {
    const bar = made("i");
    bar.style.height = n ? `${Math.max(6, 100 * n / most)}%` : "0";
    box.append(bar);
  }
  return box;
}

function section(group, i) {
  const one = made("section"), head = made("div", "head"), title = made("h2", "", group.label), sure = made("div", "sure");
  one.id = `group-${i}`;
  title.id = `title-${i}`;
  title.tabIndex = -1;
  one.setAttribute("aria-labelledby", title.id);
  title.append(made("small", "", pictures(group.n)));
  sure.append(made("p", "", `median ${percent(group.median)}`), spark(group));
  head.append(title, sure);
  const more = made("button", "more quiet");
  more.type = "button";
  const grid = made("div", "grid");
  grid.setAttribute("role", "group");
  grid.setAttribute("aria-labelledby", title.id);
  one.append(head, grid, more);
  return one;
}

function card(group, i) {
  const one = made("a"), four = made("span", "four"), tell = made("span", "tell");
  one.href = `#group-${i}`;
  const shown = group.items.slice(0, group.items.length < 4 ? 1 : 4);
  four.classList.toggle("single", shown.length === 1);
  four.append(...shown.map(picture));
  tell.append(made("b", "", group.label), made("small", "", count(group.n)));
  one.append(four, tell);
  return one;
}

data.groups.forEach((group, i) => {
  const one = section(group, i);
  $("groups").append(one);
  $("overview").append(card(group, i));
  grids.push(new Grid(group, one));
});
$("bar").hidden = false;

// ---- order and search

function refill() {
  for (const grid of grids) grid.fill();
  const n = grids.reduce((sum, grid) => sum + grid.list.length, 0);
  $("found").textContent = asked ? `${pictures(n)} on this page` : "";
}
for (const choice of document.getElementsByName("order"))
  choice.addEventListener("change", () => { turned = choice.value === "least" && choice.checked; refill(); });
let waiting;
$("find").addEventListener("input", () => {
  clearTimeout(waiting);
  waiting = setTimeout(() => { asked = $("find").value.trim(); refill(); }, 120);
});

// ---- one picture

function bar(label, p) {
  const one = made("li"), track = made("div", "track"), fill = made("i");
  fill.style.width = `${100 * p}%`;
  track.append(fill);
  one.append(made("span", "", label), made("b", "", percent(p)), track);
  return one;
}

function show(grid, i) {
  const item = grid.list[i];
  if (!item) return;
  open = { grid, i };
  $("one-image").src = item.src;
  $("one-image").alt = item.file;
  $("one-file").textContent = item.file;
  $("one-group").textContent = grid.group.label;
  $("one-bars").replaceChildren(bar(item.first, item.sure), bar(item.second, item.next));
  $("one-place").textContent = `${count(i + 1)} of ${count(grid.list.length)}`;
  $("one-open").hidden = !item.href;
  if (item.href) $("one-open").href = item.href;
  else $("one-open").removeAttribute("href");
  $("before").disabled = i === 0;
  $("after").disabled = i === grid.list.length - 1;
  if (!$("one").open) $("one").showModal();
}
const turn = by => { if (open) show(open.grid, open.i + by); };
$("before").addEventListener("click", () => turn(-1));
$("after").addEventListener("click", () => turn(1));
$("close").addEventListener("click", () => $("one").close());
$("one").addEventListener("click", event => { if (event.target === $("one")) $("one").close(); });
$("one").addEventListener("close", () => {
  const { grid, i } = open;
  open = null;
  while (grid.tiles.length <= i) grid.add();
  grid.at(i);
});
$("one").addEventListener("keydown", event => {
  const by = { ArrowLeft: -1, ArrowUp: -1, ArrowRight: 1, ArrowDown: 1 }[event.key];
  if (by) { event.preventDefault(); turn(by); }
});
let down = null;                                           // a finger that wipes from picture to picture
$("one").addEventListener("touchstart", event => { down = event.touches.length === 1 ? event.touches[0].clientX : null; }, { passive: true });
$("one").addEventListener("touchend", event => {
  const by = down === null ? 0 : event.changedTouches[0].clientX - down;
  if (Math.abs(by) > 60) turn(by < 0 ? 1 : -1);
  down = null;
}, { passive: true });
document.addEventListener("keydown", event => {
  if (event.key !== "/" || event.target === $("find") || $("one").open) return;
  event.preventDefault();
  $("find").focus();
});
document.documentElement.dataset.ready = "true";
