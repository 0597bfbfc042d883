// What the display shows, as it follows from what has been said. Nothing here touches the page.

/** @import { Health, Hello, Message, PictureInfo, SessionEvent } from "./messages.js" */

/**
 * @typedef {{kind: "starting"} | {kind: "idle"} | {kind: "guide", key: string, number: number, of: number, until: number}
 *   | {kind: "greeting", punch: SessionEvent} | {kind: "refusal", reason: string} | {kind: "trouble", part: string}} View
 */

/** @typedef {{icon: string, key: string, count?: number}} Mark */

const LEAST_MS = 2000; // a greeting is read before the next person is guided
const SILENT_MS = 5000; // the terminal says something each second
const FACE_MS = 1500; // the mirror stays for so long after the last face

// Parts without which nobody can be recorded by their face, the worst first
const NEEDED = ["store", "vision", "camera"];
/** @type {Record<string, Mark>} */
const MARKS = {
  "sync degraded": { icon: "offline", key: "offline" },
  "sync failed": { icon: "offline", key: "offline" },
  "clock degraded": { icon: "late", key: "clock_unsure" },
  "store degraded": { icon: "trouble", key: "store_low" },
  "door failed": { icon: "trouble", key: "door_failed" },
  "door degraded": { icon: "trouble", key: "door_degraded" },
  "entry failed": { icon: "trouble", key: "entry_failed" },
};
/** @type {Record<string, string>} */
const STEPS = { blink_twice: "blink_twice", turn_left: "turn_left", turn_right: "turn_right", come_closer: "come_closer" };

export class State {
  constructor() {
    /** @type {Hello | null} */
    this.hello = null;
    /** @type {Health | null} */
    this.health = null;
    this.linked = false;
    this.seen = 0; // number of the newest event: one that comes just when the line is opened is told twice
    this.heardAt = -Infinity;
    this.clockOffset = 0; // of the terminal's clock from the browser's, ms
    /** @type {{key: string, number: number, of: number, until: number} | null} */
    this.guide = null;
    /** @type {{view: View, from: number, until: number} | null} */
    this.decided = null;
    /** @type {{punch: SessionEvent, until: number} | null} */
    this.last = null; // the punch that may be disowned
    this.faceAt = -Infinity;
    this.closer = false;
  }

  /**
   * @param {Message} message
   * @param {number} now milliseconds that never go back
   */
  take(message, now) {
    if (message.kind === "hello") {
      this.hello = message;
      this.health = message.health ?? this.health;
      this.heardAt = now;
      this.#setClock(message.utc);
      this.guide = null;
      this.seen = Math.max(0, ...message.recent.map((event) => event.n));
      for (const event of message.recent) this.#event(event, now - (event.age_s ?? 0) * 1000);
    } else if (message.kind === "health") {
      this.health = message;
      this.heardAt = now;
      this.#setClock(message.utc);
    } else if (message.kind === "event") {
      this.heardAt = now;
      if (message.n > this.seen) this.#event(message, now);
    }
  }

  /**
   * @param {PictureInfo} info
   * @param {number} now
   */
  see(info, now) {
    if (info.box) this.faceAt = now;
    this.closer = info.hint === "closer";
  }

  /** @param {boolean} linked */
  link(linked) {
    this.linked = linked;
    if (!linked) this.guide = null;
  }

  /** @param {number} seq of the punch that was disowned */
  disowned(seq) {
    if (this.last?.punch.seq === seq) this.last = null;
    if (this.decided?.view.kind === "greeting" && this.decided.view.punch.seq === seq) this.decided = null;
  }

  /**
   * @param {number} now
   * @returns {View}
   */
  view(now) {
    const decided = this.decided;
    const shown = decided && now < decided.until ? decided : null;
    if (shown && (this.guide === null || now < shown.from + LEAST_MS)) return shown.view;
    const trouble = this.#trouble(now);
    if (trouble) return { kind: "trouble", part: trouble };
    if (this.hello === null || this.health === null) return { kind: "starting" };
    if (this.guide !== null) return { kind: "guide", ...this.guide };
    if (this.closer && now - this.faceAt < FACE_MS) return { kind: "guide", key: "come_closer", number: 0, of: 0, until: 0 };
    return { kind: "idle" };
  }

  /**
   * @param {number} now
   * @returns {SessionEvent | null} the punch that may be disowned still
   */
  disownable(now) {
    return this.last && now < this.last.until ? this.last.punch : null;
  }

  /** @returns {Mark[]} */
  marks() {
    /** @type {Mark[]} */
    const found = [];
    for (const [name, state] of this.health?.parts ?? []) {
      const mark = MARKS[`${name} ${state}`];
      if (mark) found.push(mark.key === "offline" ? { ...mark, count: this.health?.pending ?? 0 } : mark);
    }
    return found;
  }

  /** Whether PINs and badges work. */
  get entry() {
    const part = this.health?.parts.find(([name]) => name === "entry");
    return Boolean(this.hello?.entry) && part?.[1] === "ok";
  }

  /** @param {string} utc */
  #setClock(utc) {
    this.clockOffset = Date.parse(utc) - Date.now();
  }

  /** @param {number} now */
  #trouble(now) {
    if (!this.linked) return this.hello === null ? null : "link";
    if (this.hello !== null && now - this.heardAt > SILENT_MS) return "silent";
    const failed = (this.health?.parts ?? []).filter(([, state]) => state === "failed").map(([name]) => name);
    return NEEDED.find((name) => failed.includes(name)) ?? null;
  }

  /**
   * @param {SessionEvent} event
   * @param {number} at
   */
  #event(event, at) {
    const hello = this.hello;
    if (hello === null) return;
    const ask = (/** @type {string} */ key) => {
      this.guide = { key, number: 0, of: 0, until: 0 };
    };
    if (event.event === "session_started") ask("look_here");
    else if (event.event === "identified") {
      if (this.guide?.key === "look_here") ask("blink");
    } else if (event.event === "liveness" && event.live) ask("hold_still");
    else if (event.event === "challenge") {
      const key = STEPS[event.step ?? ""] ?? "look_here";
      this.guide = { key, number: event.number ?? 0, of: event.of ?? 0, until: at + (event.seconds ?? 0) * 1000 };
    } else if (event.event === "punch") {
      this.#decide({ kind: "greeting", punch: event }, at, hello.greeting_s);
      this.last = { punch: event, until: at + hello.disown_s * 1000 };
      if (event.session !== 0) this.guide = null;
    } else if (event.event === "refused") {
      this.#decide({ kind: "refusal", reason: event.reason ?? "" }, at, hello.greeting_s);
      if (event.session !== 0) this.guide = null;
    } else if (event.event === "registration") {
      if (event.on === false) this.guide = null;
      else ask(event.step ?? "registering");
    } else if (event.event === "session_ended") this.guide = null;
  }

  /**
   * @param {View} view
   * @param {number} at
   * @param {number} seconds
   */
  #decide(view, at, seconds) {
    this.decided = { view, from: at, until: at + seconds * 1000 };
  }
}
