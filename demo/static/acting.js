// An app in a tab of its own, open as somebody else: the token lives in this tab's sessionStorage and nowhere else.
//
// The panel decides whether it holds. This page tells it every 20 seconds that it is still there, says goodbye when it
// goes, and drops the token as soon as it hears that it is over, or that it is a copy of another tab.

const TOKEN = "acting-token";
const BEAT = 20_000;
const COPY_TRIES = 6;
const COPY_PAUSE = 500;
const OPENED_ELSEWHERE = 1_500;

const byId = (id) => document.getElementById(id);
const banner = byId("banner");
const panel = `${banner.dataset.issuer}/oauth/acting`;
// A new one each time the page is loaded: a copied tab has the token, and not this.
const page = crypto.randomUUID();
const title = document.title;

let token = null;
let endsAt = 0;
let beating = null;
let ticking = null;

const OVER = {
  stopped: ["You stopped impersonating", "You are yourself again."],
  ended: [
    "This impersonation has ended",
    "It was ended, its time was over, or its tab was closed. It cannot be extended.",
  ],
  copied: [
    "This tab is a copy",
    "What you opened is held by the tab that it was opened in. It goes on there, and not here.",
  ],
  nothing: ["Nobody is signed in here", "Open the app from the panel, with Sign in as."],
};

/** Out of the address and of the history at once, whatever becomes of it. */
function codeInAddress() {
  const code = new URLSearchParams(location.hash.slice(1)).get("handoff");
  if (location.hash) {
    history.replaceState(null, "", location.pathname);
  }
  return code;
}

async function takeOver(code) {
  const answer = await fetch("/acting/handoff", { method: "POST", body: new URLSearchParams({ handoff: code }) });
  const told = answer.headers.get("content-type")?.includes("json") ? await answer.json() : {};
  if (!answer.ok) {
    throw new Error(told.said ?? "The panel does not answer.");
  }
  return told.access_token;
}

/** Whether no other tab of this browser holds the same token: the first one that does keeps this lock. */
async function isAlone() {
  if (!navigator.locks) {
    return true;
  }
  const hash = new Uint8Array(await crypto.subtle.digest("SHA-256", new TextEncoder().encode(token)));
  const name = `acting-${Array.from(hash.slice(0, 16), (byte) => byte.toString(16).padStart(2, "0")).join("")}`;
  return new Promise((resolve) => {
    // A page that is loaded again waits for the one before it to go.
    const patience = { signal: AbortSignal.timeout(OPENED_ELSEWHERE) };
    const held = () => {
      resolve(true);
      return new Promise(() => {});
    };
    navigator.locks.request(name, patience, held).catch(() => resolve(false));
  });
}

function tell(event) {
  const body = new URLSearchParams({ event, document: page, banner: "shown" });
  return fetch(panel, { method: "POST", body, headers: { Authorization: `Bearer ${token}` } });
}

/** Still there. Of a page that is loaded again the goodbye may come later than this, so that a copy is asked twice. */
async function beat() {
  for (let tried = 0; token !== null; tried += 1) {
    const answer = await tell("seen").catch(() => null);
    if (token === null) {
      return false;
    }
    if (answer === null || answer.status >= 500) {
      byId("trouble").textContent = "The panel does not answer just now.";
      return true;
    }
    byId("trouble").textContent = "";
    if (answer.status === 401) {
      leave("ended");
      return false;
    }
    if (answer.status !== 409) {
      if (banner.hidden) {
        await look();
      }
      return token !== null;
    }
    if (tried >= COPY_TRIES) {
      leave("copied");
      return false;
    }
    await new Promise((resolve) => setTimeout(resolve, COPY_PAUSE));
  }
  return false;
}

/** Whom the app sees, asked anew. */
async function look() {
  const answer = await fetch("/acting/seen", { headers: { Authorization: `Bearer ${token}` } }).catch(() => null);
  if (token === null) {
    return;
  }
  if (answer === null || answer.status >= 500) {
    byId("trouble").textContent = "The panel does not answer just now.";
    return;
  }
  if (!answer.ok) {
    leave("ended");
    return;
  }
  show(await answer.json());
}

function show(seen) {
  const words = {
    who: seen.name,
    email: seen.email,
    extension: seen.extension || "none",
    "phone-system": seen.phone_system || "none",
    tenant: seen.tenant || "none",
    "app-admin": seen.app_admin ? "yes" : "no",
    actor: seen.actor,
    subject: seen.name,
    "subject-email": seen.email,
    "subject-extension": seen.extension || "none",
    "subject-tenant": seen.tenant,
  };
  for (const [id, text] of Object.entries(words)) {
    byId(id).textContent = text;
  }
  byId("only-look").hidden = seen.mode !== "look";
  endsAt = performance.now() + seen.seconds_left * 1000;
  document.title = `(as ${seen.name}) ${title}`;
  banner.hidden = false;
  byId("opening").hidden = true;
  byId("person").hidden = false;
  tick();
  ticking ??= setInterval(tick, 1000);
}

function tick() {
  const left = Math.max(0, Math.round((endsAt - performance.now()) / 1000));
  byId("left").textContent = `${Math.floor(left / 60)}:${String(left % 60).padStart(2, "0")}`;
  if (left === 300 || left === 120) {
    byId("time").textContent = `${left / 60} minutes left. This cannot be extended.`;
  }
  if (left === 0) {
    leave("ended");
  }
}

/** Drop everything of the subject, and say why. */
function leave(why, words = OVER[why][1]) {
  if (byId("over").dataset.why) {
    return;
  }
  token = null;
  sessionStorage.removeItem(TOKEN);
  clearInterval(beating);
  clearInterval(ticking);
  banner.remove();
  byId("opening").remove();
  byId("person").remove();
  byId("trouble").textContent = "";
  document.title = title;
  byId("over-heading").textContent = OVER[why][0];
  byId("over-words").textContent = words;
  byId("over").dataset.why = why;
  byId("over").hidden = false;
  byId("over-heading").focus();
}

async function stop() {
  byId("stop").disabled = true;
  const answer = await tell("stop").catch(() => null);
  if (answer === null || answer.status >= 500) {
    byId("stop").disabled = false;
    byId("trouble").textContent = "The panel does not answer just now, so this still goes on. Try again.";
    return;
  }
  leave(answer.status === 401 ? "ended" : "stopped");
}

async function begin() {
  byId("opening").hidden = false;
  const code = codeInAddress();
  if (code !== null) {
    sessionStorage.removeItem(TOKEN);
    try {
      token = await takeOver(code);
    } catch (refused) {
      leave("nothing", refused.message);
      return;
    }
    sessionStorage.setItem(TOKEN, token);
  } else {
    token = sessionStorage.getItem(TOKEN);
  }
  if (token === null) {
    leave("nothing");
    return;
  }
  if (!(await isAlone())) {
    leave("copied");
    return;
  }
  if (await beat()) {
    beating = setInterval(beat, BEAT);
  }
}

byId("stop").addEventListener("click", stop);
addEventListener("pagehide", () => {
  if (token !== null) {
    // A beacon outlives the page, and carries no header: the token goes in its body.
    navigator.sendBeacon(panel, new URLSearchParams({ event: "goodbye", document: page, access_token: token }));
  }
});
addEventListener("pageshow", (event) => {
  if (event.persisted) {
    location.reload();
  }
});
document.addEventListener("visibilitychange", () => {
  if (document.visibilityState === "visible" && token !== null && beating !== null) {
    beat();
  }
});
// A second address typed into the same tab opens what it was made for.
addEventListener("hashchange", () => location.reload());

await begin();
