// A picture large: arrow keys walk to the next, a slider or a held key compares it with what it was made of, and what
// can be done with it is at hand. It is opened by any button of class "look".
"use strict";
(() => {
  const ONWARD = { vary: "More like it", edit: "Edit it", blend: "Blend it", map: "Put it on the map" };
  let dialog = null, place = null; // the element of the page that holds the pictures, and which of them is shown

  const figures = () => {
    const home = document.getElementById(place.home);
    return home ? [...home.querySelectorAll("figure")].filter((figure) => figure.querySelector(".look")) : [];
  };
  const wholeOf = (figure) => {
    const saved = figure.querySelector("a[download]");
    return figure.dataset.whole || (saved && saved.href) || figure.querySelector("img").src;
  };
  const build = () => {
    dialog = document.createElement("dialog");
    dialog.className = "large";
    dialog.tabIndex = -1;
    dialog.setAttribute("aria-label", "The picture, large");
    dialog.innerHTML = `<div class="large-bar"><button type="button" data-large="back" aria-label="Previous picture">‹</button>
      <p class="large-words" role="status"></p>
      <button type="button" data-large="on" aria-label="Next picture">›</button>
      <button type="button" data-large="close">Close</button></div>
      <div class="large-stage"><img class="large-after" alt=""><img class="large-before" alt="before" hidden></div>
      <label class="large-compare"><span>After</span><input type="range" min="0" max="100" value="0"
        aria-label="Before and after"><span>Before</span></label>
      <p class="large-size quiet"></p><div class="large-acts"></div>`;
    (document.querySelector(".gradio-container") || document.body).append(dialog);
    dialog.addEventListener("click", (event) => {
      const pressed = event.target.closest("[data-large]");
      if (event.target === dialog) dialog.close();
      if (!pressed) return;
      if (pressed.dataset.large === "close") dialog.close();
      else walk(pressed.dataset.large === "on" ? 1 : -1);
    });
    dialog.addEventListener("keydown", (event) => {
      if (event.target.matches("input[type=range]") && event.key !== "b") return;
      if (event.key === "ArrowRight") walk(1);
      else if (event.key === "ArrowLeft") walk(-1);
      else if (event.key === "b") compare(100);
      else return;
      event.preventDefault();
    });
    dialog.addEventListener("keyup", (event) => { if (event.key === "b") compare(0); });
    dialog.querySelector("input").addEventListener("input", (event) => compare(Number(event.target.value)));
    const stage = dialog.querySelector(".large-stage");
    stage.addEventListener("pointerdown", () => compare(100));
    for (const kind of ["pointerup", "pointerleave", "pointercancel"]) stage.addEventListener(kind, () => compare(0));
    dialog.addEventListener("close", () => {
      const figure = place && figures()[place.at];
      if (figure) figure.querySelector(".look").focus();
      place = null;
    });
  };
  const compare = (share) => {
    const before = dialog.querySelector(".large-before"), slider = dialog.querySelector("input");
    if (before.hidden) return;
    slider.value = share;
    before.style.clipPath = `inset(0 0 0 ${100 - share}%)`; // from the right, where the slider says Before
  };
  const walk = (by) => {
    const all = figures();
    place.at = (place.at + by + all.length) % all.length;
    show();
  };
  const act = (words, call, pressed) => {
    const made = document.createElement("button");
    Object.assign(made, { type: "button", textContent: words });
    if (pressed !== null) made.setAttribute("aria-pressed", pressed);
    made.addEventListener("click", call);
    return made;
  };
  const show = () => {
    const all = figures(), figure = all[place.at];
    if (!figure) { dialog.close(); return; }
    const image = figure.querySelector("img"), caption = figure.querySelector("figcaption");
    const after = dialog.querySelector(".large-after"), before = dialog.querySelector(".large-before");
    const start = figure.closest("[data-before]");
    before.hidden = dialog.querySelector(".large-compare").hidden = !start;
    if (start) before.src = start.dataset.before;
    compare(0);
    const words = [image.alt, caption && caption.textContent.trim()].filter(Boolean).join(" · ");
    dialog.querySelector(".large-words").textContent = words;
    const size = dialog.querySelector(".large-size");
    after.onload = () => {
      const side = after.naturalWidth;
      size.textContent = side < 256 ? `Drawn at ${side} × ${side} pixels, shown enlarged.` : `${side} × ${side} pixels.`;
    };
    [after.src, after.alt] = [wholeOf(figure), image.alt];
    for (const button of dialog.querySelectorAll('[data-large="back"], [data-large="on"]')) button.hidden = all.length < 2;
    const acts = dialog.querySelector(".large-acts");
    acts.replaceChildren();
    for (const button of figure.querySelectorAll("[data-say]"))
      acts.append(act(button.title, () => {
        facette.press(button);
        if (button.dataset.stays === undefined) dialog.close();
      }, button.getAttribute("aria-pressed")));
    if (document.activeElement === document.body) dialog.focus(); // what was pressed has been drawn anew
    const saved = figure.querySelector("a[download]"), { name, pasted, pastedName } = figure.dataset;
    const save = (href, download) => Object.assign(document.createElement("a"), { href, download }).click();
    if (saved) acts.append(act("Save", () => saved.click(), null));
    else if (name) acts.append(act("Save", () => save(wholeOf(figure), name), null));
    if (pasted) acts.append(act("Save the whole photo", () => save(pasted, pastedName), null));
    const here = facette.openPage(), offered = [...figure.querySelectorAll("[data-say]")].map((button) => button.title);
    for (const [page, title] of Object.entries(ONWARD)) {
      if (page === here || offered.includes(title) || !document.getElementById(`page-${page}-button`)) continue;
      acts.append(act(title, () => { dialog.close(); facette.goOn(page, figure); }, null));
    }
  };

  document.addEventListener("click", (event) => {
    const look = event.target.closest(".look");
    if (!look) return;
    if (!dialog || !dialog.isConnected) build();
    const home = look.closest('[id]:not([id^="html-"])'), figure = look.closest("figure");
    place = { home: home.id, at: 0 }; // by the name that the page gave it: what lies within is named anew when drawn
    place.at = figures().indexOf(figure);
    show();
    dialog.showModal();
  });
  // Keep and the like draw the pictures anew: what is shown large follows.
  new MutationObserver((changes) => {
    if (!dialog || !dialog.open || changes.every((change) => dialog.contains(change.target))) return;
    if (changes.some((change) => change.target.closest && change.target.closest(`#${CSS.escape(place.home)}`))) show();
  }).observe(document.documentElement, { childList: true, subtree: true });
})();
