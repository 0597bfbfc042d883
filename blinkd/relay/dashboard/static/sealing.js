// Opens envelopes: as blinkd/crypto/envelope.py and sealing.py bind and pad them.

import { joined, prefixed, text, unb64, utf8 } from "./bytes.js";
import { workingKey } from "./keys.js";

/** @typedef {import("./bytes.js").Bytes} Bytes */
/** @typedef {{ciphertext: string, iv: string, tag: string, v: number, kid: string}} Envelope */

const VERSION = 2;
const PURPOSES = /** @type {Record<string, string>} */ ({ entry: "attendance" }); // of record types; every other one is "people"

/** An envelope that does not open; `reason` as Python's EnvelopeRejected has it. */
export class Rejected extends Error {
  /** @param {string} reason */
  constructor(reason) {
    super(reason);
    this.reason = reason;
  }
}

/** ISO/IEC 7816-4. @param {Bytes} padded @returns {Bytes} */
export function unpad(padded) {
  let end = padded.length;
  while (end > 0 && padded[end - 1] === 0) end -= 1;
  if (end === 0 || padded[end - 1] !== 0x80) throw new Rejected("bad_padding");
  return padded.subarray(0, end - 1);
}

/** What an envelope's signature names. @param {Envelope} envelope */
export async function digestOf(envelope) {
  const head = joined(utf8("blinkd envelope 2\n"), Uint8Array.of(envelope.v), prefixed(envelope.kid));
  const whole = joined(head, unb64(envelope.iv, 12), unb64(envelope.tag, 16), unb64(envelope.ciphertext));
  return new Uint8Array(await crypto.subtle.digest("SHA-256", whole));
}

/** Opens what the organisation's terminals sealed. */
export class Opener {
  /** @param {import("./keys.js").Keys} keys */
  constructor(keys) {
    this.keys = keys;
    /** @type {Map<string, Promise<CryptoKey> | null>} */
    this._working = new Map();
  }

  /**
   * The text within. Throws Rejected: other_version, unknown_key, tampered, bad_padding, malformed.
   * @param {Envelope} envelope @param {string} type @param {string} record
   */
  async open(envelope, type, record) {
    if (envelope.v !== VERSION) throw new Rejected("other_version");
    const key = await this._key(envelope.kid, PURPOSES[type] ?? "people");
    if (key === null) throw new Rejected("unknown_key");
    const about = prefixed(envelope.kid, this.keys.organisation, type, record);
    const additionalData = joined(utf8("blinkd aad 2\n"), Uint8Array.of(VERSION), about);
    /** @type {Bytes} */ let sealed, iv;
    try {
      iv = unb64(envelope.iv, 12);
      sealed = joined(unb64(envelope.ciphertext), unb64(envelope.tag, 16));
    } catch {
      throw new Rejected("malformed");
    }
    /** @type {Bytes} */ let padded;
    try {
      padded = new Uint8Array(await crypto.subtle.decrypt({ name: "AES-GCM", iv, additionalData }, key, sealed));
    } catch {
      throw new Rejected("tampered");
    }
    return text(unpad(padded));
  }

  /** @param {string} kid @param {string} purpose */
  _key(kid, purpose) {
    const name = `${kid} ${purpose}`;
    let key = this._working.get(name);
    if (key === undefined) {
      const dot = kid.indexOf(".");
      key = workingKey(this.keys, kid.slice(0, dot), purpose, kid.slice(dot + 1));
      this._working.set(name, key);
    }
    return key;
  }
}
