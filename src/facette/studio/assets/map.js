// The latent map: faces and points on a canvas, walked with a pointer, a finger or the arrow keys. It draws what
// `chart.py` packed, from the addresses in `data-chart`, and writes into the hidden input which points were picked.
"use strict";
(() => {
  const REACH = 18, FACE = 40, BIG = 112, EDGE = 34;  // CSS pixels
  const alive = new WeakMap();

  const bytes = (text) => Uint8Array.from(atob(text), (letter) => letter.charCodeAt(0));
  const floats = (text) => new Float32Array(bytes(text).buffer);
  const whole = (text) => new Int32Array(bytes(text).buffer);
  const colour = (name) => getComputedStyle(document.documentElement).getPropertyValue(name).trim();

  class LatentMap {
    constructor(root) {
      this.root = root;
      this.canvas = root.querySelector("canvas");
      this.pen = this.canvas.getContext("2d");
      this.from = this.to = this.cursor = this.over = -1;
      this.faces = true;
      this.joining = false;
      this.listen();
      new ResizeObserver(() => this.draw()).observe(this.canvas);
    }

    // ── what is drawn ───────────────────────────────────────────────────────────────────────────────────
    async load(address) {
      this.address = address;
      const answer = await fetch(address);
      if (!answer.ok) { this.say("This map is no longer kept here: draw it again."); return; }
      const chart = await answer.json();
      this.sheets = await Promise.all(JSON.parse(this.root.dataset.sheets).map((source) => new Promise((done) => {
        const image = new Image();
        image.onload = image.onerror = () => done(image);
        image.src = source;
      })));
      this.chart = chart;  // from here on it can be painted: everything is at hand
      this.points = floats(chart.points);
      this.slots = whole(chart.slots);
      this.columns = chart.columns.map((one) => ({ ...one, codes: bytes(one.codes) }));
      this.from = this.to = this.cursor = -1;
      this.shown = this.columns.findIndex((one) => one.name === this.root.dataset.shown);
      this.place();
      this.whole();
      this.root.dataset.ready = chart.names.length;
      this.say(`${this.count} faces. Point at one, or walk with the arrow keys; Enter picks it.`);
    }

    place() {  // photos that were put on the map
      this.photos = JSON.parse(this.root.dataset.placed || "[]").map((one) => {
        const image = new Image();
        image.onload = () => this.draw();
        image.src = one.source;
        return { ...one, image };
      });
      this.seen = this.root.dataset.placed;
      this.over = -1;
      this.offer();  // the frame was drawn anew around us
      this.count = this.chart.names.length + this.photos.length;
      if (this.photos.length) this.pick(this.count - 1, false);
    }

    at(i) {
      const n = this.chart.names.length;
      return i < n ? [this.points[2 * i], this.points[2 * i + 1]] : [this.photos[i - n].x, this.photos[i - n].y];
    }
    name(i) {
      const n = this.chart.names.length;
      return i < n ? this.chart.names[i] : this.photos[i - n].name;
    }
    group(i) {
      const column = this.columns[this.shown];
      return column && i < this.chart.names.length ? column.codes[i] : -1;
    }
    ink(i) {
      const column = this.columns[this.shown];
      return this.group(i) < 0 ? colour("--f-press") : column.colours[this.group(i)];
    }

    offer() {  // the choice of colours, most legible first as they came
      const select = this.root.querySelector("[data-map=colour]");
      select.replaceChildren(...["nothing", ...this.columns.map((one) => one.name.replaceAll("_", " "))].map((name, i) =>
        new Option(name, i - 1)));
      select.value = this.shown;
      for (const what of ["faces", "joining"])
        this.root.querySelector(`[data-map=${what}]`).setAttribute("aria-pressed", this[what]);
      select.parentElement.hidden = !this.columns.length;
      this.explain();
    }

    explain() {
      const column = this.columns[this.shown], legend = this.root.querySelector(".map-legend");
      legend.replaceChildren(...(column ? column.labels : []).map((label, code) => {
        const item = document.createElement("li"), dot = document.createElement("i");
        dot.style.background = column.colours[code];
        const count = column.codes.reduce((sum, one) => sum + (one === code), 0);
        item.append(dot, `${label} · ${count}`);
        return item;
      }));
    }

    whole() {
      let [left, low, right, high] = [Infinity, Infinity, -Infinity, -Infinity];
      for (let i = 0; i < this.count; i++) {
        const [x, y] = this.at(i);
        [left, right, low, high] = [Math.min(left, x), Math.max(right, x), Math.min(low, y), Math.max(high, y)];
      }
      const box = this.canvas.getBoundingClientRect();
      this.middle = [(left + right) / 2, (low + high) / 2];
      this.scale = Math.min((box.width - 2 * EDGE) / Math.max(right - left, 1e-9),
        (box.height - 2 * EDGE) / Math.max(high - low, 1e-9));
      this.least = this.scale;
      this.draw();
    }

    zoom(by, x, y) {
      const box = this.canvas.getBoundingClientRect();
      const [dx, dy] = [(x ?? box.width / 2) - box.width / 2, (y ?? box.height / 2) - box.height / 2];
      const scale = Math.min(Math.max(this.scale * by, this.least * 0.7), this.least * 60);
      this.middle = [this.middle[0] + dx / this.scale - dx / scale, this.middle[1] - dy / this.scale + dy / scale];
      this.scale = scale;
      this.draw();
    }

    spot(i) {  // in CSS pixels of the canvas; up is up
      const [x, y] = this.at(i), box = this.box;
      return [(x - this.middle[0]) * this.scale + box.width / 2, (this.middle[1] - y) * this.scale + box.height / 2];
    }

    draw() {
      if (!this.chart || this.waiting) return;
      this.waiting = true;
      requestAnimationFrame(() => { this.waiting = false; this.paint(); });
    }

    paint() {
      const box = this.box = this.canvas.getBoundingClientRect(), ratio = devicePixelRatio || 1, pen = this.pen;
      if (!box.width) return;
      if (!this.scale || this.scale < 0) { this.whole(); return; }
      [this.canvas.width, this.canvas.height] = [Math.round(box.width * ratio), Math.round(box.height * ratio)];
      pen.setTransform(ratio, 0, 0, ratio, 0, 0);
      this.spots = Array.from({ length: this.count }, (_, i) => this.spot(i));
      const size = Math.min(Math.max(90 / this.count ** 0.25, 5), 12) / 2;
      pen.globalAlpha = this.faces ? 0.45 : 0.8;
      for (let i = 0; i < this.chart.names.length; i++) {
        const [x, y] = this.spots[i];
        if (x < -9 || y < -9 || x > box.width + 9 || y > box.height + 9) continue;
        pen.fillStyle = this.ink(i);
        pen.beginPath();
        pen.arc(x, y, size, 0, 7);
        pen.fill();
      }
      pen.globalAlpha = 1;
      if (this.faces) for (const i of this.apart()) this.portrait(i, FACE);
      for (let i = this.chart.names.length; i < this.count; i++) this.portrait(i, FACE * 1.3, true);
      this.marks();
    }

    apart() {  // points whose faces do not cover each other, the picked ones first
      const chosen = [], taken = new Map(), far = FACE * 1.1;
      const order = [this.from, this.to, ...Array(this.chart.names.length).keys()].filter((i) => i >= 0);
      for (const i of order) {
        const [x, y] = this.spots[i];
        if (x < -FACE || y < -FACE || x > this.box.width + FACE || y > this.box.height + FACE) continue;
        const [column, row] = [Math.floor(x / far), Math.floor(y / far)];
        let free = true;
        for (let a = column - 1; a <= column + 1 && free; a++)
          for (let b = row - 1; b <= row + 1 && free; b++)
            for (const j of taken.get(`${a},${b}`) || [])
              if (Math.abs(this.spots[j][0] - x) < far && Math.abs(this.spots[j][1] - y) < far) { free = false; break; }
        if (!free) continue;
        const key = `${column},${row}`;
        taken.set(key, [...(taken.get(key) || []), i]);
        chosen.push(i);
      }
      return chosen;
    }

    portrait(i, side, framed = false) {
      const [x, y] = this.spots[i], pen = this.pen, n = this.chart.names.length;
      const [left, top] = [x - side / 2, y - side / 2];
      pen.save();
      pen.beginPath();
      pen.roundRect(left, top, side, side, side / 7);
      pen.clip();
      if (i >= n) pen.drawImage(this.photos[i - n].image, left, top, side, side);
      else {
        const { side: from, across, down } = this.chart, slot = this.slots[i], each = across * down;
        const sheet = this.sheets[Math.floor(slot / each)], within = slot % each;
        if (sheet && sheet.naturalWidth)
          pen.drawImage(sheet, within % across * from, Math.floor(within / across) * from, from, from, left, top, side, side);
      }
      pen.restore();
      pen.lineWidth = framed ? 3 : 2;
      pen.strokeStyle = framed ? colour("--f-ink") : this.ink(i);
      pen.beginPath();
      pen.roundRect(left, top, side, side, side / 7);
      pen.stroke();
      if (framed) this.word(this.name(i), x, top + side + 14);
    }

    word(text, x, y) {
      const pen = this.pen;
      pen.font = "600 13px system-ui, sans-serif";
      pen.textAlign = "center";
      pen.lineWidth = 4;
      pen.strokeStyle = colour("--f-raised");
      pen.strokeText(text, x, y);
      pen.fillStyle = colour("--f-ink");
      pen.fillText(text, x, y);
    }

    marks() {
      const pen = this.pen, ring = (i, radius, dash = []) => {
        const [x, y] = this.spots[i];
        pen.setLineDash(dash);
        pen.lineWidth = 3;
        pen.strokeStyle = colour("--f-ink");
        pen.beginPath();
        pen.arc(x, y, radius, 0, 7);
        pen.stroke();
        pen.setLineDash([]);
      };
      const end = this.to >= 0 ? this.spots[this.to] : this.drag && this.drag.way ? this.drag.now : null;
      if (this.from >= 0 && end) {
        pen.lineWidth = 3;
        pen.strokeStyle = colour("--f-ink");
        pen.beginPath();
        pen.moveTo(...this.spots[this.from]);
        pen.lineTo(...end);
        pen.stroke();
      }
      for (const [i, sign] of [[this.from, "from"], [this.to, "to"]]) if (i >= 0) {
        ring(i, FACE * 0.72);
        if (this.to >= 0) this.word(sign, this.spots[i][0], this.spots[i][1] - FACE * 0.8);
      }
      if (this.cursor >= 0 && document.activeElement === this.canvas) ring(this.cursor, FACE * 0.82, [5, 4]);
      if (this.over >= 0) this.look(this.over);
    }

    look(i) {  // a large picture beside the pointer
      const [x, y] = this.spots[i], far = BIG / 2 + FACE;
      const kept = this.spots[i];
      this.spots[i] = [x + (x + far + BIG / 2 > this.box.width ? -far : far),
        Math.min(Math.max(y, BIG / 2 + 4), this.box.height - BIG / 2 - 22)];
      this.portrait(i, BIG, true);
      this.spots[i] = kept;
    }

    // ── what is picked ──────────────────────────────────────────────────────────────────────────────────
    nearest(x, y, reach = REACH) {
      let [best, least] = [-1, reach * reach];
      this.spots?.forEach(([px, py], i) => {
        const far = (px - x) ** 2 + (py - y) ** 2;
        if (far < least) [best, least] = [i, far];
      });
      return best;
    }

    pick(i, join) {
      if (i < 0) return;
      if (join && this.from >= 0 && i !== this.from) this.to = i;
      else [this.from, this.to] = [i, -1];
      this.cursor = i;
      this.tell();
    }

    tell() {
      const [from, to] = [this.from, this.to].map((i) => i < 0 ? "" : this.name(i));
      if (to) this.say(`The way from ${from} to ${to}.`);
      else if (matchMedia("(pointer: coarse)").matches) this.say(`${from} is picked. Draw ways, and a tap on another, walk there.`);
      else this.say(`${from} is picked. Shift and a click, or Shift and Enter, walk to another.`);
      const said = this.to < 0 ? { from: this.from } : { from: this.from, to: this.to };
      const button = Object.assign(document.createElement("button"), { hidden: true, type: "button" });
      Object.assign(button.dataset, { input: this.root.dataset.input, say: JSON.stringify(said) });
      this.root.append(button);  // the page's own script hands it on
      button.click();
      button.remove();
      this.draw();
    }

    say(words) { this.root.querySelector(".map-said").textContent = words; }

    step(dx, dy) {  // to the nearest point that lies mostly in this direction
      if (!this.spots) return;  // nothing has been painted yet
      if (this.cursor < 0) { this.cursor = this.from >= 0 ? this.from : this.nearest(this.box.width / 2, this.box.height / 2, 1e9); }
      else {
        const [x, y] = this.spots[this.cursor];
        let [best, least] = [this.cursor, Infinity];
        this.spots.forEach(([px, py], i) => {
          const along = (px - x) * dx + (py - y) * dy, aside = Math.abs((px - x) * dy) + Math.abs((py - y) * dx);
          const far = along + 2 * aside;
          if (along > 0.5 && aside <= along * 1.5 && far < least) [best, least] = [i, far];
        });
        this.cursor = best;
      }
      const [x, y] = this.spots[this.cursor], box = this.box;
      if (x < FACE || y < FACE || x > box.width - FACE || y > box.height - FACE) this.middle = this.at(this.cursor);
      this.over = this.cursor;
      const column = this.columns[this.shown], group = this.group(this.cursor);
      this.say(`${this.name(this.cursor)}${group < 0 ? "" : `, ${column.labels[group]}`}. Enter picks it.`);
      this.draw();
    }

    // ── who listens ─────────────────────────────────────────────────────────────────────────────────────
    listen() {
      const { canvas, root } = this;
      const here = (event) => {
        const box = canvas.getBoundingClientRect();
        return [event.clientX - box.left, event.clientY - box.top];
      };
      canvas.addEventListener("pointerdown", (event) => {
        if (!this.chart || event.button) return;
        const now = here(event), hit = this.nearest(...now, FACE * 0.6);
        this.drag = { start: now, now, hit, middle: this.middle, way: false, moved: false, joined: -1 };
        canvas.setPointerCapture(event.pointerId);
      });
      canvas.addEventListener("pointermove", (event) => {
        if (!this.chart) return;
        const now = here(event), drag = this.drag;
        if (!drag) {
          const over = event.pointerType === "touch" ? -1 : this.nearest(...now);
          if (over !== this.over) { this.over = over; this.draw(); }
          return;
        }
        drag.now = now;
        const [dx, dy] = [now[0] - drag.start[0], now[1] - drag.start[1]];
        if (Math.hypot(dx, dy) > 6) drag.moved = true;
        if (!drag.moved) return;
        this.over = -1;
        if (drag.hit < 0) this.middle = [drag.middle[0] - dx / this.scale, drag.middle[1] + dy / this.scale];
        else {
          if (!drag.way) { drag.way = true; [this.from, this.to] = [drag.hit, -1]; }
          const near = this.nearest(...now, FACE * 0.6);
          if (near >= 0 && near !== drag.hit && near !== drag.joined) { drag.joined = near; this.pick(near, true); }
        }
        this.draw();
      });
      canvas.addEventListener("pointerup", (event) => {
        const drag = this.drag;
        this.drag = null;
        if (!drag) return;
        if (!drag.moved) this.pick(this.nearest(...here(event), FACE * 0.6), event.shiftKey || this.joining);
        else if (drag.way && drag.joined < 0) this.tell();
        this.draw();
      });
      canvas.addEventListener("pointercancel", () => { this.drag = null; this.draw(); });
      canvas.addEventListener("pointerleave", () => { this.over = -1; this.draw(); });
      canvas.addEventListener("touchstart", (event) => {  // a finger on a face draws a way; beside one it scrolls the page
        const box = canvas.getBoundingClientRect(), touch = event.touches[0];
        const hit = this.nearest(touch.clientX - box.left, touch.clientY - box.top, FACE * 0.6);
        if (hit >= 0 || this.scale > this.least * 1.05) event.preventDefault();
      }, { passive: false });
      canvas.addEventListener("wheel", (event) => {
        if (!this.chart || !(event.ctrlKey || document.activeElement === canvas)) return;
        event.preventDefault();
        this.zoom(Math.exp(-event.deltaY / 400), ...here(event));
      }, { passive: false });
      for (const kind of ["focus", "blur"]) canvas.addEventListener(kind, () => this.draw());
      canvas.addEventListener("keydown", (event) => this.key(event));
      root.addEventListener("click", (event) => {
        const tool = event.target.closest("[data-map]")?.dataset.map;
        if (!this.chart || !tool) return;
        if (tool === "closer") this.zoom(1.5);
        if (tool === "farther") this.zoom(1 / 1.5);
        if (tool === "whole") this.whole();
        for (const what of ["faces", "joining"]) if (tool === what) {
          this[what] = !this[what];
          event.target.setAttribute("aria-pressed", this[what]);
          this.draw();
        }
      });
      root.addEventListener("change", (event) => {
        if (event.target.dataset.map !== "colour") return;
        this.shown = Number(event.target.value);
        this.explain();
        this.draw();
      });
    }

    key(event) {
      const steps = { ArrowLeft: [-1, 0], ArrowRight: [1, 0], ArrowUp: [0, -1], ArrowDown: [0, 1] };
      if (!this.chart || event.ctrlKey || event.altKey || event.metaKey) return;
      if (steps[event.key]) this.step(...steps[event.key]);
      else if (event.key === "Enter" || event.key === " ") this.pick(this.cursor, event.shiftKey || this.joining);
      else if (event.key === "+" || event.key === "=") this.zoom(1.5);
      else if (event.key === "-") this.zoom(1 / 1.5);
      else if (event.key === "0") this.whole();
      else if (event.key === "Escape") { this.to = this.over = -1; this.draw(); }
      else return;
      event.preventDefault();
    }
  }

  const look = () => {
    for (const root of document.querySelectorAll(".latent-map")) {
      if (!alive.has(root)) alive.set(root, new LatentMap(root));
      const map = alive.get(root), { chart, placed } = root.dataset;
      if (map.address !== chart) map.load(chart);
      else if (map.chart && map.seen !== placed) { map.place(); map.draw(); }
    }
  };
  new MutationObserver(look).observe(document.documentElement,
    { childList: true, subtree: true, attributes: true, attributeFilter: ["data-chart", "data-placed"] });
  look();
})();
