// Gives the studio's own parts life: photo boxes, buttons on pictures, copying. Everything goes by delegation, because
// the pages are drawn anew around it. It speaks to no address but our own /photo.
"use strict";
(() => {
  const LARGEST = 32 * 1024 * 1024;
  let count = 0;

  const inputOf = (name) => document.querySelector(`#${CSS.escape(name)} textarea, #${CSS.escape(name)} input`);

  const write = (name, text) => {
    const field = inputOf(name);
    if (!field) return;
    field.value = text;
    field.dispatchEvent(new Event("input", { bubbles: true }));
  };

  // A control of class "settles" tells its hidden input ID-rest when it has been still for a moment.
  const still = {};
  document.addEventListener("input", (event) => {
    const control = event.target.closest(".settles");
    if (!control) return;
    clearTimeout(still[control.id]);
    still[control.id] = setTimeout(() => write(`${control.id}-rest`, String(++count)), 180);
  });

  // ── photos ────────────────────────────────────────────────────────────────────────────────────────────
  const say = (box, words, wrong = false) => {
    const line = box.querySelector(".photo-said");
    line.textContent = words;
    line.classList.toggle("warn", wrong);
  };

  const send = async (box, blob, name) => {
    if (blob.size > LARGEST) {
      say(box, `This file has more than the ${LARGEST / 1048576} MB allowed for one photo.`, true);
      return;
    }
    say(box, "Looking for the face …");
    try {
      const answer = await fetch("/photo", {
        method: "POST", body: blob, headers: { "X-Name": encodeURIComponent(name || "photo") },
      });
      const told = await answer.json();
      if (!answer.ok) throw new Error(told.error);
      say(box, name || "");
      write(box.dataset.input, told.photo);
    } catch (error) {
      say(box, error instanceof TypeError ? "The studio does not answer." : error.message, true);
    }
  };

  const shownBoxes = () => [...document.querySelectorAll(".photo-box")].filter((box) => box.offsetParent);
  const boxAt = (event) => (event.target.closest && event.target.closest(".photo-box")) || shownBoxes()[0];

  document.addEventListener("change", (event) => {
    const box = event.target.closest(".photo-box");
    if (!box || event.target.type !== "file" || !event.target.files.length) return;
    const file = event.target.files[0];
    send(box, file, file.name);
    event.target.value = "";
  });
  document.addEventListener("dragover", (event) => {
    if (!boxAt(event) || !event.dataTransfer.types.includes("Files")) return;
    event.preventDefault();
    boxAt(event).classList.add("over");
  });
  for (const kind of ["dragleave", "drop"])
    document.addEventListener(kind, () => document.querySelectorAll(".over").forEach((box) => box.classList.remove("over")));
  document.addEventListener("drop", (event) => {
    const box = boxAt(event), file = event.dataTransfer.files[0];
    if (!box || !file) return;
    event.preventDefault();
    send(box, file, file.name);
  });
  document.addEventListener("paste", (event) => {
    const file = [...(event.clipboardData ? event.clipboardData.files : [])].find((one) => one.type.startsWith("image/"));
    if (!file || !shownBoxes().length) return;
    event.preventDefault();
    send(boxAt(event), file, "pasted.png");
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
      canvas.toBlob((blob) => send(box, blob, "camera.png"), "image/png");
    },
    stop(box) { filming(box, false); },
  };

  // ── buttons on pictures, and copying ──────────────────────────────────────────────────────────────────
  let last = null;
  document.addEventListener("click", async (event) => {
    const camera = event.target.closest("[data-camera]");
    if (camera) cameras[camera.dataset.camera](camera.closest(".photo-box"));
    const button = event.target.closest("[data-say]");
    if (button) {
      last = { input: button.dataset.input, say: button.dataset.say };
      write(button.dataset.input, JSON.stringify({ ...JSON.parse(button.dataset.say), n: ++count }));
    }
    const copy = event.target.closest("[data-copy]");
    if (copy) {
      const code = copy.parentElement.querySelector("code");
      try {
        await navigator.clipboard.writeText(code.textContent);
        copy.textContent = "Copied";
      } catch {  // no clipboard without encryption: mark it, so that Ctrl-C does it
        getSelection().selectAllChildren(code);
        copy.textContent = "Press Ctrl-C";
      }
      setTimeout(() => { copy.textContent = "Copy"; }, 2000);
    }
  });
  // A button that was pressed is drawn anew with its picture: the keyboard stays where it was.
  new MutationObserver(() => {
    if (last === null || document.activeElement !== document.body) return;
    const same = (one) => one.dataset.input === last.input && one.dataset.say === last.say;
    const again = [...document.querySelectorAll("[data-say]")].find(same);
    if (again) { again.focus(); last = null; }
  }).observe(document.documentElement, { childList: true, subtree: true });
})();
