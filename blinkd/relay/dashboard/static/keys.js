// The organisation's keys in the browser: as blinkd/crypto/keyring.py and wrapping.py make them, by WebCrypto alone.
//
//   wrapping key = PBKDF2-HMAC-SHA256(UTF-8 of NFKC of the password, salt, iterations)
//   roots, index = AES-256-GCM by the wrapping key, bound to every other member of the file
//   working key  = HKDF-SHA256(root, info = "blinkd 2" LF || organisation || purpose || terminal)
//
// What WebCrypto hands back stays inside of it: every key is made so that no script can read it out again.

import { canonical, hex, joined, prefixed, unb64, utf8 } from "./bytes.js";

/** @typedef {import("./bytes.js").Bytes} Bytes */
/**
 * roots: HKDF keys by epoch; index: names records.
 * @typedef {{organisation: string, current: string, revision: number, roots: Map<string, CryptoKey>, index: CryptoKey}} Keys
 */

const KDF = "PBKDF2-HMAC-SHA256";
const [LEAST_ITERATIONS, MOST_ITERATIONS] = [600_000, 10_000_000];
const KEY_BYTES = 32;
const ROOT_CHARACTERS = 44; // of 32 bytes in base64
const RECORD_HEX = 32;

/** The password does not open the keyring. */
export class WrongPassword extends Error {}

/** The keyring's file is none that blinkd writes. */
export class KeyringRefused extends Error {}

/** The keyring's members that its seal covers, in the one form. @param {any} file @param {string} organisation @returns {Bytes} */
function bound(file, organisation) {
  if (file?.v !== 1 || file.kdf?.name !== KDF) throw new KeyringRefused("it is of another version");
  if (file.organisation !== organisation) throw new KeyringRefused("it is another organisation's");
  const { iterations } = file.kdf;
  if (!Number.isInteger(iterations) || iterations < LEAST_ITERATIONS || iterations > MOST_ITERATIONS) {
    throw new KeyringRefused("it asks for an unusual way to derive keys");
  }
  const epochs = file.epochs.map((/** @type {any} */ one) => ({ kid: one.kid, created: one.created }));
  const kdf = { name: file.kdf.name, iterations, salt: file.kdf.salt };
  const { v, admin, current, revision } = file;
  return utf8(canonical({ v, organisation, kdf, admin, current, epochs, revision }));
}

/** @param {string} password @param {Bytes} salt @param {number} iterations */
async function wrappingKey(password, salt, iterations) {
  const typed = utf8(password.normalize("NFKC"));
  try {
    const base = await crypto.subtle.importKey("raw", typed, "PBKDF2", false, ["deriveKey"]);
    const how = { name: "PBKDF2", hash: "SHA-256", salt, iterations };
    return await crypto.subtle.deriveKey(how, base, { name: "AES-GCM", length: 256 }, false, ["decrypt"]);
  } finally {
    typed.fill(0);
  }
}

/**
 * Throws WrongPassword, KeyringRefused.
 * @param {any} file as `blinkd keys export` writes it @param {string} organisation whose it must be @param {string} password
 * @returns {Promise<Keys>}
 */
export async function openKeyring(file, organisation, password) {
  /** @type {Bytes} */ let about;
  /** @type {Bytes[]} */ let parts;
  try {
    about = joined(utf8("blinkd keyring 1\n"), bound(file, organisation));
    const { iv, ciphertext, tag } = file.wrapped;
    parts = [unb64(file.kdf.salt, 16), unb64(iv, 12), joined(unb64(ciphertext), unb64(tag, 16))];
  } catch (error) {
    if (error instanceof KeyringRefused) throw error;
    throw new KeyringRefused("it is torn");
  }
  const [salt, iv, sealed] = /** @type {[Bytes, Bytes, Bytes]} */ (parts);
  const key = await wrappingKey(password, salt, file.kdf.iterations);
  /** @type {Bytes} */ let plain;
  try {
    plain = new Uint8Array(await crypto.subtle.decrypt({ name: "AES-GCM", iv, additionalData: about }, key, sealed));
  } catch {
    throw new WrongPassword();
  }
  try {
    return { organisation, current: file.current, revision: file.revision, ...(await taken(plain)) };
  } finally {
    plain.fill(0);
  }
}

/** Roots and index out of the opened bytes, never as text: a text could not be wiped. @param {Bytes} plain */
async function taken(plain) {
  const at = find(plain, '"index":"');
  const index = await imported(plain, at, { name: "HMAC", hash: "SHA-256" }, ["sign"]);
  const roots = new Map();
  // {"admin":"…","index":"…","roots":{"KID":"…","KID":"…"}}
  let place = find(plain, '"roots":{');
  while (plain[place] === 0x22) {
    const end = plain.indexOf(0x22, place + 1);
    const kid = String.fromCharCode(...plain.subarray(place + 1, end));
    const value = end + 3;
    roots.set(kid, await imported(plain, value, "HKDF", ["deriveKey"]));
    place = value + ROOT_CHARACTERS + 1;
    if (plain[place] === 0x2c) place += 1;
  }
  if (roots.size === 0) throw new KeyringRefused("it holds no keys");
  return { index, roots };
}

/** @param {Bytes} plain @param {number} at @param {any} algorithm @param {KeyUsage[]} uses */
async function imported(plain, at, algorithm, uses) {
  const raw = decoded(plain, at);
  try {
    return await crypto.subtle.importKey("raw", raw, algorithm, false, uses);
  } finally {
    raw.fill(0);
  }
}

/** Where the bytes after a text begin. @param {Bytes} plain @param {string} words */
function find(plain, words) {
  const wanted = utf8(words);
  for (let at = 0; at + wanted.length <= plain.length; at++) {
    if (wanted.every((one, off) => plain[at + off] === one)) return at + wanted.length;
  }
  throw new KeyringRefused("it opens, and holds something else");
}

/** Base64 of 32 bytes, from bytes to bytes. @param {Bytes} plain @param {number} at @returns {Bytes} */
function decoded(plain, at) {
  const out = new Uint8Array(KEY_BYTES + 1);
  for (let group = 0; group < ROOT_CHARACTERS / 4; group++) {
    let bits = 0;
    for (let one = 0; one < 4; one++) bits = (bits << 6) | sextet(plain[at + 4 * group + one]);
    out.set([(bits >> 16) & 255, (bits >> 8) & 255, bits & 255], 3 * group);
  }
  const key = out.slice(0, KEY_BYTES);
  out.fill(0);
  return key;
}

/** @param {number | undefined} code */
function sextet(code = 0) {
  if (code >= 0x41 && code <= 0x5a) return code - 0x41;
  if (code >= 0x61 && code <= 0x7a) return code - 0x61 + 26;
  if (code >= 0x30 && code <= 0x39) return code - 0x30 + 52;
  if (code === 0x2b) return 62;
  if (code === 0x2f) return 63;
  if (code === 0x3d) return 0; // the padding at the end
  throw new KeyringRefused("it opens, and holds something else");
}

/**
 * @param {Keys} keys @param {string} epoch @param {string} purpose @param {string} terminal
 * @returns {Promise<CryptoKey> | null} null for an epoch that is not in the keyring
 */
export function workingKey(keys, epoch, purpose, terminal) {
  const root = keys.roots.get(epoch);
  if (root === undefined) return null;
  const info = joined(utf8("blinkd 2\n"), prefixed(keys.organisation, purpose, terminal));
  const how = { name: "HKDF", hash: "SHA-256", salt: new Uint8Array(0), info };
  return crypto.subtle.deriveKey(how, root, { name: "AES-GCM", length: 256 }, false, ["decrypt"]);
}

/** The relay's name of a person. @param {Keys} keys @param {string} personId */
export async function personRecord(keys, personId) {
  const digest = await crypto.subtle.sign("HMAC", keys.index, utf8(`person\n${personId}`));
  return hex(new Uint8Array(digest)).slice(0, RECORD_HEX);
}
