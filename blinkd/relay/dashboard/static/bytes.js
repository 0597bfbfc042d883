// Bytes as text and back, and the one JSON form that is signed: as blinkd/crypto/encoding.py and chain.py have them.

const encoder = new TextEncoder();
const decoder = new TextDecoder("utf-8", { fatal: true });

/** Bytes that WebCrypto takes. @typedef {Uint8Array<ArrayBuffer>} Bytes */

/** @param {string} text @returns {Bytes} */
export const utf8 = (text) => encoder.encode(text);

/** Throws for what is no UTF-8. @param {Bytes} bytes */
export const text = (bytes) => decoder.decode(bytes);

/** Throws for what is not base64, or not of this length. @param {unknown} value @param {number} [length] @returns {Bytes} */
export function unb64(value, length) {
  if (typeof value !== "string") throw new Error("not base64");
  const binary = atob(value);
  const bytes = new Uint8Array(binary.length);
  for (let at = 0; at < binary.length; at++) bytes[at] = binary.charCodeAt(at);
  if (length !== undefined && bytes.length !== length) throw new Error(`${bytes.length} bytes instead of ${length}`);
  return bytes;
}

/** @param {Bytes} bytes */
export const hex = (bytes) => Array.from(bytes, (one) => one.toString(16).padStart(2, "0")).join("");

/** Throws for what is no hexadecimal text of this many bytes. @param {string} value @param {number} length @returns {Bytes} */
export function unhex(value, length) {
  if (!/^[0-9a-f]*$/.test(value) || value.length !== 2 * length) throw new Error("not hexadecimal");
  return Uint8Array.from({ length }, (_, at) => parseInt(value.slice(2 * at, 2 * at + 2), 16));
}

/** @param {...Bytes} parts @returns {Bytes} */
export function joined(...parts) {
  const whole = new Uint8Array(parts.reduce((sum, one) => sum + one.length, 0));
  let at = 0;
  for (const one of parts) {
    whole.set(one, at);
    at += one.length;
  }
  return whole;
}

/** Each text in UTF-8 behind its length in two bytes. @param {...string} texts @returns {Bytes} */
export function prefixed(...texts) {
  return joined(
    ...texts.flatMap((one) => {
      const encoded = utf8(one);
      return [Uint8Array.of(encoded.length >> 8, encoded.length & 255), encoded];
    }),
  );
}

/** A whole number in eight bytes, the greatest first. @param {number} value @returns {Bytes} */
export function eight(value) {
  const bytes = new Uint8Array(8);
  new DataView(bytes.buffer).setBigUint64(0, BigInt(value));
  return bytes;
}

/** @param {Bytes} one @param {Bytes} other */
export function same(one, other) {
  if (one.length !== other.length) return false;
  for (let at = 0; at < one.length; at++) if (one[at] !== other[at]) return false;
  return true;
}

/**
 * Sorted keys, no blanks; of whole numbers, text, booleans, null, lists and objects, for which JSON.stringify writes what Python does.
 * @param {unknown} value @returns {string}
 */
export function canonical(value) {
  if (Array.isArray(value)) return `[${value.map(canonical).join(",")}]`;
  if (value !== null && typeof value === "object") {
    const members = Object.entries(value).sort(([one], [other]) => (one < other ? -1 : 1));
    return `{${members.map(([name, inner]) => `${JSON.stringify(name)}:${canonical(inner)}`).join(",")}}`;
  }
  if (typeof value === "number" && !Number.isSafeInteger(value)) throw new Error("a number that is not whole");
  return JSON.stringify(value);
}
