// Dates of a time zone. A date is counted in days since 1970, so that two of them are compared and subtracted as numbers.

export const DAY_MS = 86_400_000;
export const DAY_US = DAY_MS * 1000;
const QUARTER_MS = 900_000; // clocks change by quarters of an hour at the finest

export class Zone {
  /** Throws RangeError for a zone that the browser does not know. @param {string} name */
  constructor(name) {
    this.name = name;
    this._parts = new Intl.DateTimeFormat("en-US", {
      ...{ timeZone: name, hourCycle: "h23", year: "numeric", month: "2-digit", day: "2-digit" },
      ...{ hour: "2-digit", minute: "2-digit", second: "2-digit" },
    });
    /** @type {Map<number, number>} */ this._offsets = new Map();
  }

  /** Local time as if it were UTC, in milliseconds. @param {number} us */
  local(us) {
    const ms = Math.floor(us / 1000);
    return ms + this._offset(ms);
  }

  /** @param {number} us */
  date(us) {
    return Math.floor(this.local(us) / DAY_MS);
  }

  /** @param {number} us */
  hour(us) {
    return Math.floor((this.local(us) % DAY_MS) / 3_600_000);
  }

  /** When a date begins, in microseconds. @param {number} date */
  begin(date) {
    const wall = date * DAY_MS;
    const guess = wall - this._offset(wall - this._offset(wall));
    // where midnight is skipped, the first moment of the date
    return (Math.floor((guess + this._offset(guess)) / DAY_MS) < date ? guess + 3_600_000 : guess) * 1000;
  }

  /** @param {number} ms */
  _offset(ms) {
    const quarter = Math.floor(ms / QUARTER_MS);
    let offset = this._offsets.get(quarter);
    if (offset === undefined) {
      const at = quarter * QUARTER_MS;
      const parts = Object.fromEntries(this._parts.formatToParts(at).map((one) => [one.type, Number(one.value)]));
      const { year = 0, month = 0, day = 0, hour = 0, minute = 0, second = 0 } = parts;
      offset = Date.UTC(year, month - 1, day, hour, minute, second) - at;
      this._offsets.set(quarter, offset);
    }
    return offset;
  }

  /** As in 08:59. @param {number} us */
  clock(us) {
    return new Date(this.local(us)).toISOString().slice(11, 16);
  }

  /** As in 2026-03-31T08:59:01+02:00. @param {number} us */
  iso(us) {
    const local = this.local(us);
    const minutes = (local - Math.floor(us / 1000)) / 60_000;
    const [sign, much] = [minutes < 0 ? "-" : "+", Math.abs(minutes)];
    const offset = `${sign}${two(Math.floor(much / 60))}:${two(much % 60)}`;
    return `${new Date(local).toISOString().slice(0, 19)}${offset}`;
  }
}

/** @param {number} value */
const two = (value) => String(value).padStart(2, "0");

/** As in 2026-03-31. @param {number} date */
export const isoDate = (date) => new Date(date * DAY_MS).toISOString().slice(0, 10);

/** null for what is no date. @param {string} text */
export function dateOf(text) {
  const ms = /^\d{4}-\d{2}-\d{2}$/.test(text) ? Date.parse(`${text}T00:00:00Z`) : NaN;
  return Number.isNaN(ms) ? null : ms / DAY_MS;
}

/** As in Mon 31 Mar. @param {number} date */
export const shortDate = (date) =>
  new Intl.DateTimeFormat("en-GB", { timeZone: "UTC", weekday: "short", day: "numeric", month: "short" }).format(date * DAY_MS);

/** @typedef {"day" | "week" | "month"} Kind */

/** First and last date of the period that a date lies in; weeks begin on Monday. @param {Kind} kind @param {number} date */
export function periodOf(kind, date) {
  if (kind === "day") return { first: date, last: date };
  if (kind === "week") {
    const first = date - ((((date + 3) % 7) + 7) % 7); // 1970 began on a Thursday
    return { first, last: first + 6 };
  }
  const day = new Date(date * DAY_MS);
  const [year, month] = [day.getUTCFullYear(), day.getUTCMonth()];
  return { first: Date.UTC(year, month, 1) / DAY_MS, last: Date.UTC(year, month + 1, 0) / DAY_MS };
}
