// The board: what of the loaded books is shown, and how it is shown.

import { Picture } from "./charts.js";
import { isoDate, periodOf, shortDate } from "./days.js";
import { badge, grid, make, part } from "./dom.js";
import { byPerson, count, inNow, pseudonym } from "./figures.js";
import { proof } from "./proof.js";

/** @typedef {import("./figures.js").Attendance} Attendance */
/** @typedef {import("./ledger.js").Punch} Punch */
/** @typedef {{kind: import("./days.js").Kind, date: number, zone: import("./days.js").Zone, terminals: Set<string>, search: string}} Choice */
/** What was counted last, for the files. @typedef {{counted: import("./figures.js").Counted, shown: Attendance[], punches: Punch[]}} Shown */

const ROWS = 100;

export class Board {
  /** @param {import("./loader.js").Loader} loader @param {Choice} choice @param {() => number} now microseconds since 1970 */
  constructor(loader, choice, now) {
    this.loader = loader;
    this.choice = choice;
    this._now = now;
    this._rows = ROWS;
    /** @type {Shown | null} */ this.shown = null;
    this._picture = new Picture(part("trend", HTMLCanvasElement));
  }

  /** In other colours. */
  renew() {
    this._picture.renew();
    this.show();
  }

  /** Begin at the top of the lists again. */
  rewind() {
    this._rows = ROWS;
  }

  /** @param {number} subject */
  name(subject) {
    return this.loader.people.get(subject)?.name ?? pseudonym(subject);
  }

  /** @param {number} subject */
  id(subject) {
    return this.loader.people.get(subject)?.id ?? pseudonym(subject);
  }

  /** @returns {import("./figures.js").Site} */
  _site() {
    const { choice, loader } = this;
    return { zone: choice.zone, now: this._now(), since: loader.since(choice.terminals), chains: chainsOf(loader, choice.terminals) };
  }

  /** Draw all of it; who reads in the middle of a table, or has the focus there, stays there. */
  show() {
    const regions = () => [...document.querySelectorAll('#board [role="region"]')];
    const nameOf = (/** @type {Element | null} */ one) => one?.getAttribute("aria-label") ?? "";
    const places = new Map(regions().map((one) => [nameOf(one), one.scrollTop]));
    const focused = document.activeElement?.getAttribute("role") === "region" ? nameOf(document.activeElement) : null;
    this._show();
    for (const one of regions()) {
      one.scrollTop = places.get(nameOf(one)) ?? 0;
      if (nameOf(one) === focused && one instanceof HTMLElement) one.focus({ preventScroll: true });
    }
  }

  _show() {
    const { choice, loader } = this;
    const site = this._site();
    const period = periodOf(choice.kind, choice.date);
    const punches = loader.punches(choice.terminals);
    const people = byPerson(punches);
    const counted = count(people, punches, period.first, period.last, site);
    const words = choice.search.trim().toLocaleLowerCase();
    const wanted = (/** @type {number} */ subject) =>
      words === "" || this.name(subject).toLocaleLowerCase().includes(words) || this.id(subject).toLocaleLowerCase() === words;
    const shown = counted.attendances.filter((one) => wanted(one.subject));
    this.shown = { counted, shown, punches };
    const named = period.first === period.last ? shortDate(period.first) : `${shortDate(period.first)} to ${shortDate(period.last)}`;
    part("title", HTMLElement).textContent = `${{ day: "Day", week: "Week", month: "Month" }[choice.kind]}: ${named} ${isoDate(period.last).slice(0, 4)}`;
    const present = inNow(people, site.now).filter((one) => wanted(one.subject));
    this._cards(counted, inNow(people, site.now).length);
    part("provisional", HTMLElement).replaceChildren(...provisional(counted));
    this._trend(counted);
    this._present(present);
    this._late(shown);
    this._attendance(shown);
    this._punches(shown);
    part("chains", HTMLElement).replaceChildren(this._chains());
    part("proof", HTMLElement).replaceChildren(...proof(loader));
  }

  /** What is shown, in a sentence for who does not see it. */
  summary() {
    const cards = [...document.querySelectorAll("#cards div")].map((one) => `${one.querySelector("dt")?.textContent}: ${one.querySelector("dd")?.textContent}`);
    return `${part("title", HTMLElement).textContent}. ${cards.join(", ")}.`;
  }

  /** @param {import("./figures.js").Counted} counted @param {number} present */
  _cards(counted, present) {
    const sum = (/** @type {"came" | "late" | "punches"} */ name) => counted.days.reduce((total, one) => total + one[name], 0);
    const people = new Set(counted.attendances.map((one) => one.subject)).size;
    /** @type {[string, string, number][]} */
    const cards = [["in", "In now", present], ["people", "People who came", people], ["late", "Late arrivals", sum("late")], ["punches", "Punches", sum("punches")]];
    if (this.choice.kind !== "day") cards.splice(2, 0, ["came", "Attendances", sum("came")]);
    part("cards", HTMLElement).replaceChildren(
      ...cards.map(([id, title, number]) => make("div", { "data-card": id }, make("dt", {}, title), make("dd", {}, String(number)))),
    );
  }

  /** @param {import("./figures.js").Counted} counted */
  _trend(counted) {
    const heading = part("trend-title", HTMLElement);
    const place = part("trend-table", HTMLElement);
    const [only] = counted.days;
    if (this.choice.kind === "day" && only !== undefined) {
      const title = "Punches by hour";
      heading.textContent = title;
      const busy = only.hours.flatMap((one, hour) => (one ? [hour] : []));
      const [from, to] = [Math.min(8, ...busy), Math.max(17, ...busy)]; // hours before and after are empty
      const values = only.hours.slice(from, to + 1);
      const labels = values.map((_, at) => `${String(from + at).padStart(2, "0")}:00`);
      this._picture.draw({ title, labels, bars: [{ label: "Punches", values, colour: "--bar-good" }] });
      place.replaceChildren(grid(title, ["Hour", "Punches"], values.map((one, at) => [labels[at] ?? "", String(one)]), [1]));
      return;
    }
    const title = "People who came, by day";
    heading.textContent = title;
    const labels = counted.days.map((one) => shortDate(one.date));
    const bars = [
      { label: "Not late", values: counted.days.map((one) => one.came - one.late), colour: "--bar-good" },
      { label: "Late", values: counted.days.map((one) => one.late), colour: "--bar-late" },
    ];
    this._picture.draw({ title, labels, bars });
    const rows = counted.days.map((one, at) => [
      ...[labels[at] ?? "", String(one.came - one.late), String(one.late), String(one.came), String(one.punches)],
      one.why.length ? badge("warn", "provisional") : badge("good", "final"),
    ]);
    place.replaceChildren(grid(title, ["Day", "Not late", "Late", "Came", "Punches", "State"], rows, [1, 2, 3, 4]));
  }

  /** @param {Punch[]} present */
  _present(present) {
    const rows = present.map((one) => [this.name(one.subject), this.choice.zone.clock(one.us), one.terminal, ...doubts(one)]);
    this._list("in-list", "Last punch is a check-in of the last 16 hours", ["Person", "Since", "Terminal", "Remarks"], rows, "Nobody is in.");
  }

  /** @param {Attendance[]} attendances */
  _late(attendances) {
    const late = attendances.filter((one) => one.late !== null).reverse();
    const rows = late.map((one) => [this.name(one.subject), shortDate(one.date), this._clock(one.firstIn, one.date), `${one.late} min`, one.firstIn?.shift ?? "", one.firstIn?.terminal ?? ""]);
    const titles = ["Person", "Day", "Came", "Late", "Shift", "Terminal"];
    this._list("late-list", "As the terminal judged at the door, the latest first", titles, rows, "Nobody came late.", [3]);
  }

  /** @param {Attendance[]} attendances */
  _attendance(attendances) {
    if (this.choice.kind === "day") {
      const rows = attendances.map((one) => [
        ...[this.name(one.subject), this.id(one.subject), this._clock(one.firstIn, one.date), this._clock(one.lastOut, one.date)],
        ...[one.late === null ? "" : `late ${one.late} min`, [...new Set(one.punches.map((punch) => punch.terminal))].join(", "), one.marks.join(", ")],
      ]);
      const titles = ["Person", "Id", "First in", "Last out", "Punctuality", "Terminals", "Remarks"];
      this._list("attendance-list", "One line for everybody who came", titles, rows, "Nobody came.");
      return;
    }
    const rows = sums(attendances).map((one) => [this.name(one.subject), this.id(one.subject), ...[one.days, one.late, one.lateMinutes, one.doubts].map(String)]);
    const titles = ["Person", "Id", "Days", "Late", "Minutes late", "To look at"];
    this._list("attendance-list", "Sums of everybody who came", titles, rows, "Nobody came.", [2, 3, 4, 5]);
  }

  /** Of one person, each as it was recorded and as it stands. @param {Attendance[]} attendances */
  _punches(attendances) {
    const [one] = attendances;
    const section = part("punches", HTMLElement);
    section.hidden = this.choice.search.trim() === "" || one === undefined || attendances.some((other) => other.subject !== one.subject);
    if (section.hidden || one === undefined) return;
    const period = periodOf(this.choice.kind, this.choice.date);
    const { zone } = this.choice;
    const all = (this.shown?.punches ?? []).filter((punch) => punch.subject === one.subject && zone.date(punch.us) >= period.first && zone.date(punch.us) <= period.last);
    const rows = all
      .sort((a, b) => a.us - b.us)
      .map((punch) => [
        ...[zone.iso(punch.us).slice(0, 19).replace("T", " "), punch.status === "CHECK_IN" ? "in" : "out", punch.terminal, String(punch.seq)],
        ...[make("span", {}, ...doubts(punch)), punch.recorded === null ? "added" : `${zone.iso(punch.recorded.us).slice(0, 19).replace("T", " ")} ${punch.recorded.status === "CHECK_IN" ? "in" : "out"}`],
        punch.trail.map((step) => `${step.what} by ${step.by}: ${step.why ?? "words erased"}`).join("; "),
      ]);
    const titles = ["Time", "What", "Terminal", "Entry", "Stands", "Recorded", "Corrections"];
    this._list("punches-list", this.name(one.subject), titles, rows, "No punches.", [3]);
  }

  _chains() {
    const rows = this.loader.terminals.map((one) => {
      const chain = this.loader.chains.find((other) => other.book.id === one.book?.id);
      const reported = chain?.book.reported;
      const state = chain === undefined ? badge("warn", "no entry yet") : stateOf(chain);
      return [
        ...[one.terminal, one.online ? "online" : `not online, seen ${one.seen_on}`, one.version ?? ""],
        ...[reported ? this.choice.zone.iso(reported.us).slice(0, 16).replace("T", " ") : "-", state],
        chain?.head ? make("code", {}, `${chain.head.seq}:${chain.head.hash === "" ? "" : heads(chain.head.hash)}`) : "-",
      ];
    });
    return grid("Each terminal's chain", ["Terminal", "Connection", "Version", "Newest punch", "Chain", "End of the chain"], rows);
  }

  /** @param {Punch | null} punch @param {number} date */
  _clock(punch, date) {
    if (punch === null) return "-";
    const { zone } = this.choice;
    const clock = zone.iso(punch.us).slice(11, 19);
    return zone.date(punch.us) === date ? clock : `${isoDate(zone.date(punch.us)).slice(5)} ${clock}`;
  }

  /**
   * @param {string} id @param {string} caption @param {string[]} titles @param {import("./dom.js").Cell[][]} rows @param {string} none
   * @param {number[]} [numeric]
   */
  _list(id, caption, titles, rows, none, numeric = []) {
    const place = part(id, HTMLElement);
    if (rows.length === 0) {
      place.replaceChildren(make("p", {}, none));
      return;
    }
    const some = rows.slice(0, this._rows);
    const children = [grid(some.length < rows.length ? `${caption}: ${some.length} of ${rows.length}` : caption, titles, some, numeric)];
    if (some.length < rows.length) {
      const more = make("button", { type: "button", class: "more" }, `Show ${Math.min(ROWS, rows.length - some.length)} more`);
      more.addEventListener("click", () => {
        this._rows += ROWS;
        this.show();
        document.getElementById(id)?.querySelector("button")?.focus();
      });
      children.push(make("div", {}, more));
    }
    place.replaceChildren(...children);
  }
}

/** @param {string} hash base64 */
const heads = (hash) => Array.from(atob(hash), (one) => one.charCodeAt(0).toString(16).padStart(2, "0")).join("");

/** How each terminal stands; one that was put up anew has several books. @param {import("./loader.js").Loader} loader @param {Set<string>} terminals @returns {import("./figures.js").Chain[]} */
function chainsOf(loader, terminals) {
  return [...terminals].sort().map((terminal) => {
    const own = loader.chains.filter((one) => one.terminal === terminal);
    const faulty = own.find((one) => one.faults.length);
    if (faulty) return { terminal, reported: null, state: "fault", detail: `at entry ${faulty.faults[0]?.seq}` };
    const bad = own.find((one) => one.state === "fork") ?? own.find((one) => one.state === "gap");
    const reports = own.map((one) => one.book.reported).filter((one) => one !== null);
    const reported = reports.reduce((/** @type {typeof reports[number] | null} */ best, one) => (best === null || one.us > best.us ? one : best), null);
    return { terminal, reported, state: bad?.state ?? "ok", detail: bad?.detail ?? "" };
  });
}

/** @param {import("./loader.js").Chain} chain */
function stateOf(chain) {
  if (chain.faults.length) return badge("bad", `fault at entry ${chain.faults[0]?.seq}: ${chain.faults[0]?.words}`);
  if (chain.state === "fork") return badge("bad", `fork: ${chain.detail}; ${chain.aside} entries of the other branch count nowhere`);
  if (chain.state === "gap") return badge("warn", `gap: ${chain.detail}`);
  return badge("good", chain.done ? "whole" : `whole as far as loaded (${chain.loaded} of ${(chain.head?.seq ?? -1) + 1})`);
}

/** @param {import("./figures.js").Counted} counted */
function provisional(counted) {
  /** @type {{first: number, last: number, why: string[]}[]} */
  const runs = [];
  for (const one of counted.days) {
    const before = runs.at(-1);
    if (one.why.length === 0) continue;
    if (before !== undefined && before.last === one.date - 1 && before.why.join() === one.why.join()) before.last = one.date;
    else runs.push({ first: one.date, last: one.date, why: one.why });
  }
  if (runs.length === 0) return [make("p", {}, badge("good", "final"), " Every terminal has reported past the end.")];
  const lines = runs.map((one) => {
    const days = one.first === one.last ? shortDate(one.first) : `${shortDate(one.first)} to ${shortDate(one.last)}`;
    return make("li", {}, `${days}: ${one.why.join("; ")}`);
  });
  return [make("p", {}, badge("warn", "provisional"), " These days may still change:"), make("ul", {}, ...lines)];
}

/** @param {Attendance[]} attendances */
function sums(attendances) {
  /** @type {Map<number, {subject: number, days: number, late: number, lateMinutes: number, doubts: number}>} */
  const found = new Map();
  for (const one of attendances) {
    const sum = found.get(one.subject) ?? { subject: one.subject, days: 0, late: 0, lateMinutes: 0, doubts: 0 };
    found.set(one.subject, sum);
    sum.days += 1;
    sum.late += one.late === null ? 0 : 1;
    sum.lateMinutes += one.late ?? 0;
    sum.doubts += one.marks.length;
  }
  return [...found.values()];
}

/** What to look at twice. @param {Punch} punch */
function doubts(punch) {
  const found = [];
  if (punch.certainty !== "certain") found.push(badge("warn", `time ${punch.certainty}`));
  if (punch.state !== "valid") found.push(badge(punch.state === "voided" ? "bad" : "warn", punch.state));
  return found.length ? [make("span", {}, ...found)] : [""];
}

