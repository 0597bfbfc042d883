// The relay's HTTP API. It is told the token, and never the password or a key.

const PATH = "/api/v1/dashboard";
const TRIES = 5;

/** An answer that is none. reason: the relay's word. */
export class Refused extends Error {
  /** @param {number} status @param {string} reason @param {string} words */
  constructor(status, reason, words) {
    super(words);
    this.status = status;
    this.reason = reason;
  }
}

export class Relay {
  /** @param {string} base its origin; empty where it serves these pages itself @param {string} token */
  constructor(base, token) {
    this._base = base;
    this._headers = { Authorization: `Bearer ${token}` };
    this._stop = new AbortController();
    /** Whether it has answered before: then one that does not answer is asked again. */
    this._answered = false;
  }

  /** Nothing is asked any more. */
  close() {
    this._stop.abort();
    this._headers = { Authorization: "" };
  }

  /** @returns {Promise<{organisation: string, keyring: any}>} */
  keyring() {
    return this._json("keyring", {});
  }

  /** @returns {Promise<{organisation: string, terminals: Terminal[]}>} */
  books() {
    return this._json("books", {});
  }

  /** @param {string} terminal @param {string} book @param {string | null} cursor @param {number} limit @returns {Promise<ArrayBuffer>} */
  entries(terminal, book, cursor, limit) {
    return this._bytes("entries", { terminal, book, limit: String(limit), ...(cursor === null ? {} : { cursor }) });
  }

  /** @param {string | null} cursor @returns {Promise<ArrayBuffer>} */
  people(cursor) {
    return this._bytes("people", cursor === null ? {} : { cursor });
  }

  /** @param {string} name @param {Record<string, string>} query */
  async _json(name, query) {
    return JSON.parse(new TextDecoder().decode(await this._bytes(name, query)));
  }

  /** @param {string} name @param {Record<string, string>} query */
  async _bytes(name, query) {
    const address = `${this._base}${PATH}/${name}?${new URLSearchParams(query)}`;
    for (let tries = 1; ; tries++) {
      const answer = await this._asked(address);
      if (answer?.ok) {
        this._answered = true;
        return await answer.arrayBuffer();
      }
      const waits = answer === null ? this._answered : answer.status === 429 || answer.status === 503;
      if (!waits || tries === TRIES) throw await refusal(answer);
      await this._wait(Number(answer?.headers.get("Retry-After") ?? 2 ** tries));
    }
  }

  /** null where the relay does not answer. @param {string} address */
  async _asked(address) {
    try {
      return await fetch(address, { headers: this._headers, cache: "no-store", credentials: "omit", signal: this._stop.signal, redirect: "error" });
    } catch (error) {
      if (this._stop.signal.aborted) throw error;
      return null;
    }
  }

  /** @param {number} seconds */
  async _wait(seconds) {
    await new Promise((done) => setTimeout(done, seconds * 1000));
    this._stop.signal.throwIfAborted();
  }
}

/** @typedef {{id: string, head: {seq: number, hash: string} | null, stored: number, state: string, detail: string, begun_on: string, first: import("./walk.js").Sealed | null}} BookState */
/** @typedef {{terminal: string, online: boolean, seen_on: string, version: string | null, book: BookState | null}} Terminal */

/** @param {Response | null} answer */
async function refusal(answer) {
  if (answer === null) return new Refused(0, "away", "The relay does not answer. Check the network, then try again.");
  /** @type {any} */ let said = {};
  try {
    said = await answer.json();
  } catch {
    // whatever stands between here and the relay has answered
  }
  const words = typeof said.detail === "string" ? said.detail : `The relay answered ${answer.status}.`;
  return new Refused(answer.status, typeof said.error === "string" ? said.error : "unknown", words);
}
