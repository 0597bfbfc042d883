// Walks a book from its newest entry to its first, page by page, and takes nothing that does not hang together.

import { canonical, same, unb64, unhex } from "./bytes.js";
import { commitmentOf, entrySigned, hashOf, noteDigest, verifierOf } from "./chain.js";
import { Rejected } from "./sealing.js";

/** @typedef {import("./bytes.js").Bytes} Bytes */
/** A sealed entry as the relay sends it. @typedef {{seq: number, prev: string, commitment: string, signature: string, envelope: import("./sealing.js").Envelope | null, missing?: string}} Sealed */
/** @typedef {{seq: number, content: any, note: string | null}} Opened */
/**
 * faults: in words, by the number of the entry; missing: numbers and the terminal's signed reasons; closed: entries that no key of this keyring
 * opens; aside: entries of another branch; signatures: how many were checked.
 * @typedef {{entries: Opened[], faults: {seq: number, words: string}[], missing: {seq: number, reason: string}[], closed: number[], aside: number, signatures: number}} Taken
 */

export class Walk {
  /**
   * @param {import("./sealing.js").Opener} opener @param {string} terminal @param {string} book
   * @param {{seq: number, hash: string}} head where the relay says that the chain ends
   */
  constructor(opener, terminal, book, head) {
    this.opener = opener;
    this.terminal = terminal;
    this.book = book;
    this.next = { seq: head.seq, hash: unb64(head.hash, 32) };
    /** @type {Awaited<ReturnType<typeof verifierOf>> | undefined} undefined: nobody knows the key */
    this.verify = undefined;
    this.atHead = true;
  }

  /** The key by which the book is signed, as its first entry names it. @param {Sealed | null} first @returns {Promise<"known" | "unknown" | "unsupported">} */
  async begin(first) {
    if (first === null || first.envelope === null || first.seq !== 0) return "unknown";
    try {
      const { content } = await this._opened(first, first.envelope);
      if (content.kind !== "genesis" || content.book !== this.book) return "unknown";
      this.verify = await verifierOf(unhex(content.key, 32));
    } catch {
      return "unknown";
    }
    return this.verify === null ? "unsupported" : "known";
  }

  /** @param {Sealed[]} page newest first @param {boolean} last nothing comes after it @returns {Promise<Taken>} */
  async take(page, last) {
    /** @type {Taken} */
    const found = { entries: [], faults: [], missing: [], closed: [], aside: 0, signatures: 0 };
    const places = await Promise.all(
      page.map(async (one) => {
        const prev = unb64(one.prev, 32);
        return { one, prev, hash: await hashOf(this.book, one.seq, prev, unb64(one.commitment, 32)) };
      }),
    );
    const chained = [];
    for (const place of places) {
      if (place.one.seq === this.next.seq && same(place.hash, this.next.hash)) {
        this.next = { seq: place.one.seq - 1, hash: place.prev };
        chained.push(place);
      } else {
        found.aside += 1;
      }
    }
    if (this.next.seq >= 0 && (last || chained.length === 0)) {
      found.faults.push({ seq: this.next.seq, words: "it is not what the entry after it was chained to, or it is not there" });
    } else if (this.next.seq < 0 && this.next.hash.some((one) => one !== 0)) {
      found.faults.push({ seq: 0, words: "the book does not begin with it" });
    }
    const opened = await Promise.all(chained.map((place) => this._take(place.one, place.hash, found)));
    found.entries = opened.filter((one) => one !== null);
    return found;
  }

  /** @param {Sealed} one @param {Bytes} hash @param {Taken} found @returns {Promise<Opened | null>} */
  async _take(one, hash, found) {
    // An entry that opens is proved by the key that sealed it, and its place by the chain; so the signature of the newest is enough. What comes
    // without its envelope is proved by its signature alone.
    if (this.atHead || one.envelope === null) {
      this.atHead = false;
      await this._signature(one, hash, found);
    }
    if (one.envelope === null) {
      found.missing.push({ seq: one.seq, reason: one.missing ?? "unknown" });
      return null;
    }
    try {
      return await this._opened(one, one.envelope);
    } catch (error) {
      if (error instanceof Rejected && error.reason === "unknown_key") {
        found.closed.push(one.seq);
      } else {
        found.faults.push({ seq: one.seq, words: error instanceof Rejected ? WORDS[error.reason] ?? error.reason : "it cannot be read" });
      }
      return null;
    }
  }

  /** @param {Sealed} one @param {import("./sealing.js").Envelope} envelope @returns {Promise<Opened>} */
  async _opened(one, envelope) {
    if (envelope.kid.slice(envelope.kid.indexOf(".") + 1) !== this.terminal) throw new Rejected("foreign");
    const plain = await this.opener.open(envelope, "entry", `${this.terminal}:${this.book}:${one.seq}`);
    const value = JSON.parse(plain);
    if (canonical(value) !== plain || value.seq !== one.seq) throw new Rejected("bad_content");
    const commitment = await commitmentOf(unb64(value.salt), value.content);
    if (!same(commitment, unb64(one.commitment, 32))) throw new Rejected("commitment");
    if (value.note !== null && (await noteDigest(unb64(value.note_salt), value.note)) !== value.content.note) throw new Rejected("note");
    return { seq: one.seq, content: value.content, note: value.note };
  }

  /** @param {Sealed} one @param {Bytes} hash @param {Taken} found */
  async _signature(one, hash, found) {
    if (this.verify === undefined || this.verify === null) return;
    const message = await entrySigned(this.opener.keys.organisation, this.terminal, hash, one.envelope);
    if (await this.verify(one.signature, message)) found.signatures += 1;
    else found.faults.push({ seq: one.seq, words: "it is not signed by the terminal" });
  }
}

/** @type {Record<string, string>} */
const WORDS = {
  other_version: "its envelope is of another version",
  tampered: "its envelope was changed, or is another entry's",
  bad_padding: "its envelope opens and is not padded as it should be",
  malformed: "its envelope is torn",
  foreign: "another terminal sealed it",
  bad_content: "its envelope opens and holds something else",
  commitment: "what it holds is not what was chained",
  note: "its words are not those that were signed",
};
