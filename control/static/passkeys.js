// Passkeys: the forms marked data-passkey are shown where the browser has them, and filled in by its ceremony.

const bytes = text => Uint8Array.from(atob(text.replaceAll("-", "+").replaceAll("_", "/")), letter => letter.charCodeAt(0));
const text = buffer => btoa(String.fromCharCode(...new Uint8Array(buffer))).replaceAll("+", "-").replaceAll("/", "_").replace(/=+$/, "");
const described = list => (list ?? []).map(each => ({ ...each, id: bytes(each.id) }));

const read = form => {
  const options = JSON.parse(form.dataset.options);
  options.challenge = bytes(options.challenge);
  if (options.user) options.user.id = bytes(options.user.id);
  if (options.excludeCredentials) options.excludeCredentials = described(options.excludeCredentials);
  if (options.allowCredentials) options.allowCredentials = described(options.allowCredentials);
  return options;
};

const written = credential => {
  const response = {};
  for (const name of ["clientDataJSON", "attestationObject", "authenticatorData", "signature", "userHandle"])
    if (credential.response[name]) response[name] = text(credential.response[name]);
  if (credential.response.getTransports) response.transports = credential.response.getTransports();
  return JSON.stringify({ id: credential.id, rawId: text(credential.rawId), type: credential.type, response });
};

const send = (form, credential) => {
  form.elements.credential.value = written(credential);
  form.submit();
};

let waiting = null; // the quiet offer in the field of the address: only one ceremony at a time may run

const ask = async form => {
  const failed = form.querySelector("[data-passkey-failed]");
  failed.hidden = true;
  waiting?.abort();
  try {
    send(form, await navigator.credentials[form.dataset.passkey]({ publicKey: read(form) }));
  } catch {
    failed.hidden = false;
  }
};

const offer = async form => {
  if (!(await PublicKeyCredential.isConditionalMediationAvailable?.())) return;
  waiting = new AbortController();
  const asked = { publicKey: read(form), mediation: "conditional", signal: waiting.signal };
  await navigator.credentials.get(asked).then(credential => credential && send(form, credential), () => {});
};

if (globalThis.PublicKeyCredential)
  for (const form of document.querySelectorAll("form[data-passkey]")) {
    form.hidden = false;
    form.addEventListener("submit", event => { event.preventDefault(); ask(form); });
    if ("waiting" in form.dataset) offer(form);
  }
