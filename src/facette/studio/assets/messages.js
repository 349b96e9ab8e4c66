// What every part of the page shares: telling the server, copying, tabs, keeping the keyboard where it was. Everything
// goes by delegation, because the pages are drawn anew around it. It speaks to no address but our own.
"use strict";
const facette = (() => {
  let count = 0;
  const inputOf = (name) => document.querySelector(`#${CSS.escape(name)} textarea, #${CSS.escape(name)} input`);

  // Writes into a hidden input, whose change is an event for the server; false while the page has no such input. The
  // page is there before its events are: what is written earlier waits until the server has been heard once.
  const early = new Map(); // by input, the last text
  let heard = false;
  const write = (name, text) => {
    const field = inputOf(name);
    if (!field) return false;
    if (!heard) { early.set(name, text); return true; }
    field.value = text;
    field.dispatchEvent(new Event("input", { bubbles: true }));
    return true;
  };
  const hearing = new MutationObserver(() => {
    if (!document.querySelector("[data-heard]")) return;
    hearing.disconnect();
    setTimeout(() => { // the page is just being drawn, and what is written meanwhile would be lost
      heard = true;
      early.forEach((text, name) => write(name, text));
      early.clear();
    }, 50);
  });
  hearing.observe(document.documentElement, { childList: true, subtree: true });
  const tell = (name, message) => write(name, JSON.stringify({ ...message, n: ++count }));

  // What this tab of the browser remembers over a reload, and forgets when it is closed.
  const memory = {
    read: (key) => JSON.parse(sessionStorage.getItem(`facette-${key}`) || "null"),
    write: (key, value) => sessionStorage.setItem(`facette-${key}`, JSON.stringify(value)),
  };

  // A control of class "settles" tells its hidden input ID-rest when it has been still for a moment.
  const still = {};
  document.addEventListener("input", (event) => {
    const control = event.target.closest(".settles");
    if (!control) return;
    clearTimeout(still[control.id]);
    still[control.id] = setTimeout(() => write(`${control.id}-rest`, String(++count)), 180);
  });

  // ── buttons, and copying ──────────────────────────────────────────────────────────────────────────────
  let last = null;
  const press = (button) => {
    last = { input: button.dataset.input, say: button.dataset.say };
    tell(button.dataset.input, JSON.parse(button.dataset.say));
  };
  document.addEventListener("click", async (event) => {
    const button = event.target.closest("[data-say]");
    if (button && event.detail < 2) press(button); // the second click of a double click means nothing of its own
    const copy = event.target.closest("[data-copy]");
    if (!copy) return;
    const code = copy.parentElement.querySelector("code"), words = copy.textContent;
    try {
      await navigator.clipboard.writeText(code.textContent);
      copy.textContent = "Copied";
    } catch { // no clipboard without encryption: mark it, so that Ctrl-C does it
      getSelection().selectAllChildren(code);
      copy.textContent = "Press Ctrl-C";
    }
    setTimeout(() => { copy.textContent = words; }, 2000);
  });
  // A button that was pressed is drawn anew with its picture: the keyboard stays where it was. Whoever has gone on
  // meanwhile is not taken back.
  for (const kind of ["keydown", "pointerdown"]) document.addEventListener(kind, () => { last = null; }, true);
  new MutationObserver(() => {
    if (last === null || document.activeElement !== document.body) return;
    const same = (button) => button.dataset.input === last.input && button.dataset.say === last.say;
    const again = [...document.querySelectorAll("[data-say]")].find(same);
    if (again) { again.focus(); last = null; }
  }).observe(document.documentElement, { childList: true, subtree: true });

  // The framework's mistakes are buttons around buttons; nothing is lost when they are words with a button.
  new MutationObserver(() => document.querySelectorAll(".toast-header[role]").forEach((header) => {
    header.removeAttribute("role");
    header.removeAttribute("tabindex");
  })).observe(document.documentElement, { childList: true, subtree: true });

  // ── tabs ──────────────────────────────────────────────────────────────────────────────────────────────
  document.addEventListener("keydown", (event) => {
    const tab = event.target.closest('[role="tab"]');
    if (!tab) return;
    const all = [...tab.closest('[role="tablist"]').querySelectorAll('[role="tab"]')].filter((each) => each.offsetParent);
    const at = all.indexOf(tab);
    const next = { ArrowRight: all[at + 1] || all[0], ArrowLeft: all[at - 1] || all[all.length - 1], Home: all[0],
      End: all[all.length - 1] }[event.key];
    if (!next) return;
    event.preventDefault();
    next.click();
    next.focus();
  });
  const openTab = (page) => {
    const tab = document.getElementById(`page-${page}-button`);
    if (tab) tab.click();
    return Boolean(tab);
  };
  const openPage = () => {
    const tab = document.querySelector('[role="tab"][aria-selected="true"][id^="page-"]');
    return tab ? tab.id.slice("page-".length, -"-button".length) : "";
  };

  // Calls something when the page has drawn a hidden input of that name.
  const when = (name, call) => {
    if (inputOf(name)) { call(); return; }
    const waiting = new MutationObserver(() => {
      if (!inputOf(name)) return;
      waiting.disconnect();
      call();
    });
    waiting.observe(document.documentElement, { childList: true, subtree: true });
  };

  // Favourites lie with the page: after a reload the server draws them again from what is remembered here.
  when("vary-remembered", () => {
    const kept = memory.read("favourites") || [];
    const shown = () => {
      const list = document.querySelector("#vary-pins [data-remember]");
      return list ? JSON.parse(list.dataset.remember) : [];
    };
    let recalling = kept.length > 0;
    if (recalling) tell("vary-remembered", { favourites: kept });
    new MutationObserver(() => {
      if (!document.querySelector("#vary-pins [data-remember]")) return;
      recalling = recalling && !shown().length;
      if (!recalling) memory.write("favourites", shown());
    }).observe(document.documentElement, { childList: true, subtree: true });
  });

  // The studio goes away to come again with another model: the page waits for it.
  let leaving = false;
  const again = async (gone) => {
    try {
      const answer = await fetch("/config", { cache: "no-store" });
      if (gone && answer.ok) { location.reload(); return; }
    } catch { gone = true; }
    setTimeout(() => again(gone), 400);
  };
  new MutationObserver(() => {
    if (leaving || !document.querySelector("[data-reopen]")) return;
    leaving = true;
    again(false);
  }).observe(document.documentElement, { childList: true, subtree: true });

  return { write, tell, press, memory, openTab, openPage, when };
})();
