// The page in the visitor's language. What it says in English is looked up in the catalogue (words/*.json, put here as
// WORDS): whole sentences, with {} for what changes. What the catalogue lacks stays English. There is one of English where
// the model knows no faces, so that nothing is said of people.
"use strict";
(() => {
  const language = (navigator.languages || [navigator.language]).map((tag) => tag.toLowerCase().split("-")[0])
    .find((tag) => tag === "en" || tag in WORDS) || "en";
  document.documentElement.lang = language;
  if (!(language in WORDS)) return;
  const catalogue = WORDS[language];
  const escaped = (text) => text.replace(/[.*+?^$()|[\]\\]/g, "\\$&");
  const templates = Object.entries(catalogue).filter(([english]) => english.includes("{}"))
    .sort(([one], [other]) => other.length - one.length) // of two that fit, the one that says more
    .map(([english, words]) => [new RegExp(`^${english.split("{}").map(escaped).join("(.+?)")}$`, "s"), words]);
  const said = new Set(Object.values(catalogue)); // what is translated already

  const translated = (text) => {
    const bare = text.trim();
    if (!bare || said.has(bare)) return null;
    if (bare in catalogue) return text.replace(bare, catalogue[bare]);
    const parts = bare.split(" · ");
    if (parts.length > 1) return text.replace(bare, parts.map((part) => translated(part) || part).join(" · "));
    for (const [pattern, words] of templates) {
      const match = pattern.exec(bare);
      if (!match) continue;
      let at = 0;
      return text.replace(bare, words.replaceAll("{}", () => { const part = match[++at]; return translated(part) || part; }));
    }
    return null;
  };
  const ATTRIBUTES = ["aria-label", "title", "placeholder", "alt"];
  const dress = (node) => {
    if (node.nodeType === Node.TEXT_NODE) {
      if (node.parentElement && node.parentElement.closest("code, pre, textarea, script, style, .full .photo-name")) return;
      const words = translated(node.data);
      if (words !== null && words !== node.data) node.data = words;
    } else if (node.nodeType === Node.ELEMENT_NODE) {
      for (const name of ATTRIBUTES) {
        const text = node.getAttribute(name), words = text && translated(text);
        if (words && words !== text) node.setAttribute(name, words);
      }
      node.childNodes.forEach(dress);
    }
  };
  new MutationObserver((changes) => changes.forEach((change) => {
    if (change.type === "childList") change.addedNodes.forEach(dress);
    else dress(change.target);
  })).observe(document.documentElement,
    { childList: true, subtree: true, characterData: true, attributes: true, attributeFilter: ATTRIBUTES });
  dress(document.documentElement);
})();
