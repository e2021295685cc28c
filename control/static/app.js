// Everything works without this file, by plain links and forms; it only saves steps.
// No text is written here: what it says stands in data attributes, in the reader's language.

const one = (selector, root = document) => root.querySelector(selector);
const all = (selector, root = document) => [...root.querySelectorAll(selector)];
const acting = document.body.dataset.acting ?? "";

// --- Fragments: a page asked for in part. A server that answers with the whole page is understood too.

const fragment = async (address, selector, signal) => {
  const answer = await fetch(address, { headers: { "X-Fragment": "1" }, signal });
  if (!answer.ok) return null;
  const page = new DOMParser().parseFromString(await answer.text(), "text/html");
  return selector ? one(selector, page) : page.body;
};

// --- Dialogs: a link marked data-dialog opens the form of the page it leads to.

// The page below may have a field of the same name, and an id must stay the only one.
const renameIds = form => {
  const renamed = ids => ids.split(" ").map(id => `over-${id}`).join(" ");
  for (const name of ["id", "for", "aria-describedby", "aria-labelledby"])
    for (const node of [form, ...all(`[${name}]`, form)]) if (node.hasAttribute(name)) node.setAttribute(name, renamed(node.getAttribute(name)));
};

const openPage = async link => {
  const form = await fragment(link.href, "[data-dialog-body]").catch(() => null);
  if (!form) { location.assign(link.href); return; }
  renameIds(form);
  const dialog = document.createElement("dialog");
  dialog.setAttribute("aria-labelledby", form.getAttribute("aria-labelledby"));
  dialog.append(document.adoptNode(form));
  dialog.addEventListener("close", () => { dialog.remove(); link.focus(); });
  document.body.append(dialog);
  dialog.showModal();
  // The first field asks for the reason; a severe question has autofocus on Cancel, which wins.
  (one("[autofocus]", dialog) ?? one(".field :is(input, select, textarea)", dialog))?.focus();
};

// --- The switcher beside a crumb: its siblings, with type-ahead.

const openSwitch = async link => {
  const pop = one("#switcher");
  const list = await fragment(link.href, "[data-pop-body]").catch(() => null);
  if (!list || !pop.showPopover) { location.assign(link.href); return; }
  pop.replaceChildren(document.adoptNode(list));
  pop.showPopover({ source: link });
  one("input", pop)?.focus();
};

const narrow = field => {
  const sought = field.value.trim().toLocaleLowerCase();
  for (const row of all("li", field.parentElement)) row.hidden = !row.textContent.toLocaleLowerCase().includes(sought);
};

// --- Clicks, in one place.

const plainClick = event => event.button === 0 && !event.metaKey && !event.ctrlKey && !event.shiftKey && !event.altKey;

document.addEventListener("click", event => {
  const hit = selector => event.target.closest?.(selector);
  let found;
  if ((found = hit("[data-opens]")) && plainClick(event)) {
    const dialog = document.getElementById(found.dataset.opens);
    if (!dialog) return;
    event.preventDefault();
    found.closest("[popover]")?.hidePopover();
    dialog.id === "palette" ? openPalette() : dialog.showModal();
  } else if ((found = hit("a[data-dialog]")) && plainClick(event)) { event.preventDefault(); openPage(found); }
  else if ((found = hit("a[data-switch]")) && plainClick(event)) { event.preventDefault(); openSwitch(found); }
  else if ((found = hit("dialog [data-close]"))) { event.preventDefault(); found.closest("dialog").close(); }
  else if ((found = hit("[data-dismiss]"))) found.closest(".toast").remove();
  else if (hit("[data-reload]")) { event.preventDefault(); location.reload(); }
});

// --- Tables: tick all, count the ticked, filters that apply when chosen.

document.addEventListener("change", event => {
  const changed = event.target;
  if (changed.matches("[data-all]")) for (const box of all("tbody .tick input", changed.closest("table"))) box.checked = changed.checked;
  if (changed.matches("[data-submits]")) changed.form.requestSubmit();
  if (changed.closest(".tick")) {
    const card = changed.closest(".card"), count = card && one("[data-ticked]", card);
    if (count) count.textContent = count.dataset.ticked.replace("{count}", all("tbody .tick input:checked", card).length);
  }
});
document.addEventListener("input", event => event.target.matches("[data-narrows]") && narrow(event.target));

// --- The palette: the server draws the results, so what is in reach is decided in one place.

const palette = one("#palette"), sought = palette && one("input", palette), results = palette && one("[role=listbox]", palette);
let asked, waiting, at = 0;
const options = () => all("[role=option]", results);

const choose = index => {
  const list = options();
  if (!list.length) return;
  at = (index + list.length) % list.length;
  list.forEach((option, number) => option.setAttribute("aria-selected", String(number === at)));
  sought.setAttribute("aria-activedescendant", list[at].id);
  list[at].scrollIntoView({ block: "nearest" });
};

const announce = count => {
  const voice = one("[role=status]", palette);
  voice.textContent = count === 1 ? voice.dataset.one : voice.dataset.many.replace("{count}", count);
};

const search = async () => {
  asked?.abort();
  asked = new AbortController();
  const found = await fragment("/find?q=" + encodeURIComponent(sought.value), null, asked.signal).catch(() => null);
  if (!found) return;
  results.replaceChildren(...found.childNodes);
  const count = options().length;
  sought.setAttribute("aria-expanded", String(count > 0));
  sought.removeAttribute("aria-activedescendant");
  if (!count && sought.value) {
    const nothing = document.createElement("p");
    nothing.className = "nothing";
    nothing.textContent = results.dataset.none;
    results.replaceChildren(nothing);
  }
  announce(count);
  choose(0);
};

const openPalette = () => {
  if (!palette || palette.open) return;
  palette.showModal();
  sought.select();
  search();
};

const follow = (option, event) => {
  const { href, bindHref, asHref } = option.dataset;
  const question = (event.shiftKey && asHref) || ((event.ctrlKey || event.metaKey) && bindHref);
  if (!question) { location.assign(href); return; }
  palette.close();
  openPage({ href: question, focus: () => document.body.focus() });
};

if (palette) {
  sought.addEventListener("input", () => { clearTimeout(waiting); waiting = setTimeout(search, 90); });
  sought.addEventListener("keydown", event => {
    const steps = { ArrowDown: 1, ArrowUp: -1 };
    if (event.key in steps) { event.preventDefault(); choose(at + steps[event.key]); }
    if (event.key === "Enter") { event.preventDefault(); const option = options()[at]; if (option) follow(option, event); }
  });
  results.addEventListener("click", event => { const option = event.target.closest("[role=option]"); if (option) follow(option, event); });
}
// A click beside a dialog closes it, unless it must be answered.
document.addEventListener("click", event => event.target.matches("dialog:not([data-locked])") && !one("form[method=post]", event.target) && event.target.close());
one("dialog[data-locked]")?.addEventListener("cancel", event => event.preventDefault());

// --- Keys. Those of a single letter can be turned off in the profile (WCAG 2.1.4).

const places = { o: "/", t: "/companies", u: "/users", e: "/extensions", b: "/bindings", s: "/impersonations", h: "/history" };
let went = 0;
document.addEventListener("keydown", event => {
  const command = event.metaKey || event.ctrlKey;
  if (command && event.key.toLowerCase() === "k" && palette) { event.preventDefault(); openPalette(); return; }
  if (command || event.altKey || document.body.dataset.keys === "off" || one("dialog[open]")) return;
  if (event.target.closest?.("input, textarea, select, [contenteditable]")) return;
  if (event.key === "/" && palette) { event.preventDefault(); openPalette(); }
  else if (event.key === "?") one("#keys")?.showModal();
  else if (event.key === "g") went = event.timeStamp;
  else if (event.timeStamp - went < 1500 && places[event.key]) {
    went = 0;
    one(`.side a[href="${places[event.key]}"]`)?.click(); // only where the sidebar leads: what is not offered is not gone to
  }
});

// --- The bar of an impersonation: time left by the server's clock, spoken at 5, 2 and 0 minutes only.

const bar = one(".banner"), countdown = one(".banner[data-ends]");
if (countdown) {
  const skew = countdown.dataset.now ? Date.parse(countdown.dataset.now) - Date.now() : 0;
  const ends = Date.parse(countdown.dataset.ends), shown = one(".left", countdown), voice = one("#time-warning");
  const left = () => Math.max(0, Math.round((ends - Date.now() - skew) / 1000));
  let before = left();
  const tick = () => {
    const now = left();
    shown.textContent = countdown.dataset.left.replace("{time}", `${Math.floor(now / 60)}:${String(now % 60).padStart(2, "0")}`);
    for (const minutes of [5, 2, 0]) if (before > minutes * 60 && now <= minutes * 60) voice.textContent = countdown.dataset[`warn-${minutes}`] ?? countdown.getAttribute(`data-warn-${minutes}`);
    if (before > 0 && now === 0) setTimeout(() => location.reload(), 1500);
    before = now;
  };
  if (shown) { tick(); setInterval(tick, 1000); }
}

// The bar's true height, so that nothing focused hides under it (WCAG 2.4.11); a constructed sheet passes the policy.
if (bar && "adoptedStyleSheets" in document) {
  const sheet = new CSSStyleSheet();
  document.adoptedStyleSheets = [...document.adoptedStyleSheets, sheet];
  new ResizeObserver(() => sheet.replaceSync(`:root:has(.banner) { --ban: ${bar.offsetHeight}px }`)).observe(bar);
}

// --- One truth in all tabs: who starts or stops a stand-in tells the others; a page shown again asks.

const stale = () => { const dialog = one("#stale"); if (dialog && !dialog.open) dialog.showModal(); };
if (acting) {
  const channel = "BroadcastChannel" in self ? new BroadcastChannel("understudy-acting") : null;
  channel?.postMessage(acting);
  if (channel) channel.onmessage = event => event.data !== acting && stale();
  const check = async () => {
    const answer = await fetch("/acting", { cache: "no-store" }).catch(() => null);
    if (answer?.status === 401) location.reload();
    else if (answer?.ok && String((await answer.json()).id) !== acting) stale();
  };
  addEventListener("pageshow", event => event.persisted && check());
  document.addEventListener("visibilitychange", () => document.hidden || check());
}

// --- Small things: errors take the focus, toasts are spoken and leave, a second click does not send twice.

one("[data-focus]")?.focus();
for (const toast of all(".toast")) {
  const text = one("p", toast), said = text.textContent;
  text.textContent = "";
  setTimeout(() => { text.textContent = said; }, 100); // a live region speaks of what changes, not of what was there
  const leave = () => (toast.matches(":hover, :focus-within") ? setTimeout(leave, 4000) : toast.remove());
  setTimeout(leave, one("form", toast) ? 20000 : 12000);
}
document.addEventListener("submit", event => {
  const form = event.target;
  if (event.defaultPrevented || form.method !== "post" || event.submitter?.formMethod === "dialog") return;
  if (form.dataset.sent) event.preventDefault();
  // What goes on in a tab of its own leaves this page as it was, and has answered the question over it.
  if (event.submitter?.formTarget === "_blank") setTimeout(() => form.closest("dialog")?.close());
  else form.dataset.sent = "1";
});
addEventListener("pageshow", () => { for (const form of all("form[data-sent]")) delete form.dataset.sent; });
