// How punches stand once the later entries of their book are heeded: as blinkd/attendance/ledger.py reads them.

/** @typedef {import("./walk.js").Opened} Opened */
/** @typedef {{seq: number, what: string, us: number | null, status: string | null, by: string, at: number, why: string | null}} Correction */
/**
 * A punch as it stands. us: microseconds since 1970; recorded: what the terminal wrote, null where a supervisor added it; certainty: of the time;
 * state: valid, amended, added, disowned, voided; after, before: the nearest trusted times around one whose time is uncertain.
 * @typedef {{terminal: string, book: string, seq: number, id: string, subject: number, us: number, status: "CHECK_IN" | "CHECK_OUT",
 *   punctuality: string, minutes: number, shift: string | null, method: string, certainty: "certain" | "corrected" | "uncertain", state: string,
 *   counts: boolean, timed: boolean, waiting: boolean, recorded: {us: number, status: string} | null, trail: Correction[],
 *   after: number | null, before: number | null}} Punch
 */

const BUILT_US = Date.UTC(2026, 0, 1) * 1000; // no honest clock shows less: blinkd did not exist before
const IMPORTED = "import"; // in the place of the boot id

/** One terminal's book, as far as it is loaded. */
export class Book {
  /** @param {string} terminal @param {string} id */
  constructor(terminal, id) {
    this.terminal = terminal;
    this.id = id;
    /** @type {Opened[]} */ this._punches = [];
    /** @type {Opened[]} */ this._later = [];
    /** @type {Punch[] | null} */ this._standing = null;
    /** The newest trusted time, and its number. @type {{us: number, seq: number} | null} */
    this.reported = null;
    /** The oldest trusted time that is loaded. @type {number | null} */
    this.oldest = null;
    this.entries = 0;
  }

  /** @param {Opened[]} entries in any order */
  add(entries) {
    this._standing = null;
    this.entries += entries.length;
    for (const one of entries) {
      const { kind } = one.content;
      if (kind === "punch") this._punches.push(one);
      else if (kind === "clock" || kind === "correction" || kind === "disowned") this._later.push(one);
      const { us, trusted } = timeOf(one.content);
      if (!trusted) continue;
      this.oldest = Math.min(this.oldest ?? us, us);
      if (kind === "punch" && (this.reported === null || one.seq > this.reported.seq)) this.reported = { us, seq: one.seq };
    }
  }

  /** All that was recorded or added, each as it stands. */
  standing() {
    this._standing ??= this._count();
    return this._standing;
  }

  _count() {
    const ledger = new Ledger(this._later);
    const punches = this._punches.sort((one, other) => one.seq - other.seq).map((one) => this._punch(one, ledger));
    const trusted = this._punches.filter((one) => one.content.clock === "synced" && one.content.boot_id !== IMPORTED);
    let next = 0;
    for (const one of punches) {
      while (next < trusted.length && /** @type {Opened} */ (trusted[next]).seq <= one.seq) next += 1;
      if (one.certainty !== "uncertain") continue;
      one.after = trusted[next - 1]?.content.us ?? null;
      one.before = trusted[next]?.content.us ?? null;
    }
    for (const one of this._later) {
      if (one.content.what === "add") punches.push(this._added(one, ledger));
    }
    return punches;
  }

  /** @param {Opened} one @param {Ledger} ledger @returns {Punch} */
  _punch(one, ledger) {
    const said = one.content;
    const right = said.clock === "unsynced" ? ledger.corrected(said.boot_id, said.boot_us, one.seq) : null;
    const certainty = said.clock !== "unsynced" ? "certain" : right === null ? "uncertain" : "corrected";
    const recorded = { us: said.us, status: said.status };
    return this._stand({ ...said, method: said.method ?? "face" }, one.seq, recorded, right ?? said.us, certainty, ledger);
  }

  /** What a supervisor added; never judged by a shift at the door. @param {Opened} one @param {Ledger} ledger @returns {Punch} */
  _added(one, ledger) {
    const said = { ...one.content, punctuality: "ON_TIME", minutes: 0, shift: null, method: "" };
    return this._stand(said, one.seq, null, said.us, "certain", ledger);
  }

  /**
   * @param {any} said @param {number} seq @param {Punch["recorded"]} recorded @param {number} us @param {Punch["certainty"]} certainty
   * @param {Ledger} ledger @returns {Punch}
   */
  _stand(said, seq, recorded, us, certainty, ledger) {
    const trail = ledger.corrections.get(seq) ?? [];
    let state = ledger.disowned.has(seq) ? "disowned" : "valid";
    let status = said.status;
    let known = null;
    for (const one of trail) {
      if (one.what === "add") state = "added";
      else if (one.what === "void") state = "voided";
      else if (one.what === "uphold") {
        // as it was recorded, whatever was said in between
        state = trail[0]?.what === "add" ? "added" : "valid";
        status = said.status;
        known = null;
      } else if (one.what === "amend") {
        state = "amended";
        status = one.status ?? status;
        known = one.us ?? known;
      }
    }
    if (known !== null) [us, certainty] = [known, "certain"];
    const plausible = certainty !== "uncertain" || us >= BUILT_US;
    return {
      ...{ terminal: this.terminal, book: this.id, seq, id: said.id, subject: said.subject, us, status },
      ...{ punctuality: said.punctuality, minutes: said.minutes, shift: said.shift, method: said.method, certainty, state, recorded, trail },
      counts: state !== "voided" && plausible,
      timed: known !== null,
      waiting: state === "disowned",
      after: null,
      before: null,
    };
  }
}

/** The later entries, by what they are about. */
class Ledger {
  /** @param {Opened[]} later */
  constructor(later) {
    /** @type {Map<number, Correction[]>} */ this.corrections = new Map();
    /** @type {Set<number>} */ this.disowned = new Set();
    /** @type {Map<string, {seq: number, boot: number, us: number}[]>} */ this.clocks = new Map();
    for (const { seq, content, note } of later.sort((one, other) => one.seq - other.seq)) {
      if (content.kind === "clock") {
        put(this.clocks, content.boot_id, { seq, boot: content.boot_us, us: content.us });
      } else if (content.kind === "disowned") {
        this.disowned.add(content.target);
      } else {
        const { what, by } = content;
        // one that was added is spoken of by its own number
        const about = what === "add" ? seq : content.target;
        put(this.corrections, about, { seq, what, us: content.us ?? null, status: content.status ?? null, by, at: content.at.us, why: note });
      }
    }
  }

  /**
   * The time of an entry with an untrusted clock: by the first moment after it in the same boot when both clocks were known, else the last before.
   * @param {string} boot @param {number} bootUs @param {number} seq
   */
  corrected(boot, bootUs, seq) {
    const marks = this.clocks.get(boot);
    const mark = marks?.find((one) => one.seq >= seq) ?? marks?.at(-1);
    return mark === undefined ? null : mark.us - (mark.boot - bootUs);
  }
}

/** @template K, V @param {Map<K, V[]>} lists @param {K} key @param {V} value */
function put(lists, key, value) {
  const list = lists.get(key);
  if (list === undefined) lists.set(key, [value]);
  else list.push(value);
}

/** When an entry was written, by its own clock. @param {any} content */
function timeOf(content) {
  if (content.kind === "punch") {
    return { us: content.us, trusted: content.clock !== "unsynced" && content.boot_id !== IMPORTED };
  }
  return { us: content.at?.us ?? 0, trusted: content.at !== undefined && content.at.clock !== "unsynced" };
}
