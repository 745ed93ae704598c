// The token that calls are made with. It lives in this tab's session storage and nowhere else:
// closing the tab forgets it.

const TOKEN = "loop.reference.token";
const PENDING = "loop.reference.sign-in";

const changes = new EventTarget();

// Calls `listener` whenever the token changes.
export function onChange(listener) {
  changes.addEventListener("change", listener);
}

// The token: `value`, `name` of whoever it stands for, `scope`, `until` in milliseconds. Null
// when there is none or its time is over.
export function token() {
  const stored = read(TOKEN);
  return stored && !(stored.until < Date.now()) ? stored : null;
}

export function keep(value, { name, scope, expiresIn } = {}) {
  const until = expiresIn ? Date.now() + expiresIn * 1000 : undefined;
  sessionStorage.setItem(TOKEN, JSON.stringify({ value, name, scope, until }));
  changed();
  if (until) setTimeout(changed, expiresIn * 1000 + 100);
}

export function forget() {
  sessionStorage.removeItem(TOKEN);
  changed();
}

// RFC 6749 section 4.4.
export async function asMachine(tokenUrl, { clientId, secret, brand, scope }) {
  const grant = { grant_type: "client_credentials", client_id: clientId, client_secret: secret };
  if (brand) grant.brand_id = brand;
  if (scope) grant.scope = scope;
  const answer = await exchange(tokenUrl, grant);
  keep(answer.access_token, { name: clientId, scope: answer.scope, expiresIn: answer.expires_in });
}

// Leads to the authorization endpoint (RFC 6749 section 4.1, RFC 7636) and comes back here.
export async function asPerson(authorizationUrl, { clientId, scope }) {
  const verifier = random();
  const state = random();
  const pending = { verifier, state, clientId, hash: location.hash };
  sessionStorage.setItem(PENDING, JSON.stringify(pending));
  const query = new URLSearchParams({
    response_type: "code",
    client_id: clientId,
    redirect_uri: redirectUri(),
    state,
    code_challenge: await challenge(verifier),
    code_challenge_method: "S256",
  });
  if (scope) query.set("scope", scope);
  location.assign(`${authorizationUrl}?${query}`);
}

// Ends what `asPerson` began, if this page was opened by coming back from it.
export async function comeBack(tokenUrl) {
  const answer = new URLSearchParams(location.search);
  if (!answer.has("code") && !answer.has("error")) return;
  const pending = read(PENDING);
  sessionStorage.removeItem(PENDING);
  // The code must not stay in the address bar, in the history or in a bookmark.
  history.replaceState(null, "", redirectUri() + (pending?.hash ?? ""));
  if (!pending || pending.state !== answer.get("state")) {
    throw new Error("The answer does not belong to a sign-in that began in this tab.");
  }
  if (answer.has("error")) throw new Error(answer.get("error_description") ?? answer.get("error"));
  const tokens = await exchange(tokenUrl, {
    grant_type: "authorization_code",
    code: answer.get("code"),
    client_id: pending.clientId,
    redirect_uri: redirectUri(),
    code_verifier: pending.verifier,
  });
  keep(tokens.access_token, { name: pending.clientId, scope: tokens.scope, expiresIn: tokens.expires_in });
}

// Where an app that signs people in here must be registered to lead back to.
export function redirectUri() {
  return location.origin + location.pathname;
}

// PKCE needs a hash, which browsers have only in a secure context: HTTPS, or this machine.
export function canSignInPeople() {
  return Boolean(globalThis.crypto?.subtle);
}

// 32 bytes of randomness, base64url.
export function random() {
  return base64url(crypto.getRandomValues(new Uint8Array(32)));
}

async function exchange(address, parameters) {
  let response;
  try {
    response = await fetch(address, { method: "POST", body: new URLSearchParams(parameters), credentials: "omit" });
  } catch {
    throw new Error("The server cannot be reached.");
  }
  const answer = await response.json().catch(() => ({}));
  if (response.ok && answer.access_token) return answer;
  throw new Error(`${answer.error ?? response.status}: ${answer.error_description ?? "no token was given"}`);
}

async function challenge(verifier) {
  const hash = await crypto.subtle.digest("SHA-256", new TextEncoder().encode(verifier));
  return base64url(new Uint8Array(hash));
}

function base64url(bytes) {
  const base64 = btoa(String.fromCharCode(...bytes));
  return base64.replace(/\+/g, "-").replace(/\//g, "_").replace(/=+$/, "");
}

function read(key) {
  try {
    return JSON.parse(sessionStorage.getItem(key));
  } catch {
    return null;
  }
}

function changed() {
  changes.dispatchEvent(new Event("change"));
}
