// The exported networks in the browser. Images are Float32Array of 28 * 28 numbers in [0, 1], 1 is ink.
import * as ort from "./runtime/ort.wasm.min.mjs";

const $ = id => document.getElementById(id);
$("unserved").remove();                                    // this file was loaded, so the page is served
ort.env.wasm.numThreads = 1;
ort.env.wasm.wasmPaths = new URL("runtime/", location.href).href;
ort.env.logLevel = "error";

const COLOURS = ["#4e79a7", "#e8862a", "#d9534f", "#2f9e98", "#59a14f", "#b8921a", "#a56cb0", "#d0648a", "#9c6f52", "#808791"];
const STROKE = 2.4;                                        // width of a pen stroke, in pixels of MNIST
let info, latents, sessions;

// ---- the networks

let queue = Promise.resolve();                             // one run at a time
function run(name, feeds) {
  const done = queue.then(() => sessions[name].run(feeds));
  queue = done.catch(() => {});
  return done;
}
const rows = (data, width) => new ort.Tensor("float32", data, [data.length / width, width]);
const pixels = () => info.image_size ** 2;

async function encode(image) {
  const size = info.image_size, out = await run("encoder", { images: new ort.Tensor("float32", image, [1, 1, size, size]) });
  return { latent: out.latents.data, probabilities: out.probabilities.data };
}

async function decode(data) {                              // any number of latents in a row -> as many images
  return (await run("decoder", { latents: rows(data, info.latent_dim) })).images.data;
}

async function generate(zs, ks) {                          // zs: Float32Array of n * z_dim, ks: n categories
  const c = new Float32Array(ks.length * info.K);
  ks.forEach((k, i) => { c[i * info.K + k] = 1; });
  const out = await run("generator", { z: rows(zs, info.z_dim), c: rows(c, info.K) });
  return { latents: out.latents.data, images: out.images.data };
}

const randomZ = n => Float32Array.from({ length: n * info.z_dim }, () => Math.random() * 2 - 1);
const part = (data, i, width) => data.slice(i * width, (i + 1) * width);
const image = (data, i) => data.subarray(i * pixels(), (i + 1) * pixels());
const digit = k => info.names[k] ?? "?";
const called = k => `category ${k}, named ${digit(k)}`;
const percent = p => `${(100 * p).toFixed(p > 0.9995 || p < 0.0005 ? 0 : 1)} %`;
const fail = error => { $("status").textContent = `The page could not go on: ${error.message ?? error}`; console.error(error); };

function latest(work) {                                    // runs work; of the calls that come meanwhile only the last
  let busy = false, again = false;
  return async () => {
    if (busy) { again = true; return; }
    busy = true;
    try { do { again = false; await work(); } while (again); }
    catch (error) { fail(error); }
    finally { busy = false; }
  };
}

// ---- pictures

function paint(canvas, data) {                             // black ink on a clear ground; the style sheet turns it round in the dark
  const size = info.image_size, context = canvas.getContext("2d"), picture = context.createImageData(size, size);
  canvas.width = canvas.height = size;
  for (let i = 0; i < data.length; i++) picture.data[4 * i + 3] = Math.round(255 * Math.min(1, Math.max(0, data[i])));
  context.putImageData(picture, 0, 0);
}

function thumbs(parent, choose) {                          // a button for each category, in the order of the digits
  return info.order.map(k => {
    const button = document.createElement("button"), canvas = document.createElement("canvas");
    button.type = "button";
    button.setAttribute("aria-label", called(k));
    button.append(canvas);
    button.addEventListener("click", () => choose(k));
    parent.append(button);
    return { k, button, canvas };
  });
}
const press = (all, k) => all.forEach(t => t.button.setAttribute("aria-pressed", String(t.k === k)));

// ---- 1: draw

function drawing() {
  const pad = $("pad"), context = pad.getContext("2d"), scratch = document.createElement("canvas");
  let strokes = [], lent = null, down = false, pen = { x: 0.5, y: 0.5, low: false, shown: false };
  scratch.width = scratch.height = 10 * info.image_size;
  const sketch = scratch.getContext("2d", { willReadFrequently: true });

  const bars = info.order.map(k => {
    const li = document.createElement("li");
    li.innerHTML = `<b></b><span class="bar"><i></i></span><span class="share">–</span><small></small>`;
    li.querySelector("b").textContent = digit(k);
    li.querySelector("small").textContent = `category ${k}`;
    $("bars").append(li);
    return { k, bar: li.querySelector("i"), share: li.querySelector(".share") };
  });

  function trace(c, points, width) {                       // one stroke, given in the pixels of c
    c.lineWidth = width; c.lineCap = c.lineJoin = "round"; c.beginPath();
    points.forEach(([x, y], i) => i ? c.lineTo(x, y) : c.moveTo(x, y));
    if (points.length === 1) c.lineTo(points[0][0] + 0.01, points[0][1]);
    c.stroke();
  }

  function render(scale, x, y) {                           // the strokes in MNIST's pixels, each the mean of 10 x 10 dots
    const size = info.image_size, side = 10 * size, out = new Float32Array(size * size);
    sketch.clearRect(0, 0, side, side);
    for (const points of strokes) trace(sketch, points.map(([a, b]) => [10 * (a * scale + x), 10 * (b * scale + y)]), 10 * STROKE);
    const dots = sketch.getImageData(0, 0, side, side).data;
    for (let i = 0; i < side; i++) for (let j = 0; j < side; j++) out[Math.floor(i / 10) * size + Math.floor(j / 10)] += dots[4 * (i * side + j) + 3] / 25500;
    return out;
  }

  function mnist() {                                       // as MNIST was made: into a box of 20 x 20, then the centre of mass to the centre
    const xs = strokes.flat().map(p => p[0]), ys = strokes.flat().map(p => p[1]), middle = info.image_size / 2;
    const [left, right, top, bottom] = [Math.min(...xs), Math.max(...xs), Math.min(...ys), Math.max(...ys)];
    const scale = (20 - STROKE) / Math.max(right - left, bottom - top, 0.05);
    let x = middle - scale * (left + right) / 2, y = middle - scale * (top + bottom) / 2;
    const first = render(scale, x, y);
    let mass = 0, mx = 0, my = 0;
    first.forEach((v, i) => { mass += v; mx += v * (i % info.image_size); my += v * Math.floor(i / info.image_size); });
    return render(scale, x + middle - mx / mass, y + middle - my / mass);
  }

  function show() {
    const side = pad.width, ink = getComputedStyle(pad).color;
    context.clearRect(0, 0, side, side);
    context.strokeStyle = context.fillStyle = ink;
    if (lent) {
      const small = document.createElement("canvas");
      paint(small, lent);
      context.imageSmoothingQuality = "high";
      context.drawImage(small, 0, 0, side, side);
      context.globalCompositeOperation = "source-in"; context.fillRect(0, 0, side, side); context.globalCompositeOperation = "source-over";
    }
    for (const points of strokes) trace(context, points.map(([x, y]) => [x * side, y * side]), side * 0.07);
    if (pen.shown) {
      context.lineWidth = 3; context.beginPath(); context.arc(pen.x * side, pen.y * side, pen.low ? side * 0.035 : side * 0.05, 0, 7); context.stroke();
    }
    $("pad-hint").hidden = strokes.length > 0 || lent !== null || pen.shown;
  }

  const read = latest(async () => {
    if (!strokes.length && !lent) {
      $("verdict").textContent = "Nothing drawn yet.";
      for (const { bar, share } of bars) { bar.style.width = "0"; share.textContent = "–"; }
      for (const id of ["seen", "again"]) paint($(id), new Float32Array(pixels()));
      return;
    }
    const x = lent ?? mnist();
    paint($("seen"), x);
    const { latent, probabilities } = await encode(x);
    paint($("again"), image(await decode(latent), 0));
    const best = probabilities.indexOf(Math.max(...probabilities));
    $("verdict").replaceChildren(`Category ${best}, which holds the digit `, Object.assign(document.createElement("b"), { textContent: digit(best) }), `: ${percent(probabilities[best])}`);
    for (const { k, bar, share } of bars) { bar.style.width = percent(probabilities[k]).replace(" ", ""); share.textContent = percent(probabilities[k]); }
  });

  const clear = () => { strokes = []; lent = null; pen.low = false; show(); read(); };
  const at = e => { const box = pad.getBoundingClientRect(); return [(e.clientX - box.left) / box.width, (e.clientY - box.top) / box.height]; };
  pad.addEventListener("pointerdown", e => {
    if (e.button !== 0) return;
    if (lent) clear();
    pen.shown = false; down = true; pad.setPointerCapture(e.pointerId);
    strokes.push([at(e)]); show(); read();
  });
  pad.addEventListener("pointermove", e => {
    if (!down) return;
    for (const p of e.getCoalescedEvents?.().length ? e.getCoalescedEvents() : [e]) strokes.at(-1).push(at(p));
    show(); read();
  });
  for (const name of ["pointerup", "pointercancel"]) pad.addEventListener(name, () => { down = false; });
  pad.addEventListener("keydown", e => {
    const step = e.shiftKey ? 0.01 : 0.04, move = { ArrowLeft: [-step, 0], ArrowRight: [step, 0], ArrowUp: [0, -step], ArrowDown: [0, step] }[e.key];
    if (e.key === "Delete" || e.key === "Backspace") clear();
    else if (e.key === " ") {
      if (lent) clear();
      pen.shown = true; pen.low = !pen.low;
      if (pen.low) strokes.push([[pen.x, pen.y]]);
    } else if (move) {
      pen.shown = true;
      pen.x = Math.min(0.95, Math.max(0.05, pen.x + move[0])); pen.y = Math.min(0.95, Math.max(0.05, pen.y + move[1]));
      if (pen.low) strokes.at(-1).push([pen.x, pen.y]);
    } else return;
    e.preventDefault(); show(); read();
  });
  pad.addEventListener("blur", () => { pen.shown = pen.low = false; show(); });
  $("clear").addEventListener("click", clear);
  $("lend").addEventListener("click", async () => {
    try { lent = (await generate(randomZ(1), [Math.floor(Math.random() * info.K)])).images.slice(); }
    catch (error) { return fail(error); }
    strokes = []; show(); read();
  });
  return { show, read };
}

// ---- 2: move through z and c

function making() {
  let z = randomZ(1), k = info.order[Math.min(3, info.K - 1)];
  const all = thumbs($("categories"), chosen => { k = chosen; draw(); });
  const sliders = info.directions.map((direction, i) => {
    const label = document.createElement("label"), input = document.createElement("input"), text = document.createElement("span");
    label.className = "slider"; text.textContent = `Through z, direction ${i + 1}`;
    Object.assign(input, { type: "range", min: -3, max: 3, step: 0.05, id: `direction-${i + 1}` });
    input.addEventListener("input", () => draw());
    label.append(text, input); $("directions").append(label);
    return { direction, input };
  });
  const along = d => d.reduce((sum, v, i) => sum + v * z[i], 0);
  const reset = () => sliders.forEach(({ direction, input }) => { input.value = along(direction); });

  function moved() {                                       // z with its part along each direction as its slider says
    const out = z.slice();
    for (const { direction, input } of sliders) {
      const change = Number(input.value) - Number(input.dataset.at ?? 0);
      direction.forEach((v, i) => { out[i] += change * v; });
    }
    return out.map(v => Math.min(1, Math.max(-1, v)));
  }

  const draw = latest(async () => {
    const one = moved(), zs = new Float32Array(info.K * info.z_dim);
    for (let i = 0; i < info.K; i++) zs.set(one, i * info.z_dim);
    const { images } = await generate(zs, all.map(t => t.k));
    all.forEach((t, i) => { paint(t.canvas, image(images, i)); if (t.k === k) paint($("made"), image(images, i)); });
    press(all, k);
    $("made-name").textContent = `D(G(z, c)), ${called(k)}`;
  });

  const fresh = () => { z = randomZ(1); reset(); sliders.forEach(({ input }) => { input.dataset.at = input.value; }); draw(); };
  $("new-z").addEventListener("click", fresh);
  fresh();
}

// ---- 3: between two

function sliding() {
  let a = info.order[Math.min(3, info.K - 1)], b = info.order[Math.min(8, info.K - 1)], ends;
  const from = thumbs($("from"), k => { a = k; draw(); }), to = thumbs($("to"), k => { b = k; draw(); });
  const strip = Array.from({ length: 9 }, () => $("strip").appendChild(document.createElement("canvas")));
  const draw = latest(async () => {
    if (!ends) {
      ends = await Promise.all([from, to].map(all => generate(randomZ(info.K), all.map(t => t.k))));
      [from, to].forEach((all, side) => all.forEach((t, i) => paint(t.canvas, image(ends[side].images, i))));
    }
    const s = Number($("along").value), n = strip.length, width = info.latent_dim;
    const z1 = part(ends[0].latents, info.order.indexOf(a), width), z2 = part(ends[1].latents, info.order.indexOf(b), width);
    const path = new Float32Array((n + 1) * width);
    for (let i = 0; i <= n; i++) path.set(z1.map((v, j) => v + (i < n ? i / (n - 1) : s) * (z2[j] - v)), i * width);
    const images = await decode(path);
    strip.forEach((canvas, i) => paint(canvas, image(images, i)));
    paint($("between"), image(images, n));
    press(from, a); press(to, b);
    $("between-name").textContent = `${Math.round(100 * s)} % of the way from ${digit(a)} to ${digit(b)}`;
    $("along").setAttribute("aria-valuetext", $("between-name").textContent);
  });
  $("along").addEventListener("input", draw);
  $("new-pair").addEventListener("click", () => { ends = null; draw(); });
  draw();
}

// ---- 4: the map

function mapping() {
  const canvas = $("map"), context = canvas.getContext("2d"), { at, labels, categories } = info.map, n = at.length;
  const kinds = [...new Set(labels)].sort((p, q) => p - q), colour = label => COLOURS[kinds.indexOf(label) % COLOURS.length];
  let chosen = 0;
  for (const label of kinds) {
    const li = document.createElement("li"), dot = document.createElement("canvas");
    dot.width = dot.height = 1;
    const c = dot.getContext("2d"); c.fillStyle = colour(label); c.fillRect(0, 0, 1, 1);
    li.append(dot, String(label)); $("legend").append(li);
  }
  const names = kinds.map(label => {                       // beside the middle point of each label
    const own = at.filter((_, i) => labels[i] === label), middle = j => own.map(p => p[j]).sort((p, q) => p - q)[Math.floor(own.length / 2)];
    return { label, x: middle(0), y: middle(1) };
  });
  const extent = [0, 1].map(j => Math.max(...at.map(p => p[j])));
  const place = ([x, y]) => {
    const { width: w, height: h } = canvas, edge = 0.05, unit = Math.min(w * (1 - 2 * edge) / extent[0], h * (1 - 2 * edge) / extent[1]);
    return [w / 2 + (x - extent[0] / 2) * unit, h / 2 - (y - extent[1] / 2) * unit];
  };

  function show() {
    const ratio = window.devicePixelRatio || 1, style = getComputedStyle(canvas), r = Math.min(3.2, canvas.clientWidth / 150) * ratio;
    canvas.width = Math.round(canvas.clientWidth * ratio); canvas.height = Math.round(canvas.clientHeight * ratio);
    const dot = (i, radius) => { context.beginPath(); context.arc(...place(at[i]), radius, 0, 7); };
    for (let i = 0; i < n; i++) { context.fillStyle = colour(labels[i]); context.globalAlpha = 0.8; dot(i, r); context.fill(); }
    context.globalAlpha = 1; context.font = `700 ${19 * ratio}px system-ui, sans-serif`; context.textAlign = "center"; context.textBaseline = "middle";
    context.lineWidth = 5 * ratio; context.lineJoin = "round"; context.strokeStyle = style.backgroundColor; context.fillStyle = style.color;
    for (const { label, x, y } of names) { context.strokeText(label, ...place([x, y])); context.fillText(label, ...place([x, y])); }
    context.fillStyle = colour(labels[chosen]); dot(chosen, 2 * r); context.fill();
    context.lineWidth = 2.5 * ratio; context.strokeStyle = style.color; context.stroke();
  }

  const read = latest(async () => {
    const i = chosen;
    paint($("point"), image(await decode(part(latents, i, info.latent_dim)), 0));
    $("point-name").textContent = `Point ${i + 1}: ${called(categories[i])}; its label is ${labels[i]}`;
  });
  const choose = i => { if (i !== chosen) { chosen = i; show(); read(); } };

  function near(e) {                                       // the point nearest to the pointer
    const box = canvas.getBoundingClientRect(), ratio = canvas.width / box.width, x = (e.clientX - box.left) * ratio, y = (e.clientY - box.top) * ratio;
    const far = at.map(p => { const [a, b] = place(p); return Math.hypot(a - x, b - y); });
    choose(far.indexOf(Math.min(...far)));
  }
  canvas.addEventListener("pointermove", near);
  canvas.addEventListener("pointerdown", near);
  canvas.addEventListener("keydown", e => {
    const way = { ArrowLeft: [-1, 0], ArrowRight: [1, 0], ArrowUp: [0, -1], ArrowDown: [0, 1] }[e.key];
    if (!way) return;
    e.preventDefault();
    const [x, y] = place(at[chosen]);
    let best = -1, least = Infinity;
    at.forEach((p, i) => {
      const [a, b] = place(p), dx = a - x, dy = b - y, ahead = dx * way[0] + dy * way[1], aside = Math.abs(dx * way[1]) + Math.abs(dy * way[0]);
      if (i !== chosen && ahead > 0 && ahead >= aside && ahead + 2 * aside < least) { best = i; least = ahead + 2 * aside; }
    });
    if (best >= 0) choose(best);
  });
  new ResizeObserver(show).observe(canvas);
  read();
  return { show };
}

// ---- start

async function get(path, as) {
  const answer = await fetch(path);
  if (!answer.ok) throw new Error(`${path} is missing (${answer.status}); export the page again.`);
  return answer[as]();
}

async function start() {
  info = await get("demo.json", "json");
  info.order = [...Array(info.K).keys()].sort((p, q) => (info.names[p] ?? 99) - (info.names[q] ?? 99) || p - q);
  latents = new Float32Array(await get("latents.bin", "arrayBuffer"));
  sessions = {};
  for (const name of ["encoder", "generator", "decoder"])
    sessions[name] = await ort.InferenceSession.create(new Uint8Array(await get(`models/${name}.onnx`, "arrayBuffer")), { executionProviders: ["wasm"] });

  const words = { K: info.K === 10 ? "ten" : info.K, n: info.n.toLocaleString("en"), accuracy: `${(100 * info.accuracy).toFixed(2)} %`, latent: info.latent_dim,
                  z: info.z_dim, points: info.map.at.length.toLocaleString("en"), version: info.version, recipe: info.recipe, seed: info.seed, runtime: info.runtime };
  for (const span of document.querySelectorAll("[data-fill]")) span.textContent = words[span.dataset.fill];
  for (const id of ["score", "made-by"]) $(id).hidden = false;

  const parts = [drawing(), mapping()];
  making(); sliding();
  parts[0].show(); parts[0].read();
  matchMedia("(prefers-color-scheme: dark)").addEventListener("change", () => parts.forEach(p => p.show()));
  await queue;
  $("main").inert = false;
  $("status").textContent = "";
  document.documentElement.dataset.ready = "true";
}

start().catch(fail);
