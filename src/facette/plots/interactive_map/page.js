// The map's own behaviour. Bokeh draws the points, pans, zooms and lassos; everything around them is here.
"use strict";

(async () => {
  const byId = (id) => document.getElementById(id);
  const data = JSON.parse(byId("map-data").textContent);
  const bytes = (text) => {
    const letters = atob(text), found = new Uint8Array(letters.length);
    for (let k = 0; k < letters.length; k++) found[k] = letters.charCodeAt(k);
    return found;
  };
  const numbers = (text, Kind) => new Kind(bytes(text).buffer);
  const count = data.names.length;
  const x = numbers(data.x, Float32Array), y = numbers(data.y, Float32Array);
  const ground = { x: numbers(data.ground[0], Float32Array), y: numbers(data.ground[1], Float32Array) };
  const neighbours = numbers(data.neighbours, Int32Array), near = count ? neighbours.length / count : 0;
  const columns = data.columns.map((column) => ({ ...column, codes: numbers(column.codes, Uint8Array) }));
  const slots = data.atlas ? numbers(data.atlas.slots, Int32Array) : null;
  const settled = count - data.placed; // points from here on are photos that were put on the map afterwards
  const placed = Array.from({ length: data.placed }, (_, k) => settled + k);
  const dark = matchMedia("(prefers-color-scheme: dark)");

  // Without a graphics card WebGL is computed by the processor, and slower than a plain canvas is.
  function hasGraphicsCard() {
    const context = document.createElement("canvas").getContext("webgl2");
    const about = context && context.getExtension("WEBGL_debug_renderer_info");
    const name = about ? context.getParameter(about.UNMASKED_RENDERER_WEBGL) : "";
    return context !== null && !/swiftshader|llvmpipe|software|basic render/i.test(name);
  }

  const backend = (text) => (hasGraphicsCard() ? text : text.replace('"output_backend": "webgl"', '"output_backend": "canvas"'));
  const views = await Bokeh.embed.embed_item(JSON.parse(backend(byId("map-plot").textContent)), "plot");
  const plot = [...views][0].model;
  const model = (name) => plot.document.get_model_by_name(name);
  const points = model("points"), rings = model("rings"), rays = model("rays");

  let column = Math.max(0, columns.findIndex((one) => one.name === data.shown));
  let order = Int32Array.from({ length: settled }, (_, i) => i); // what is drawn when: the rarest group last, on top
  let picked = -1, hovered = -1, chosen = [];

  // ── where things are on the screen ─────────────────────────────────────────────────────────────────────

  const perPixel = () => (plot.x_range.end - plot.x_range.start) / plot.inner_width;
  const toScreen = (i) => [
    (x[i] - plot.x_range.start) / perPixel(),
    plot.inner_height - (y[i] - plot.y_range.start) / perPixel(),
  ];

  function look(cx, cy, step) {
    const w = (plot.inner_width * step) / 2, h = (plot.inner_height * step) / 2;
    plot.x_range.setv({ start: cx - w, end: cx + w });
    plot.y_range.setv({ start: cy - h, end: cy + h });
  }

  const middle = () => [(plot.x_range.start + plot.x_range.end) / 2, (plot.y_range.start + plot.y_range.end) / 2];

  function whole() {
    let [left, right, low, high] = [Infinity, -Infinity, Infinity, -Infinity];
    for (const value of [...x, ...ground.x]) { left = Math.min(left, value); right = Math.max(right, value); }
    for (const value of [...y, ...ground.y]) { low = Math.min(low, value); high = Math.max(high, value); }
    const step = Math.max((right - left) / (plot.inner_width - 70), (high - low) / (plot.inner_height - 70), 1e-9);
    look((left + right) / 2, (low + high) / 2, step);
  }

  // The nearest point to a place on the map: a thumbnail under the finger first, else a dot within reach.
  function at(px, py, reach) {
    const step = perPixel(), half = (side() / 2) * step;
    let best = -1, least = Infinity;
    for (const i of facesOn ? visible : []) {
      const dx = Math.abs(x[i] - px), dy = Math.abs(y[i] - py);
      if (dx <= half && dy <= half && dx * dx + dy * dy < least) { best = i; least = dx * dx + dy * dy; }
    }
    if (best >= 0) return best;
    least = (reach * step) ** 2;
    for (let i = 0; i < count; i++) {
      const dx = x[i] - px, dy = y[i] - py, far = dx * dx + dy * dy;
      if (far <= least) { best = i; least = far; }
    }
    return best;
  }

  // ── pictures, out of a few large ones ──────────────────────────────────────────────────────────────────

  const opened = new Map();
  function sheet(id) {
    if (!opened.has(id)) {
      const held = byId(id);
      opened.set(id, URL.createObjectURL(new Blob([bytes(held.textContent)], { type: "image/webp" })));
      held.textContent = ""; // the picture is held once, not twice
    }
    return opened.get(id);
  }

  // Turns an element into picture `i`, `size` pixels wide; kind "p" is the picture, "r" its reconstruction.
  function show(element, i, size, kind = "p") {
    const { columns: wide, rows, pages } = data.atlas, slot = slots[i], page = Math.floor(slot / (wide * rows));
    const place = slot % (wide * rows), tall = Math.ceil(pages.last / wide);
    const high = page === pages.count - 1 ? tall : rows;
    element.style.width = element.style.height = `${size}px`;
    element.style.backgroundImage = `url(${sheet(`atlas-${kind}${page}`)})`;
    element.style.backgroundSize = `${wide * size}px ${high * size}px`;
    element.style.backgroundPosition = `${-(place % wide) * size}px ${-Math.floor(place / wide) * size}px`;
    return element;
  }

  function make(tag, classes = "", text = "") {
    const element = document.createElement(tag);
    if (classes) element.className = classes;
    if (text) element.textContent = text;
    return element;
  }

  const facePair = (i, size) => {
    const pair = make("div", "pair");
    for (const [kind, words] of data.atlas.reconstructions ? [["p", "picture"], ["r", "reconstruction"]] : [["p", ""]]) {
      const figure = make("figure"), face = show(make("div", "face"), i, size, kind);
      face.setAttribute("role", "img");
      face.setAttribute("aria-label", `${words} ${data.names[i]}`);
      figure.append(face);
      if (words) figure.append(make("figcaption", "", words));
      pair.append(figure);
    }
    return pair;
  };

  // ── faces on the map, none over another ────────────────────────────────────────────────────────────────

  const layer = make("div", "layer"), pool = new Map();
  byId("thumbnails").append(layer);
  const laid = { x: 0, y: 0, step: 0 }; // the corner and scale for which the faces of the layer have their places
  let facesOn = Boolean(data.atlas), visible = [], thinned = [], thinnedAt = 0, waiting = 0, drawing = 0;
  const SAME = 1e-6; // a drag changes the scale by rounding
  const side = () => (innerWidth <= 800 ? 38 : 46);

  function thin() {
    const step = perPixel(), gap = side() * 1.12 * step, cells = new Map();
    thinnedAt = step;
    thinned = [];
    const key = (a, b) => a * 1048576 + b;
    // Placed photos come first, then what is picked and its neighbours: they are always seen, or nearly so.
    const first = [...placed, ...(picked < 0 ? [] : [picked, ...beside(picked)])];
    for (let k = 0; k < first.length + settled; k++) {
      const i = k < first.length ? first[k] : k - first.length;
      const a = Math.floor((x[i] - x[0]) / gap) + 524288, b = Math.floor((y[i] - y[0]) / gap) + 524288;
      let free = true;
      for (let da = -1; free && da <= 1; da++) {
        for (let db = -1; free && db <= 1; db++) {
          const other = cells.get(key(a + da, b + db));
          free = other === undefined || Math.max(Math.abs(x[other] - x[i]), Math.abs(y[other] - y[i])) >= gap;
        }
      }
      if (!free && (k >= placed.length)) continue;
      cells.set(key(a, b), i);
      thinned.push(i);
    }
  }

  function arrange() {
    drawing = 0;
    const size = side(), half = size / 2, wide = plot.inner_width, high = plot.inner_height;
    const ratio = perPixel() / thinnedAt;
    clearTimeout(waiting);
    if (ratio > 1.25 || ratio < 0.7) thin();
    else if (Math.abs(ratio - 1) > SAME) waiting = setTimeout(() => { thin(); redraw(); }, 120);
    visible = !facesOn ? [] : thinned.filter((i) => {
      const [sx, sy] = toScreen(i);
      return sx > -half && sx < wide + half && sy > -half && sy < high + half;
    });
    const shown = new Set(visible), step = perPixel(), zoomed = !(Math.abs(step / laid.step - 1) < SAME);
    if (zoomed) Object.assign(laid, { x: plot.x_range.start, y: plot.y_range.end, step });
    for (const [i, face] of pool) if (!shown.has(i)) { face.remove(); pool.delete(i); }
    for (const i of visible) {
      const known = pool.get(i), face = known || show(make("div", i >= settled ? "face placed" : "face"), i, size);
      if (known && !zoomed) continue;
      const left = (x[i] - laid.x) / step - half, top = (laid.y - y[i]) / step - half;
      face.style.transform = `translate(${left}px, ${top}px)`;
      if (known) continue;
      if (i >= settled) face.dataset.name = data.names[i];
      pool.set(i, face);
      tint(face, i);
      layer.append(face);
    }
    // A drag moves the layer as a whole.
    const [dx, dy] = [(laid.x - plot.x_range.start) / step, (plot.y_range.end - laid.y) / step];
    layer.style.transform = `translate(${dx}px, ${dy}px)`;
  }

  const redraw = () => { drawing ||= requestAnimationFrame(arrange); };
  const tint = (face, i) => {
    if (i < settled && columns.length) face.style.setProperty("--group", colours()[columns[column].codes[i]]);
    face.style.opacity = chosen.length && !chosenSet.has(i) ? 0.25 : 1;
    face.classList.toggle("near", picked >= 0 && (i === picked || beside(picked).includes(i)));
  };

  // ── colours ────────────────────────────────────────────────────────────────────────────────────────────

  const colours = () => (columns.length ? columns[column].colours : [data.plain]);
  const groupOf = (i) => (columns.length && i < settled ? columns[column].labels[columns[column].codes[i]] : "");

  function paint() {
    const codes = columns.length ? columns[column].codes : new Uint8Array(count);
    const sizes = new Array(colours().length).fill(0);
    for (let i = 0; i < settled; i++) sizes[codes[i]] += 1;
    const rank = sizes.map((_, k) => k).sort((a, b) => sizes[b] - sizes[a]);
    const places = rank.map((_, k) => rank.indexOf(k));
    order = order.map((_, i) => i).sort((a, b) => places[codes[a]] - places[codes[b]] || a - b);
    const pick = (values, Kind) => Kind.from(order, (i) => values[i]);
    const mapper = model("mapper");
    mapper.setv({ palette: colours().length > 1 ? colours() : [...colours(), ...colours()] });
    mapper.setv({ low: -0.5, high: Math.max(colours().length, 2) - 0.5 });
    points.data = { x: pick(x, Float32Array), y: pick(y, Float32Array), group: pick(codes, Float32Array) };
    mark();
    const legend = byId("legend");
    legend.replaceChildren(...(columns.length ? columns[column].labels : ["all"]).map((label, k) => {
      const item = make("li"), button = make("button"), dot = make("i");
      dot.style.setProperty("--group", colours()[k]);
      button.append(dot, label, make("span", "", `${sizes[k].toLocaleString()} · ${percent(sizes[k] / settled)}`));
      button.title = "choose these";
      button.onclick = () => choose([...order].filter((i) => codes[i] === k).sort((a, b) => a - b));
      item.append(button);
      return item;
    }));
    for (const [i, face] of pool) tint(face, i);
  }

  const percent = (share) => `${(100 * share).toFixed(share < 0.0995 ? 1 : 0)}\u00a0%`;

  // ── one point: hover, and click for its neighbours ─────────────────────────────────────────────────────

  const card = byId("card");
  function hover(i) {
    if (i === hovered) return;
    hovered = i;
    card.hidden = i < 0;
    if (i < 0) return;
    card.replaceChildren(...(data.atlas ? [facePair(i, 96)] : []), make("p", "name", data.names[i]));
    if (groupOf(i)) card.append(make("p", "quiet", groupOf(i)));
    const [sx, sy] = toScreen(i), reach = side() / 2 + 8;
    const left = sx + reach + card.offsetWidth > plot.inner_width ? sx - reach - card.offsetWidth : sx + reach;
    const top = Math.min(Math.max(sy - card.offsetHeight / 2, 4), plot.inner_height - card.offsetHeight - 4);
    card.style.transform = `translate(${Math.max(left, 4)}px, ${Math.max(top, 4)}px)`;
  }

  const beside = (i) => [...neighbours.subarray(i * near, (i + 1) * near)];

  // A few pictures (or names, where there are no pictures) that can be picked in turn.
  function strip(items) {
    const list = make("div", data.atlas ? "strip" : "words");
    list.append(...items.map((i) => {
      const button = make("button", data.atlas ? "face" : "", data.atlas ? "" : data.names[i]);
      if (data.atlas) show(button, i, 52);
      button.title = data.names[i];
      button.setAttribute("aria-label", data.names[i]);
      button.dataset.number = i;
      button.onclick = () => pick(i, true);
      return button;
    }));
    return list;
  }

  function pick(i, travel = false) {
    picked = i;
    const section = byId("picked");
    if (i < 0) {
      section.replaceChildren(make("p", "quiet", "Point at a dot to see it, click it for its neighbours, " +
        "draw a lasso for a list of files, click a group above to choose it."));
    } else {
      section.replaceChildren(make("h2", "", data.names[i]), ...(data.atlas ? [facePair(i, 136)] : []));
      const yes = i < settled ? columns.filter((one) => one.codes[i] === 0 && one.labels.length > 1) : [];
      const chips = make("ul", "chips");
      chips.append(...yes.map((one) => make("li", "", one.labels[0])));
      const found = strip(beside(i));
      found.id = "neighbours";
      section.append(chips, make("p", "quiet", "Nearest in latent space, the nearest first:"), found);
      if (travel) {
        const [sx, sy] = toScreen(i);
        if (sx < 30 || sy < 30 || sx > plot.inner_width - 30 || sy > plot.inner_height - 30)
          look(x[i], y[i], perPixel());
      }
    }
    mark();
    if (facesOn) thin();
    for (const [k, face] of pool) tint(face, k);
    redraw();
  }

  function mark() {
    const others = picked < 0 ? [] : beside(picked), all = picked < 0 ? [] : [picked, ...others];
    rings.data = { x: all.map((i) => x[i]), y: all.map((i) => y[i]), size: all.map((_, k) => (k ? 11 : 18)) };
    rays.data = {
      x0: others.map(() => x[picked]), y0: others.map(() => y[picked]),
      x1: others.map((i) => x[i]), y1: others.map((i) => y[i]),
    };
  }

  // ── many points: the lasso, or a group of the legend ───────────────────────────────────────────────────

  let chosenSet = new Set();
  function choose(items) {
    chosen = items;
    chosenSet = new Set(items);
    const drawn = new Int32Array(settled);
    order.forEach((i, place) => { drawn[i] = place; });
    points.selected.indices = items.map((i) => drawn[i]);
    for (const [i, face] of pool) tint(face, i);
    byId("chosen").hidden = items.length === 0;
    if (!items.length) return;
    byId("chosen-count").textContent = `${items.length.toLocaleString()} chosen`;
    byId("chosen-names").value = items.map((i) => data.names[i]).join("\n");
    byId("chosen-apart").textContent = apart(items);
    byId("chosen-faces").replaceChildren(...(data.atlas ? [...strip(items.slice(0, 30)).children] : []));
    byId("copy").textContent = "Copy the list";
  }

  // What the chosen have more often than all others of the map.
  function apart(items) {
    const differences = columns.flatMap((one) => one.labels.map((label, k) => {
      const here = items.filter((i) => one.codes[i] === k).length / items.length;
      let all = 0;
      for (let i = 0; i < settled; i++) all += one.codes[i] === k;
      return { label, here, all: all / settled };
    })).filter((one) => one.here - one.all > 0.1).sort((a, b) => b.here - b.all - (a.here - a.all)).slice(0, 3);
    return differences.length === 0 ? "" : "What sets them apart: " +
      differences.map((one) => `${one.label} ${percent(one.here)} (of all ${percent(one.all)})`).join(", ");
  }

  async function copy() {
    const area = byId("chosen-names");
    try {
      await navigator.clipboard.writeText(area.value);
    } catch { // pages opened from a file may not be trusted with the clipboard; the old way still is
      area.select();
      document.execCommand("copy");
    }
    byId("copy").textContent = "Copied";
  }

  function download() {
    const link = make("a");
    link.href = URL.createObjectURL(new Blob([byId("chosen-names").value + "\n"], { type: "text/plain" }));
    link.download = "chosen.txt";
    link.click();
    setTimeout(() => URL.revokeObjectURL(link.href), 1000);
  }

  // ── controls ───────────────────────────────────────────────────────────────────────────────────────────

  function drag(lasso) {
    model("lasso").active = lasso;
    model("pan").active = !lasso;
    byId("lasso").setAttribute("aria-pressed", lasso);
    byId("move").setAttribute("aria-pressed", !lasso);
  }

  function wire() {
    const select = byId("colour");
    select.append(...columns.map((one, k) => new Option(one.name, k, k === column, k === column)));
    byId("colour-label").hidden = columns.length === 0;
    select.onchange = () => {
      column = Number(select.value);
      paint();
      choose(chosen);
    };
    byId("move").onclick = () => drag(false);
    byId("lasso").onclick = () => drag(true);
    byId("faces").hidden = !data.atlas;
    byId("faces").onclick = () => {
      facesOn = !facesOn;
      byId("faces").setAttribute("aria-pressed", facesOn);
      redraw();
    };
    byId("closer").onclick = () => look(...middle(), perPixel() / 1.5);
    byId("farther").onclick = () => look(...middle(), perPixel() * 1.5);
    byId("whole").onclick = whole;
    byId("copy").onclick = copy;
    byId("download").onclick = download;
    byId("clear").onclick = () => choose([]);
    addEventListener("keydown", (event) => {
      if (event.key === "Escape") { choose([]); pick(-1); drag(false); }
    });
    let pressed = false; // nothing is pointed at while the map is dragged or a lasso drawn
    byId("plot").addEventListener("pointerdown", () => { pressed = true; hover(-1); }, true);
    for (const end of ["pointerup", "pointercancel"]) addEventListener(end, () => { pressed = false; }, true);
    plot.on_event("mousemove", (event) => {
      hover(pressed || model("lasso").active ? -1 : at(event.x, event.y, 12));
    });
    plot.on_event("mouseleave", () => hover(-1));
    plot.on_event("tap", (event) => {
      hover(-1);
      pick(at(event.x, event.y, matchMedia("(pointer: coarse)").matches ? 24 : 12));
    });
    plot.on_event("selectiongeometry", (event) => {
      if (!event.final || event.geometry.type !== "poly") return;
      choose([...points.selected.indices].map((place) => order[place]).sort((a, b) => a - b));
      drag(false);
    });
    plot.x_range.change.connect(redraw);
    plot.y_range.change.connect(redraw);
    let before = [plot.inner_width, plot.inner_height];
    const resized = () => {
      const [cx, cy] = middle(), step = (plot.x_range.end - plot.x_range.start) / before[0];
      before = [plot.inner_width, plot.inner_height];
      look(cx, cy, step);
      redraw();
    };
    plot.properties.inner_width.change.connect(resized);
    plot.properties.inner_height.change.connect(resized);
    dark.addEventListener("change", ink);
    // Bokeh frames what was clicked in dots; the map is walked by pointer and needs no such frame.
    byId("plot").addEventListener("focusin", (event) => { event.composedPath()[0].style.outline = "none"; });
  }

  function ink() { // Bokeh's glyphs know no style sheets
    const colour = getComputedStyle(document.documentElement).getPropertyValue("--ink").trim();
    model("ring").line_color = colour;
    model("ray").line_color = colour;
  }

  while (!(plot.inner_width > 0 && plot.inner_height > 0)) await new Promise(requestAnimationFrame);
  model("ground").data = ground;
  whole();
  wire();
  ink();
  paint();
  pick(-1);
  thin();
  redraw();
  byId("loading").remove();
  document.body.dataset.ready = "yes";
})();
