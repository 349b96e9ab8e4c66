// Photo boxes: a photo is dropped, pasted, chosen, filmed, clicked or dragged from the page; it goes to /photo and
// nowhere else. What a box holds is written into its hidden input: TOKEN, TOKEN/2 for the second face, TOKEN/middle.
"use strict";
(() => {
  const LARGEST = 32 * 1024 * 1024;
  const NOBODY = { photo: "", name: "" }; // what a box holds at first
  const boxes = new WeakMap(); // of each: how many photos were sent, the one it holds, and what stops the last request
  let current = facette.memory.read("photo"); // the photo of all tabs

  const stateOf = (box) => {
    if (!boxes.has(box)) boxes.set(box, { sent: 0, holds: NOBODY, words: box.querySelector(".photo-name").textContent });
    return boxes.get(box);
  };
  const button = (words, say, pressed) => {
    const made = document.createElement("button");
    Object.assign(made, { type: "button", textContent: words });
    made.addEventListener("click", say);
    if (pressed !== undefined) made.setAttribute("aria-pressed", pressed);
    return made;
  };
  const say = (box, words, wrong = false) => {
    const line = box.querySelector(".photo-said");
    line.textContent = words;
    line.classList.toggle("warn", wrong);
  };

  // What was drawn of somebody else fades until it is drawn anew.
  const fade = (box) => {
    const halves = box.closest(".halves");
    if (!halves || !halves.querySelector(".drawn figure")) return;
    const drawn = halves.querySelector(".drawn");
    drawn.classList.add("fading");
    const anew = new MutationObserver(() => { drawn.classList.remove("fading"); anew.disconnect(); });
    anew.observe(drawn, { childList: true, subtree: true });
  };

  // Shows in a box what it now holds, and tells the server; with nothing to hold, whoever was there before is gone.
  const hold = (box, photo) => {
    const state = stateOf(box), shown = box.querySelector(".photo-shown"), row = box.querySelector(".photo-faces");
    state.holds = photo;
    box.querySelector(".photo-name").textContent = photo.name || state.words;
    shown.hidden = !photo.shown;
    if (photo.shown) shown.src = photo.shown; else shown.removeAttribute("src");
    box.classList.toggle("full", Boolean(photo.name));
    row.replaceChildren();
    (photo.faces || []).forEach((source, i) => {
      const choice = i ? `${photo.token}/${i + 1}` : photo.token;
      const face = button("", () => choose(box, choice, photo), photo.photo === choice);
      face.setAttribute("aria-label", `Face ${i + 1}`);
      face.innerHTML = `<img alt="" src="${source}"><span>${i + 1}</span>`;
      row.append(face);
    });
    if (photo.refused) {
      document.querySelectorAll(".fading").forEach((drawn) => drawn.classList.remove("fading"));
      row.append(button("Take the middle", () => choose(box, `${photo.token}/middle`, photo)));
    }
    if (photo.name) row.append(button("Take it away", () => { stateOf(box).sent += 1; hold(box, NOBODY); }));
    say(box, photo.refused || [photo.words, ...(photo.warnings || [])].filter(Boolean).join(" "), Boolean(photo.refused));
    facette.write(box.dataset.input, photo.refused ? "" : photo.photo);
    if ("shared" in box.dataset && !state.own && (photo.photo || photo === NOBODY)) {
      current = photo;
      facette.memory.write("photo", photo);
    }
  };

  // Asks the server about a photo; what an older request of this box brings is dropped.
  const ask = async (box, name, request, before = {}) => {
    const state = stateOf(box), turn = ++state.sent;
    if (state.stop) state.stop.abort();
    state.stop = new AbortController();
    try {
      const answer = await fetch("/photo", { method: "POST", signal: state.stop.signal, ...request });
      const told = await answer.json();
      if (turn !== state.sent) return;
      if (!answer.ok) throw new Error(told.error);
      hold(box, { ...told, name: told.name || name, faces: before.faces });
      if (!told.refused && told.photo === told.token && !before.faces) everybody(box, told.token, turn);
    } catch (error) {
      if (turn !== state.sent || error.name === "AbortError") return;
      hold(box, { ...NOBODY, name });
      say(box, error instanceof TypeError ? "The studio does not answer." : error.message, true);
    }
  };
  // Who else is in the photo is looked for when its largest face is there already.
  const everybody = async (box, token, turn) => {
    const answer = await fetch("/photo", { method: "POST", headers: { "X-Photo": token, "X-Faces": "1" } });
    if (!answer.ok || turn !== stateOf(box).sent) return;
    const { faces } = await answer.json();
    if (faces.length > 1) hold(box, { ...stateOf(box).holds, faces });
  };
  // `own`: for this tab alone, such as a result that goes on from another one, where its photo stays.
  const send = (box, blob, name, { fleeting = false, own = false } = {}) => {
    name = name || "photo";
    stateOf(box).own = own;
    if (blob.size > LARGEST) {
      stateOf(box).sent += 1; // so that nothing older arrives after this
      hold(box, { ...NOBODY, name });
      say(box, `This file has more than the ${LARGEST / 1048576} MB allowed for one photo.`, true);
      return;
    }
    say(box, "Looking for the face …");
    fade(box);
    const headers = { "X-Name": encodeURIComponent(name), ...(fleeting ? { "X-Fleeting": "1" } : {}) };
    ask(box, name, { body: blob, headers });
  };
  const choose = (box, choice, photo) => ask(box, photo.name, { headers: { "X-Photo": choice } }, photo);

  // ── one photo for all tabs ────────────────────────────────────────────────────────────────────────────
  const shownBoxes = () => [...document.querySelectorAll(".photo-box")].filter((box) => box.offsetParent);
  const follow = () => {
    const box = shownBoxes().find((each) => "shared" in each.dataset);
    if (box && current && !stateOf(box).own && stateOf(box).holds.photo !== current.photo) hold(box, current);
  };
  const followSoon = () => { setTimeout(follow, 60); setTimeout(follow, 400); };
  document.addEventListener("click", (event) => { if (event.target.closest('[role="tab"]')) followSoon(); });
  facette.when("vary-photo", async () => {
    if (!current || !current.photo) return;
    const answer = await fetch("/photo", { method: "POST", headers: { "X-Photo": current.photo } });
    if (answer.ok) followSoon();
    else { current = null; facette.memory.write("photo", null); } // it is no longer kept there
  });

  // ── ways in ───────────────────────────────────────────────────────────────────────────────────────────
  const boxAt = (event) => (event.target.closest && event.target.closest(".photo-box")) || shownBoxes()[0];
  const clock = () => new Date().toTimeString().slice(0, 8).replaceAll(":", "");
  document.addEventListener("change", (event) => {
    const box = event.target.closest(".photo-box");
    if (!box || event.target.type !== "file" || !event.target.files.length) return;
    const file = event.target.files[0];
    send(box, file, file.name);
    event.target.value = "";
  });

  let dragged = null; // a picture of this page
  document.addEventListener("dragstart", (event) => { dragged = event.target.closest && event.target.closest("figure"); });
  document.addEventListener("dragend", () => { dragged = null; });
  document.addEventListener("dragover", (event) => {
    if (!boxAt(event) || !(dragged || event.dataTransfer.types.includes("Files"))) return;
    event.preventDefault();
    boxAt(event).classList.add("over");
  });
  for (const kind of ["dragleave", "drop"])
    document.addEventListener(kind, () => document.querySelectorAll(".over").forEach((box) => box.classList.remove("over")));
  document.addEventListener("drop", (event) => {
    const box = boxAt(event), file = event.dataTransfer.files[0];
    if (!box || !(dragged || file)) return;
    event.preventDefault();
    if (dragged) sendPicture(box, dragged); else send(box, file, file.name);
  });
  document.addEventListener("paste", (event) => {
    const file = [...(event.clipboardData ? event.clipboardData.files : [])].find((each) => each.type.startsWith("image/"));
    if (!file || !shownBoxes().length) return;
    event.preventDefault();
    send(boxAt(event), file, `pasted-${clock()}.png`, { fleeting: true });
  });

  // The page may speak to the studio alone, so what it holds itself as data is unpacked here.
  const blobOf = async (source) => {
    if (!source.startsWith("data:")) return (await fetch(source)).blob();
    const [head, content] = source.split(",");
    return new Blob([Uint8Array.from(atob(content), (letter) => letter.charCodeAt(0))], { type: head.slice(5).split(";")[0] });
  };
  // A picture of the page as a photo: whole, under the name that saving gives it.
  const sendPicture = async (box, figure, own = false) => {
    const saved = figure.querySelector("a[download]"), image = figure.querySelector("img");
    const source = (saved && saved.href) || figure.dataset.whole || image.src;
    const name = (saved && saved.download) || figure.dataset.name || `${image.alt.replaceAll(" ", "-")}.png`;
    send(box, await blobOf(source), name, { fleeting: true, own });
  };
  facette.goOn = (page, figure) => {
    const held = figure.cloneNode(true); // the gallery may be drawn anew meanwhile
    if (!facette.openTab(page)) return;
    const wait = (left) => {
      const box = shownBoxes()[0];
      if (box) sendPicture(box, held, true);
      else if (left) setTimeout(() => wait(left - 1), 50);
    };
    setTimeout(() => wait(100), 80);
  };
  document.addEventListener("click", (event) => {
    const example = event.target.closest(".example");
    if (example && shownBoxes().length) sendPicture(shownBoxes()[0], example.closest("figure"));
  });

  // ── the camera ────────────────────────────────────────────────────────────────────────────────────────
  const filming = (box, on) => {
    const [start, shoot, stop] = ["start", "shoot", "stop"].map((what) => box.querySelector(`[data-camera="${what}"]`));
    const video = box.querySelector("video");
    if (!on && video.srcObject) {
      video.srcObject.getTracks().forEach((track) => track.stop());
      video.srcObject = null;
    }
    start.hidden = on;
    shoot.hidden = stop.hidden = video.hidden = !on;
    (on ? shoot : start).focus();
  };
  const cameras = {
    async start(box) {
      if (!navigator.mediaDevices) {  // browsers give no camera to pages without encryption, but phones let one choose
        const field = box.querySelector("input[type=file]");
        field.setAttribute("capture", "user");
        field.click();
        field.removeAttribute("capture");
        return;
      }
      try {
        const stream = await navigator.mediaDevices.getUserMedia({ video: { width: 1280, facingMode: "user" } });
        const video = box.querySelector("video");
        video.srcObject = stream;
        await video.play();
        filming(box, true);
      } catch (error) {
        say(box, error.name === "NotAllowedError" ? "The camera was not allowed." : "There is no camera to use.", true);
      }
    },
    shoot(box) {
      const video = box.querySelector("video"), canvas = document.createElement("canvas");
      [canvas.width, canvas.height] = [video.videoWidth, video.videoHeight];
      canvas.getContext("2d").drawImage(video, 0, 0);
      filming(box, false);
      canvas.toBlob((blob) => send(box, blob, `camera-${clock()}.png`, { fleeting: true }), "image/png");
    },
    stop(box) { filming(box, false); },
  };
  document.addEventListener("click", (event) => {
    const camera = event.target.closest("[data-camera]");
    if (camera) cameras[camera.dataset.camera](camera.closest(".photo-box"));
  });
})();
