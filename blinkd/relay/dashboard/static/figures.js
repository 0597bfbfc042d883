// What days come to. Shifts are settings of the terminals and are not known here: who is late is what the terminal judged at the door.

import { DAY_US } from "./days.js";

/** @typedef {import("./ledger.js").Punch} Punch */
/** One person on one date. late: minutes, null where the first arrival was none; marks: what to look at twice. @typedef {{date: number, subject: number, firstIn: Punch | null, lastOut: Punch | null, late: number | null, punches: Punch[], marks: string[]}} Attendance */
/** @typedef {{date: number, came: number, late: number, punches: number, hours: number[], why: string[]}} Day */
/** @typedef {{first: number, last: number, days: Day[], attendances: Attendance[]}} Counted */
/** How a terminal stands: reported: its newest trusted time; state: of its chain. @typedef {{terminal: string, reported: {us: number, seq: number} | null, state: string, detail: string}} Chain */
/** since: from when on everything is loaded, null while nothing is; -Infinity: all of it. @typedef {{zone: import("./days.js").Zone, now: number, since: number | null, chains: Chain[]}} Site */

const LINGER_US = 16 * 3_600_000_000; // whoever came so long ago without leaving has forgotten to; no shift is longer
const BUILT_US = Date.UTC(2026, 0, 1) * 1000;
const LISTED = 10;

/** Counted punches of each person, by time. @param {Punch[]} punches @returns {Map<number, Punch[]>} */
export function byPerson(punches) {
  /** @type {Map<number, Punch[]>} */
  const found = new Map();
  for (const one of punches) {
    if (!one.counts) continue;
    const list = found.get(one.subject);
    if (list === undefined) found.set(one.subject, [one]);
    else list.push(one);
  }
  for (const list of found.values()) list.sort((one, other) => one.us - other.us || one.seq - other.seq);
  return found;
}

/** People whose last punch is a check-in of the last hours, the newest first. @param {Map<number, Punch[]>} people @param {number} now */
export function inNow(people, now) {
  /** @type {Punch[]} */
  const found = [];
  for (const list of people.values()) {
    const last = list.findLast((one) => one.us <= now);
    if (last !== undefined && last.status === "CHECK_IN" && now - last.us < LINGER_US) found.push(last);
  }
  return found.sort((one, other) => other.us - one.us);
}

/** @param {Map<number, Punch[]>} people @param {Punch[]} punches all of them @param {number} first @param {number} last @param {Site} site @returns {Counted} */
export function count(people, punches, first, last, site) {
  const { zone } = site;
  const [begin, end] = [zone.begin(first), zone.begin(last + 1)];
  /** @type {Attendance[]} */
  const attendances = [];
  for (const [subject, list] of people) {
    /** @type {Map<number, Punch[]>} */
    const dates = new Map();
    let before = null;
    for (const one of list) {
      if (one.us >= end + LINGER_US) break;
      if (one.us >= begin - LINGER_US) {
        const leaves = one.status === "CHECK_OUT" && before !== null && before.status === "CHECK_IN" && one.us - before.us < LINGER_US;
        const date = zone.date(leaves && before !== null ? before.us : one.us); // who leaves after midnight leaves the day before
        if (date >= first && date <= last) {
          const own = dates.get(date);
          if (own === undefined) dates.set(date, [one]);
          else own.push(one);
        }
      }
      before = one;
    }
    for (const [date, own] of dates) attendances.push(attendance(date, subject, own));
  }
  attendances.sort((one, other) => one.date - other.date || (one.punches[0]?.us ?? 0) - (other.punches[0]?.us ?? 0));
  /** @type {Day[]} */
  const days = [];
  for (let date = first; date <= last; date++) {
    days.push({ date, came: 0, late: 0, punches: 0, hours: Array.from({ length: 24 }, () => 0), why: why(date, punches, site) });
  }
  for (const one of attendances) {
    const day = /** @type {Day} */ (days[one.date - first]);
    day.came += 1;
    day.late += one.late === null ? 0 : 1;
    day.punches += one.punches.length;
    for (const punch of one.punches) day.hours[zone.hour(punch.us)] = (day.hours[zone.hour(punch.us)] ?? 0) + 1;
  }
  return { first, last, days, attendances };
}

/** @param {number} date @param {number} subject @param {Punch[]} punches @returns {Attendance} */
function attendance(date, subject, punches) {
  const firstIn = punches.find((one) => one.status === "CHECK_IN") ?? null;
  const lastOut = punches.findLast((one) => one.status === "CHECK_OUT") ?? null;
  // of a time that a supervisor gave, no terminal has judged whether it was late
  const late = firstIn !== null && firstIn.punctuality === "LATE" && !firstIn.timed ? firstIn.minutes : null;
  const marks = [];
  for (const [word, number] of /** @type {[string, number][]} */ ([
    ["uncertain", punches.filter((one) => one.certainty === "uncertain").length],
    ["time corrected", punches.filter((one) => one.certainty === "corrected").length],
    ["disowned", punches.filter((one) => one.state === "disowned").length],
    ["amended", punches.filter((one) => one.state === "amended" || one.state === "added").length],
  ])) {
    if (number) marks.push(`${number} ${word}`);
  }
  if (firstIn === null) marks.push("no check-in");
  if (lastOut === null) marks.push("no check-out");
  return { date, subject, firstIn, lastOut, late, punches, marks };
}

/** Every reason for which a day is provisional; none: nothing that is yet to come should change it. @param {number} date @param {Punch[]} punches @param {Site} site */
function why(date, punches, site) {
  const [begin, end] = [site.zone.begin(date), site.zone.begin(date + 1)];
  const reasons = [];
  if (site.now < end) reasons.push(site.now < begin ? "the day has not begun" : "the day is not over");
  if (site.since === null || site.since > begin - DAY_US) reasons.push("entries of it are still being loaded");
  for (const one of site.chains) {
    if (one.state === "fork") reasons.push(`${one.terminal}: its chain is forked: ${one.detail}`);
    if (one.reported === null) reasons.push(`${one.terminal}: has not reported yet`);
    else if (one.reported.us < end && site.now >= end) {
      const gap = one.state === "gap" ? `; ${one.detail}` : "";
      reasons.push(`${one.terminal}: has reported up to ${site.zone.iso(one.reported.us).slice(0, 16).replace("T", " ")}, entry ${one.reported.seq}${gap}`);
    }
  }
  const doubtful = punches.filter((one) => one.certainty === "uncertain" && one.state !== "voided" && mayBelong(one, begin, end, site.now));
  if (doubtful.length) reasons.push(`punches whose time is uncertain may belong to it: ${listed(doubtful)}`);
  const disowned = punches.filter((one) => one.waiting && one.us >= begin && one.us < end);
  if (disowned.length) reasons.push(`punches that were disowned wait for a supervisor: ${listed(disowned)}`);
  return reasons;
}

/** @param {Punch} one @param {number} begin @param {number} end @param {number} now */
function mayBelong(one, begin, end, now) {
  if (one.us >= begin && one.us < end) return true;
  return (one.after ?? BUILT_US) < end && (one.before ?? now) >= begin;
}

/** @param {Punch[]} punches */
function listed(punches) {
  const shown = punches.slice(0, LISTED).map((one) => `${one.terminal} ${one.seq}`).join(", ");
  return punches.length <= LISTED ? shown : `${shown} and ${punches.length - LISTED} more`;
}

/** A subject in words, where no person stands behind it any more. @param {number} subject */
export const pseudonym = (subject) => `p-${subject.toString(16).padStart(14, "0")}`;
