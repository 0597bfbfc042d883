// How entries hang together, and who signed them: as blinkd/crypto/chain.py and blinkd/sync/messages have it.

import { canonical, eight, hex, joined, prefixed, unb64, utf8 } from "./bytes.js";
import { digestOf } from "./sealing.js";

/** @typedef {import("./bytes.js").Bytes} Bytes */

const NOTHING = new Uint8Array(32);

/** @param {Bytes} bytes @returns {Promise<Bytes>} */
export const sha256 = async (bytes) => new Uint8Array(await crypto.subtle.digest("SHA-256", bytes));

/** @param {Bytes} salt @param {unknown} content */
export const commitmentOf = (salt, content) => sha256(joined(salt, utf8(canonical(content))));

/** @param {string} book @param {number} seq @param {Bytes} prev @param {Bytes} commitment */
export const hashOf = (book, seq, prev, commitment) =>
  sha256(joined(utf8("blinkd book 1\n"), prefixed(book), eight(seq), prev, commitment));

/** What an entry keeps of somebody's words. @param {Bytes} salt @param {string} note */
export const noteDigest = async (salt, note) => hex(await sha256(joined(salt, utf8(note))));

/** A person's pseudonym: 53 bits. @param {Bytes} salt @param {string} personId */
export async function subjectOf(salt, personId) {
  const digest = await sha256(joined(salt, utf8(personId)));
  const first = digest.subarray(0, 7).reduce((sum, one) => (sum << 8n) | BigInt(one), 0n);
  return Number(first & ((1n << 53n) - 1n));
}

/**
 * What a terminal signs of an entry. @param {string} org @param {string} terminal @param {Bytes} hash
 * @param {import("./sealing.js").Envelope | null} envelope
 */
export async function entrySigned(org, terminal, hash, envelope) {
  const digest = envelope === null ? NOTHING : await digestOf(envelope);
  return joined(utf8("blinkd entry 2\n"), prefixed(org, terminal), hash, digest);
}

/** What a terminal signs of a deletion. @param {string} org @param {any} change */
export function deletionSigned(org, change) {
  const context = change.again === true ? "blinkd change again 2\n" : "blinkd change 2\n";
  const named = prefixed(org, change.terminal, change.type, change.id);
  return joined(utf8(context), named, eight(change.base), eight(change.edit), NOTHING);
}

/** Checks signatures by a public key of 32 bytes; null where this browser does not know Ed25519. @param {Bytes} key */
export async function verifierOf(key) {
  /** @type {CryptoKey} */ let imported;
  try {
    imported = await crypto.subtle.importKey("raw", key, "Ed25519", false, ["verify"]);
  } catch {
    return null;
  }
  return (/** @type {string} */ signature, /** @type {Bytes} */ message) =>
    crypto.subtle.verify("Ed25519", imported, unb64(signature, 64), message);
}
