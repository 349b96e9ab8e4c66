// No answer is lost between two streams. The framework hears the server by a stream, which the server ends when nothing
// is under way; the next is opened by the first question whose receipt comes when the last one is known to have ended.
// A receipt that overtakes the news of that end would leave the page deaf. So each says how many of the page's streams
// the server has ended, and is handed on when the page knows of as many.
"use strict";
(() => {
  const PATIENCE = 3000; // milliseconds; a stream that broke is never known to have ended
  const plain = window.fetch;
  let ended = 0, waiting = []; // each waits for a count
  const end = () => {
    ended += 1;
    waiting.filter(({ count }) => count <= ended).forEach(({ go }) => go());
    waiting = waiting.filter(({ count }) => count > ended);
  };
  const known = (count) => ended >= count || new Promise((go) => {
    waiting.push({ count, go });
    setTimeout(go, PATIENCE);
  });
  window.fetch = async (asked, options) => {
    const path = new URL(asked.url || asked, location.href).pathname;
    if (path.endsWith("/queue/data")) asked.signal.addEventListener("abort", end, { once: true });
    const answer = await plain(asked, options);
    if (path.endsWith("/queue/join")) await known(Number(answer.headers.get("x-streams-ended")));
    return answer;
  };
})();
