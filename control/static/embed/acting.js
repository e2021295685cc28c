// The banner in your app: who is signed in as whom, how long, and Stop. How to use it: docs/show-the-banner.md.
(() => {
  const script = document.currentScript, set = script.dataset, root = document.documentElement;
  const panel = `${new URL(script.src).origin}/oauth/acting`, page = Array.from(crypto.getRandomValues(new Uint32Array(4))).join("-");
  if (customElements.get("acting-banner")) return;
  const look = new CSSStyleSheet(); // a constructed one: no style-src forbids it
  look.replaceSync(`
div{position:fixed;inset:0 0 auto;z-index:2147483647;box-sizing:border-box;width:auto;max-width:none;margin:0;border:0;padding:.4rem 1rem;display:flex;gap:.1rem 1rem;align-items:center;font:500 14px/1.4 system-ui,sans-serif;color:#fff;background:#9f1020}
div[data-kind=binding]{color:#3f2d00;background:#fde68a}
p{flex:1;min-width:0;margin:0;overflow-wrap:anywhere}
time{font-variant-numeric:tabular-nums}
a,button{font:600 14px/1 system-ui,sans-serif;padding:.5rem .9rem;border:1px solid #0005;border-radius:.4rem;color:#1b1b1f;background:#fff;text-decoration:none;cursor:pointer}
:focus-visible{outline:3px solid currentColor;outline-offset:2px}
@media(max-width:40rem){div{display:grid;grid-template-columns:1fr auto}time{grid-row:2}a,button{grid-area:1/2/3}i{display:none}}
i{font-style:normal}
output{position:absolute;width:1px;height:1px;overflow:hidden;clip-path:inset(50%)}`);
  const make = (tag, text = "", more) => Object.assign(document.createElement(tag), { textContent: text }, more);

  class ActingBanner extends HTMLElement {
    #shadow = this.attachShadow({ mode: "closed" });
    #bar = make("div", "", { popover: "manual" }); // the top layer: no z-index is above it
    #words = make("p"); #left = make("time"); #spoken = make("output");
    #shown = ""; #ends = 0; #warned = 0; #back = -1e9; #moving = false; #copies = 0; #token; #prefix = "";

    constructor() {
      super();
      this.#shadow.adoptedStyleSheets = [look];
      this.#bar.setAttribute("role", "region");
      this.#bar.setAttribute("aria-label", "Signed in as somebody else");
      this.#shadow.append(this.#bar);
      new ResizeObserver(() => this.#room()).observe(this.#bar);
      // A modal dialog makes all outside it inert, so the banner moves into it; what opens later is gone past again.
      new MutationObserver(all => this.#place(all.at(-1).target)).observe(root, { subtree: true, attributeFilter: ["open"] });
      for (const event of ["toggle", "fullscreenchange"]) document.addEventListener(event, () => this.#raise(), true);
      document.addEventListener("visibilitychange", () => document.hidden || this.ask());
      addEventListener("pageshow", event => event.persisted && this.ask());
      addEventListener("pagehide", () => this.#token && navigator.sendBeacon(panel, this.#form("goodbye", { access_token: this.#token })));
      setInterval(() => this.ask(), 20000);
      setInterval(() => this.#tick(), 1000);
    }
    connectedCallback() { this.style.cssText = "all:initial!important;display:block!important"; this.#raise(); }
    disconnectedCallback() { // put back at once, but fight with nobody: after that at the next beat
      if (this.#moving || performance.now() - this.#back < 1000) return;
      this.#back = performance.now();
      queueMicrotask(() => this.#place());
    }

    /** Speak with the panel directly, by this access token of the app's; call it again with each new one. */
    use(token) { this.#token = token; return token ? this.ask() : this.show(null); }
    /** Ask how it stands, of the panel or the app's own backend, and say that the page is there. */
    async ask() {
      this.#place();
      const token = set.tokenKey ? this.#token = sessionStorage.getItem(set.tokenKey) : this.#token, seen = !!this.#shown;
      if (!token && !set.state) return;
      const body = this.#form("seen", seen && { banner: "shown" });
      try {
        const answer = await (token ? this.#send(body) : fetch(...(seen && set.seen ? [set.seen, { method: "POST", body }] : [set.state, { cache: "no-store" }])));
        if (answer.status === 409 && this.#copies++ < 4) return setTimeout(() => this.ask(), 2000); // loaded again: the goodbye is on its way
        if (answer.status === 409) return this.over("This tab is a copy. Go on in the first one.");
        if (answer.status === 401 && (seen || token)) return this.over("This has ended. Nothing more is done under this name.");
        if (answer.status === 401 || answer.status === 204) return this.show(null);
        if (!answer.ok) return;
        this.#copies = 0;
        this.show(await answer.json());
        if (!seen) this.ask(); // and now it is seen
      } catch { /* the network: what is known stays shown */ }
    }
    #send(body) { return fetch(panel, { method: "POST", body, headers: { authorization: `Bearer ${this.#token}` } }); }
    #form(event, more) { return new URLSearchParams({ event, document: page, ...more }); }

    /** Show this state, as /oauth/acting words it; null for oneself. */
    show(state) {
      this.#ends = state?.ends_at ? performance.now() + 1000 * (state.seconds_left ?? (new Date(state.ends_at) - Date.now()) / 1000) : 0;
      const key = state ? [state.kind, state.subject.name, state.actor.name, state.stop_url].join("\n") : "";
      if (key === this.#shown) return;
      this.#title(state ? `(as ${state.subject.name}) ` : "");
      if (!state) return this.#draw("");
      const bound = state.kind === "binding", label = bound ? "Bindings" : "Stop";
      this.#bar.dataset.kind = state.kind;
      this.#words.replaceChildren(`${state.actor.name} is signed in as `, make("b", state.subject.name), ".", make("i", " What is done here is recorded under both names."));
      this.#draw(key, this.#words, this.#left, this.#token && !bound ? make("button", label, { type: "button", onclick: () => this.#stop() })
        : make("a", label, { ...(/^https?:/.test(state.stop_url) && { href: state.stop_url }), target: "_top", rel: "noreferrer" }));
      this.#say(this.#words.textContent);
    }
    /** It is over, or not for this page: say so, and nothing else. */
    over(sentence) {
      if (this.#shown === sentence) return;
      this.#ends = 0;
      this.#title("");
      this.#words.replaceChildren(sentence);
      this.#draw(sentence, this.#words);
      this.#say(sentence);
      dispatchEvent(new CustomEvent("acting-over", { detail: sentence }));
    }
    async #stop() {
      const answer = await this.#send(this.#form("stop")).catch(() => null);
      if (answer?.ok || answer?.status === 401) this.over("Stopped. You can close this tab.");
    }
    #title(prefix) {
      const bare = document.title.startsWith(this.#prefix) ? document.title.slice(this.#prefix.length) : document.title;
      document.title = (this.#prefix = prefix) + bare;
    }
    #draw(shown, ...parts) {
      this.#shown = shown;
      this.#bar.replaceChildren(...parts, this.#spoken);
      this.#tick();
      this.#raise();
    }
    #tick() {
      if (!this.#ends) return this.#left.replaceChildren();
      const left = Math.max(0, Math.round((this.#ends - performance.now()) / 1000)), minutes = Math.ceil(left / 60);
      this.#left.textContent = `${Math.floor(left / 60)}:${String(left % 60).padStart(2, "0")} left`;
      if ((minutes === 5 || minutes === 2) && this.#warned !== minutes) this.#say(`${this.#warned = minutes} minutes left.`);
      if (!left) { this.#ends = 0; this.ask(); }
    }
    #say(sentence) { setTimeout(() => { this.#spoken.textContent = sentence; }, 100); }

    #place(changed) {
      const modal = "dialog:modal", held = this.isConnected && this.parentNode.matches(modal) && this.parentNode;
      const where = (changed?.matches(modal) && changed) || held || [...document.querySelectorAll(modal)].at(-1) || document.body;
      if (!where || this.parentNode === where) return;
      this.#moving = true;
      where.prepend(this);
      this.#moving = false;
    }
    #raise() {
      if (!this.isConnected || this.#shadow.activeElement) return;
      if (this.#bar.matches(":popover-open")) this.#bar.hidePopover();
      if (this.#shown) this.#bar.showPopover();
      this.#room();
    }
    #room() {
      const height = `${this.#bar.offsetHeight}px`;
      root.style.setProperty("--acting-h", height);
      root.style.setProperty("padding-top", height, "important");
      for (const each of set.shift ? document.querySelectorAll(set.shift) : []) each.style.setProperty("top", height, "important");
      dispatchEvent(new CustomEvent("acting", { detail: { height: this.#bar.offsetHeight } }));
    }
  }
  customElements.define("acting-banner", ActingBanner);
  const start = () => { const banner = new ActingBanner(); document.body.prepend(banner); banner.ask(); };
  if (document.body) start(); else addEventListener("DOMContentLoaded", start);
})();
