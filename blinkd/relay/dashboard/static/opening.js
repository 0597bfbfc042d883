// The worker that opens, as the page speaks to it.

/** @typedef {{createPolicy(name: string, rules: object): {createScriptURL(url: string): string}}} TrustedTypes */

const WORKER = "worker.js";

export class Opening {
  constructor() {
    this._worker = new Worker(trusted(WORKER), { type: "module" });
    /** @type {Map<number, {done: (value: any) => void, failed: (why: Error) => void}>} */ this._waiting = new Map();
    this._number = 0;
    this._worker.addEventListener("message", ({ data }) => {
      const waiting = this._waiting.get(data.id);
      this._waiting.delete(data.id);
      if (data.error === undefined) waiting?.done(data.result);
      else waiting?.failed(new Error(data.error));
    });
    this._worker.addEventListener("error", () => {
      for (const one of this._waiting.values()) one.failed(new Error("the worker could not be started"));
      this._waiting.clear();
    });
  }

  /** @param {import("./keys.js").Keys} keys @returns {Promise<void>} */
  keys(keys) {
    return this._ask("keys", { keys });
  }

  /**
   * @param {string} walk @param {string} terminal @param {string} book @param {{seq: number, hash: string}} head
   * @param {import("./walk.js").Sealed | null} first @returns {Promise<"known" | "unknown" | "unsupported">}
   */
  begin(walk, terminal, book, head, first) {
    return this._ask("begin", { walk, terminal, book, head, first });
  }

  /**
   * @param {string} walk @param {ArrayBuffer} buffer
   * @returns {Promise<import("./walk.js").Taken & {cursor: string | null, next: {seq: number, hash: import("./bytes.js").Bytes}}>}
   */
  entries(walk, buffer) {
    return this._ask("entries", { walk, buffer }, [buffer]);
  }

  /** A walk that has come to where it should. @param {string} walk @returns {Promise<void>} */
  end(walk) {
    return this._ask("end", { walk });
  }

  /** @param {ArrayBuffer} buffer @returns {Promise<import("./people.js").Known & {cursor: string | null}>} */
  people(buffer) {
    return this._ask("people", { buffer }, [buffer]);
  }

  /** The worker ends, and its keys with it. */
  close() {
    this._worker.terminate();
    this._waiting.clear();
  }

  /** @param {string} kind @param {object} said @param {Transferable[]} handed @returns {Promise<any>} */
  _ask(kind, said, handed = []) {
    const id = ++this._number;
    return new Promise((done, failed) => {
      this._waiting.set(id, { done, failed });
      this._worker.postMessage({ id, kind, ...said }, handed);
    });
  }
}

const rules = {
  createScriptURL(/** @type {string} */ asked) {
    if (asked !== WORKER) throw new TypeError(`no worker of these pages: ${asked}`);
    return asked;
  },
};

/** Made once, for the pages' policy allows one of this name. @type {{createScriptURL(url: string): string} | undefined} */
const policy = /** @type {{trustedTypes?: TrustedTypes}} */ (/** @type {unknown} */ (globalThis)).trustedTypes?.createPolicy("blinkd-worker", rules);

/** The one address that a worker may be started from. @param {string} url */
const trusted = (url) => policy?.createScriptURL(url) ?? url;
