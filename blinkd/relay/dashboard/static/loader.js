// Brings the books from the relay, newest entries first and all terminals abreast, so that the last days are complete early.

import { unb64, hex } from "./bytes.js";
import { Book } from "./ledger.js";

/** Requests under way at once. */
const ABREAST = 3;
const PAGE = 500;
/** Entries of all terminals together that the first look is made of. */
const FIRST_LOOK = 3000;
const LEAST_PAGE = 40;

/**
 * One book at the relay. known: whether its first entry names the key that signs it.
 * @typedef {{terminal: string, book: Book, state: string, detail: string, stored: number, head: {seq: number, hash: string} | null, begun: string,
 *   cursor: string | null, asked: boolean, done: boolean, loaded: number, faults: {seq: number, words: string}[],
 *   missing: {seq: number, reason: string}[], closed: number[], aside: number, signatures: number, key: "known" | "unknown" | "unsupported"}} Chain
 */

export class Loader {
  /** @param {import("./relay.js").Relay} relay @param {import("./opening.js").Opening} opening @param {() => void} changed called after each page */
  constructor(relay, opening, changed) {
    this._relay = relay;
    this._opening = opening;
    this._changed = changed;
    /** @type {import("./relay.js").Terminal[]} */ this.terminals = [];
    /** @type {Chain[]} */ this.chains = [];
    /** @type {Map<number, import("./people.js").Person>} by subject */ this.people = new Map();
    this.peopleDone = false;
    /** The registry's version up to which people are here. */
    this._known = 0;
    this.peopleFaults = { unsigned: 0, closed: 0, faults: 0 };
    /** From when on entries are wanted, in microseconds. */
    this.wanted = Infinity;
    /** Whether pages are being loaded. */
    this.busy = false;
    /** @type {Promise<void> | null} */ this._work = null;
  }

  /** Entries that are there and those that are loaded. */
  get progress() {
    const all = this.chains.reduce((sum, one) => sum + (one.head === null ? 0 : one.head.seq + 1), 0);
    return { all, loaded: this.chains.reduce((sum, one) => sum + one.loaded, 0) };
  }

  /** From when on everything of these terminals is loaded; null: not even the newest; -Infinity: all of it. @param {Set<string>} terminals */
  since(terminals) {
    let since = -Infinity;
    for (const one of this.chains) {
      if (one.done || !terminals.has(one.terminal)) continue;
      if (one.loaded === 0) return null;
      since = Math.max(since, one.book.oldest ?? Infinity);
    }
    return since;
  }

  /** Everything that is loaded of these terminals, as it stands. @param {Set<string>} terminals */
  punches(terminals) {
    return this.chains.filter((one) => terminals.has(one.terminal)).flatMap((one) => one.book.standing());
  }

  /** Which books there are, and their keys. */
  async begin() {
    this.terminals = (await this._relay.books()).terminals;
    // each book once, however often the relay names it: twice it would count double
    const books = new Map(this.terminals.flatMap((one) => (one.book === null ? [] : [[one.book.id, chainOf(one.terminal, one.book)]])));
    this.chains = [...books.values()];
    const firsts = new Map(this.terminals.map(({ book }) => [book?.id, book?.first ?? null]));
    await Promise.all(
      this.chains.map(async (one) => {
        if (one.head === null) {
          one.done = true;
          return;
        }
        one.key = await this._opening.begin(one.book.id, one.terminal, one.book.id, one.head, firsts.get(one.book.id) ?? null);
      }),
    );
  }

  /** Whether everything that is wanted is here. */
  get complete() {
    return this.chains.every((one) => one.done || (one.book.oldest ?? Infinity) <= this.wanted);
  }

  /** Load until everything since a time is here; may be called again meanwhile, with an earlier one. @param {number} wanted */
  async load(wanted) {
    this.wanted = Math.min(this.wanted, wanted);
    while (!this.complete) {
      this._work ??= this._run();
      await this._work;
    }
  }

  async _run() {
    this.busy = true;
    try {
      await Promise.all(Array.from({ length: ABREAST }, () => this._runner()));
    } finally {
      this.busy = false;
      this._work = null;
      this._changed();
    }
  }

  async _runner() {
    for (let chain = this._latest(); chain !== null; chain = this._latest()) {
      chain.asked = true;
      try {
        await this._page(chain);
      } finally {
        chain.asked = false;
      }
      this._changed();
    }
  }

  /** The book that is behind the others, if anything of it is wanted: one of which nothing is here yet, else the one that reaches back least. */
  _latest() {
    let found = null;
    for (const one of this.chains) {
      const oldest = one.book.oldest ?? Infinity;
      if (one.done || one.asked || oldest <= this.wanted) continue;
      if (found === null || oldest > (found.book.oldest ?? Infinity)) found = one;
    }
    return found;
  }

  /** @param {Chain} chain */
  async _page(chain) {
    const first = Math.max(LEAST_PAGE, Math.min(PAGE, Math.floor(FIRST_LOOK / this.chains.length)));
    const limit = chain.loaded === 0 ? first : PAGE;
    const buffer = await this._relay.entries(chain.terminal, chain.book.id, chain.cursor, limit);
    const taken = await this._opening.entries(chain.book.id, buffer);
    noted(chain, taken);
    chain.book.add(taken.entries);
    chain.cursor = taken.cursor;
    chain.done = taken.cursor === null || taken.faults.some((one) => one.seq === taken.next.seq);
  }

  /** What has come since. A chain that does not continue the one that was shown is a fault: the relay has gone back, or somebody forked it. */
  async refresh() {
    const fresh = (await this._relay.books()).terminals;
    const same = JSON.stringify(fresh) === JSON.stringify(this.terminals);
    this.terminals = fresh;
    await this.loadPeople();
    if (same) return;
    for (const { terminal, book } of fresh) {
      if (book === null || book.head === null) continue;
      const chain = this.chains.find((one) => one.book.id === book.id);
      if (chain === undefined) {
        const added = chainOf(terminal, book);
        added.key = await this._opening.begin(book.id, terminal, book.id, book.head, book.first);
        this.chains.push(added);
      } else {
        [chain.state, chain.detail, chain.stored] = [book.state, book.detail, book.stored];
        if (chain.head !== null && chain.head.hash !== book.head.hash) await this._continue(chain, chain.head, book.head);
      }
    }
    this._changed();
  }

  /** @param {Chain} chain @param {{seq: number, hash: string}} known @param {{seq: number, hash: string}} head */
  async _continue(chain, known, head) {
    if (head.seq <= known.seq) {
      chain.faults.push({ seq: head.seq, words: "the relay shows an earlier or another end of the chain than before" });
      return;
    }
    const walk = `${chain.book.id} ${head.seq}`;
    const first = this.terminals.find((one) => one.book?.id === chain.book.id)?.book?.first ?? null;
    await this._opening.begin(walk, chain.terminal, chain.book.id, head, first);
    /** @type {string | null} */ let cursor = null;
    const entries = [];
    for (let next = head.seq; next > known.seq; ) {
      const buffer = await this._relay.entries(chain.terminal, chain.book.id, cursor, Math.min(PAGE, next - known.seq));
      const taken = await this._opening.entries(walk, buffer);
      noted(chain, taken);
      entries.push(...taken.entries);
      cursor = taken.cursor;
      if (taken.next.seq === known.seq && hex(taken.next.hash) !== hex(unb64(known.hash))) {
        chain.faults.push({ seq: known.seq, words: "the chain does not continue the one that was shown before" });
        return;
      }
      if (taken.next.seq >= next || cursor === null) break;
      next = taken.next.seq;
    }
    await this._opening.end(walk);
    chain.book.add(entries);
    chain.head = head;
  }

  /** Everybody who has changed since the last time, page by page. */
  async loadPeople() {
    for (let more = true; more; ) {
      const known = await this._opening.people(await this._relay.people(this._known ? String(this._known) : null));
      // a relay that goes round in circles is not followed
      more = known.cursor !== null && known.upto > this._known;
      if (known.cursor !== null && !more) this.peopleFaults.faults += 1;
      this._known = Math.max(this._known, known.upto);
      const gone = new Set(known.gone);
      for (const [subject, one] of this.people) if (gone.has(one.record)) this.people.delete(subject);
      for (const one of known.people) this.people.set(one.subject, one);
      this.peopleFaults.unsigned += known.unsigned;
      this.peopleFaults.closed += known.closed;
      this.peopleFaults.faults += known.faults;
      if (known.upto) this._changed();
    }
    this.peopleDone = true;
  }
}

/** @param {string} terminal @param {import("./relay.js").BookState} book @returns {Chain} */
function chainOf(terminal, book) {
  const { state, detail, stored, head, begun_on: begun } = book;
  return {
    ...{ terminal, book: new Book(terminal, book.id), state, detail, stored, head, begun, cursor: null, asked: false, done: false, loaded: 0 },
    ...{ faults: [], missing: [], closed: [], aside: 0, signatures: 0, key: "unknown" },
  };
}

/** @param {Chain} chain @param {import("./walk.js").Taken} taken */
function noted(chain, taken) {
  chain.loaded += taken.entries.length + taken.missing.length + taken.closed.length + taken.faults.length;
  chain.faults.push(...taken.faults);
  chain.missing.push(...taken.missing);
  chain.closed.push(...taken.closed);
  chain.aside += taken.aside;
  chain.signatures += taken.signatures;
}
