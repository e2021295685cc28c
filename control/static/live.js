// Keeps the table of those who are somebody else now up to date. Without this file the page is right as of when it was loaded.
// The stream tells only that something changed; the table is asked for anew, as the server draws it.

const one = (selector, root = document) => root.querySelector(selector);
const voice = one("[data-live-voice]");
const AT_MOST_EVERY = 10000, LOOK_EVERY = 20000;
let stream, drawn = Date.now(), asking = false, again = false, later, polling;

const part = () => one("[data-live]");

// The clocks of the table run on between two drawings, silently.
let skew = 0;
const setClock = () => { skew = Date.parse(part().dataset.now) - Date.now(); }; // by the server's clock
const seconds = iso => Math.round((Date.parse(iso) - Date.now() - skew) / 1000);
const tick = () => {
  for (const left of document.querySelectorAll("[data-until]")) {
    const now = Math.max(0, seconds(left.dataset.until));
    left.textContent = `${Math.floor(now / 60)}:${String(now % 60).padStart(2, "0")}`;
  }
  for (const since of document.querySelectorAll("[data-since]"))
    since.textContent = since.dataset.words.replace("{seconds}", String(Math.max(0, -seconds(since.dataset.since))));
};

// Whoever is at a button or link of the old table finds it, or where it was, in the new one.
const place = node => node && part().contains(node) ? (node.form?.getAttribute("action") ?? node.getAttribute("href") ?? "") : null;
const back = address => {
  if (address === null) return;
  const found = [...document.querySelectorAll("[data-live] :is(button, a)")].find(node => place(node) === address);
  (found ?? part()).focus({ preventScroll: true });
};

const announce = (before, now) => {
  if (before === now || !voice) return;
  voice.textContent = now === "0" ? voice.dataset.none : now === "1" ? voice.dataset.one : voice.dataset.many.replace("{count}", now);
};

const draw = async () => {
  if (asking) { again = true; return; }
  asking = true;
  const old = part();
  const answer = await fetch(old.dataset.live, { headers: { "X-Fragment": "1" }, cache: "no-store" }).catch(() => null);
  asking = false;
  // Led to the sign-in page, or told that an impersonation is over: this page is nobody's any more.
  if (answer && (answer.redirected || [401, 403, 409].includes(answer.status))) { leave(); return; }
  const found = answer?.ok && one("[data-live]", new DOMParser().parseFromString(await answer.text(), "text/html"));
  // Nothing is drawn under a button that was just pressed, nor under a question.
  if (found && !one("form[data-sent]", old) && !one("dialog[open]")) {
    const focused = place(document.activeElement);
    old.replaceWith(document.adoptNode(found));
    back(focused);
    announce(old.dataset.total, found.dataset.total);
    setClock();
    tick();
  }
  drawn = Date.now();
  if (again) { again = false; draw(); }
};

const soon = () => {
  if (later) return;
  later = setTimeout(() => { later = null; draw(); }, Math.max(0, drawn + AT_MOST_EVERY - Date.now()));
};

const leave = () => { stream?.close(); stream = null; clearInterval(polling); polling = null; };

// A browser keeps few connections to one place: only the page that is looked at has a stream.
const listen = () => {
  if (stream || polling || document.hidden) return;
  stream = new EventSource("/impersonations/live");
  stream.addEventListener("changed", draw);
  stream.addEventListener("heard", soon);
  stream.addEventListener("error", () => {
    if (stream?.readyState !== EventSource.CLOSED) return;
    stream = null;
    polling = setInterval(draw, LOOK_EVERY);
    draw();
  });
};

if (part()) {
  setClock();
  setInterval(tick, 1000);
  listen();
  document.addEventListener("visibilitychange", () => { leave(); if (!document.hidden) { draw(); listen(); } });
  addEventListener("pagehide", leave);
  addEventListener("pageshow", event => { if (event.persisted) { draw(); listen(); } });
}
