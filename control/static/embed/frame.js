// The banner in a frame: asks by a hint that is good once, draws it by acting.js, and tells the page how high it is.
(() => {
  const { client, origins } = document.currentScript.dataset, pages = origins.split(" ");
  const banner = document.querySelector("acting-banner");
  let hint = location.hash.slice(1), height = 0, shown = false, next = 0;
  history.replaceState(null, "", location.pathname + location.search);
  document.body.style.margin = 0;
  document.documentElement.style.overflow = "hidden";

  // Each is sent only to the very origin that is named: whoever else frames this hears nothing.
  const tell = where => { for (const page of where) parent.postMessage({ acting: { height } }, page); };
  addEventListener("acting", event => { height = event.detail.height; tell(pages); });
  addEventListener("message", event => event.source === parent && pages.includes(event.origin) && tell([event.origin]));

  const ask = async () => {
    const visible = shown && innerHeight >= Math.min(height, 24) && !document.hidden;
    const body = new URLSearchParams({ client_id: client, hint, event: "seen", ...(visible && { banner: "shown" }) });
    const answer = await fetch("/embed/acting", { method: "POST", body }).catch(() => null);
    if (!answer) return setTimeout(ask, 5000); // the network: what is known stays shown
    if (answer.status === 401) return banner.over("This has ended. Nothing more is done under this name.");
    if (answer.status === 204) return banner.show(null);
    if (!answer.ok) return banner.over("Load this page again to see who is signed in.");
    const said = await answer.json();
    hint = said.hint;
    banner.show(said);
    next = setTimeout(ask, shown ? 20000 : 500);
    shown = true;
  };
  addEventListener("acting-over", () => clearTimeout(next));
  ask();
})();
