// The page: opens, shows, and forgets.

import { Board } from "./board.js";
import { download, table } from "./csv.js";
import { DAY_US, Zone, dateOf, isoDate, periodOf } from "./days.js";
import { make, part } from "./dom.js";
import { KeyringRefused, WrongPassword, openKeyring } from "./keys.js";
import { Loader } from "./loader.js";
import { Opening } from "./opening.js";
import { Refused, Relay } from "./relay.js";

const IDLE_MS = 10 * 60_000; // without a touch or key, then everything is forgotten
const REFRESH_MS = 60_000;
const DRAW_MS = 1000; // between drawings while pages come in
const LOOK_BACK_DAYS = 62; // loaded without being asked: this month and the one before

/** @typedef {{relay: Relay, opening: Opening, loader: Loader, board: Board}} Session */
/** @type {Session | null} */ let session = null;
/** @type {ReturnType<typeof setTimeout> | undefined} */ let idle;
/** @type {ReturnType<typeof setTimeout> | undefined} */ let drawing;
let touched = 0;
let looked = false; // whether the first figures are shown
/** Terminals that can be chosen. @type {Set<string>} */ const known = new Set();
/** Why not everything could be loaded. @type {Map<string, string>} */ const troubles = new Map();

const now = () => Date.now() * 1000;
const say = (/** @type {string} */ words) => (part("status", HTMLElement).textContent = words);

/** @param {string} words @param {boolean} [bad] */
function notice(words, bad = true) {
  const place = part("door-notice", HTMLElement);
  place.textContent = words;
  place.classList.toggle("bad", bad);
  place.hidden = false;
}

/** @param {SubmitEvent} event */
async function enter(event) {
  event.preventDefault();
  performance.mark("unlock");
  const [token, password, button] = [part("token", HTMLInputElement), part("password", HTMLInputElement), part("enter", HTMLButtonElement)];
  button.disabled = true;
  part("door-notice", HTMLElement).hidden = true;
  say("Opening");
  const base = document.querySelector('meta[name="blinkd-relay"]')?.getAttribute("content") ?? "";
  const relay = new Relay(base, token.value.trim());
  /** @type {Opening | null} */ let opening = null;
  try {
    const { organisation, keyring } = await relay.keyring();
    const keys = await openKeyring(keyring.open, organisation, password.value);
    opening = new Opening();
    await opening.keys(keys);
    token.value = password.value = "";
    await begin(relay, opening, organisation);
  } catch (error) {
    relay.close();
    opening?.close();
    session = null;
    part("board", HTMLElement).hidden = part("session", HTMLElement).hidden = true;
    part("door", HTMLElement).hidden = false;
    password.value = "";
    notice(explained(error));
    say("");
    (error instanceof WrongPassword ? password : token).focus();
  } finally {
    button.disabled = false;
  }
}

/** @param {unknown} error */
function explained(error) {
  if (error instanceof WrongPassword) return "The organisation password is not the right one.";
  if (error instanceof KeyringRefused) return `The relay's copy of the keyring cannot be used: ${error.message}.`;
  if (error instanceof Refused) return error.status === 401 || error.status === 403 ? `The relay does not take this token: ${error.message}.` : error.message;
  return `It could not be opened: ${error instanceof Error ? error.message : String(error)}.`;
}

/** @param {Relay} relay @param {Opening} opening @param {string} organisation */
async function begin(relay, opening, organisation) {
  const loader = new Loader(relay, opening, draw);
  await loader.begin();
  const zone = new Zone(Intl.DateTimeFormat().resolvedOptions().timeZone);
  const terminals = new Set(loader.terminals.map((one) => one.terminal));
  const board = new Board(loader, { kind: "day", date: zone.date(now()), zone, terminals, search: "" }, now);
  session = { relay, opening, loader, board };
  part("organisation", HTMLElement).textContent = organisation;
  document.title = `Attendance of ${organisation}`;
  filled(board);
  part("door", HTMLElement).hidden = true;
  part("session", HTMLElement).hidden = part("board", HTMLElement).hidden = false;
  part("title", HTMLElement).focus();
  awake();
  watched("entries", load());
  watched("people", loader.loadPeople());
  setTimeout(refresh, REFRESH_MS);
}

/** Everything that the chosen period needs. */
async function load() {
  if (session === null) return;
  const { loader, board } = session;
  const { kind, date, zone } = board.choice;
  const first = Math.min(periodOf(kind, date).first, zone.date(now()) - LOOK_BACK_DAYS);
  const wanted = zone.begin(first) - 2 * DAY_US;
  if (wanted >= loader.wanted && loader.complete) return;
  await loader.load(wanted);
  if (session === null) return;
  performance.mark("loaded");
  drawn();
  say("Everything is loaded that the chosen days need.");
}

/**
 * What goes wrong while it loads is said, and what is there stays.
 * @param {"entries" | "people" | "news"} what @param {Promise<void>} work
 */
async function watched(what, work) {
  try {
    await work;
    if (troubles.delete(what) || what !== "news") draw();
  } catch (error) {
    troubles.set(what, ` Not everything could be loaded: ${explained(error)}`);
    say(troubles.get(what) ?? "");
    draw();
  }
}

async function refresh() {
  if (session === null) return;
  const { loader, board } = session;
  await watched("news", loader.refresh());
  for (const { terminal } of loader.terminals) if (!known.has(terminal)) appeared(board, terminal);
  if (loader.chains.some((one) => one.loaded === 0 && !one.done)) watched("entries", load());
  setTimeout(refresh, REFRESH_MS);
}

/** Soon, and seldom enough that the page stays quick while pages come in. */
function draw() {
  drawing ??= setTimeout(drawn, looked ? DRAW_MS : 0);
}

function drawn() {
  clearTimeout(drawing);
  drawing = undefined;
  if (session === null) return;
  const { loader, board } = session;
  const { all, loaded } = loader.progress;
  const people = loader.peopleDone || troubles.has("people") ? "" : ", people are being loaded";
  part("progress-words", HTMLElement).textContent = `${loaded.toLocaleString("en")} of ${all.toLocaleString("en")} entries opened${people}${[...troubles.values()].join("")}`;
  part("progress", HTMLProgressElement).value = all === 0 ? 1 : loaded / all;
  if (loader.since(board.choice.terminals) === null) return;
  board.show();
  if (!looked) {
    looked = true;
    performance.mark("first-chart");
    if (loader.busy) say("The newest days are shown; the others are being loaded.");
  }
}

/** The controls. @param {Board} board */
function filled(board) {
  const { choice, loader } = board;
  part("date", HTMLInputElement).value = isoDate(choice.date);
  const zones = new Set(["UTC", choice.zone.name, ...Intl.supportedValuesOf("timeZone")]);
  part("zone", HTMLSelectElement).replaceChildren(...[...zones].sort().map((one) => make("option", { value: one, selected: one === choice.zone.name }, one)));
  for (const terminal of [...choice.terminals].sort()) appeared(board, terminal);
  part("load-all", HTMLButtonElement).addEventListener("click", () => watched("entries", loader.load(-Infinity)));
}

/** A terminal to choose, chosen. @param {Board} board @param {string} terminal */
function appeared({ choice }, terminal) {
  known.add(terminal);
  choice.terminals.add(terminal);
  const count = () => (part("terminals-summary", HTMLElement).textContent = `Terminals: ${choice.terminals.size} of ${known.size}`);
  const box = make("input", { type: "checkbox", checked: true, value: terminal });
  box.addEventListener("change", () => {
    if (box.checked) choice.terminals.add(terminal);
    else choice.terminals.delete(terminal);
    count();
    changed();
  });
  part("terminals", HTMLFieldSetElement).append(make("label", {}, box, terminal));
  count();
}

/** Another choice. */
function changed() {
  if (session === null) return;
  session.board.rewind();
  session.board.show();
  say(session.board.summary());
  watched("entries", load());
}

/** @param {-1 | 1} direction */
function step(direction) {
  if (session === null) return;
  const { choice } = session.board;
  const { first, last } = periodOf(choice.kind, choice.date);
  choice.date = direction < 0 ? first - 1 : last + 1;
  part("date", HTMLInputElement).value = isoDate(choice.date);
  changed();
}

function listen() {
  part("choice", HTMLFormElement).addEventListener("submit", (event) => event.preventDefault());
  for (const button of document.querySelectorAll("button[data-kind]")) {
    button.addEventListener("click", () => {
      if (session === null || !(button instanceof HTMLElement)) return;
      session.board.choice.kind = /** @type {import("./days.js").Kind} */ (button.dataset.kind);
      for (const other of document.querySelectorAll("button[data-kind]")) other.setAttribute("aria-pressed", String(other === button));
      changed();
    });
  }
  part("earlier", HTMLButtonElement).addEventListener("click", () => step(-1));
  part("later", HTMLButtonElement).addEventListener("click", () => step(1));
  const date = part("date", HTMLInputElement);
  date.addEventListener("change", () => {
    const chosen = dateOf(date.value);
    if (session === null || chosen === null) return;
    session.board.choice.date = chosen;
    changed();
  });
  const zone = part("zone", HTMLSelectElement);
  zone.addEventListener("change", () => {
    if (session === null) return;
    session.board.choice.zone = new Zone(zone.value);
    changed();
  });
  const search = part("search", HTMLInputElement);
  search.addEventListener("input", () => {
    if (session === null) return;
    session.board.choice.search = search.value;
    session.board.rewind();
    draw();
  });
  part("csv-attendance", HTMLButtonElement).addEventListener("click", attendanceFile);
  part("csv-punches", HTMLButtonElement).addEventListener("click", punchesFile);
  part("leave", HTMLButtonElement).addEventListener("click", () => forget("out"));
  matchMedia("(prefers-color-scheme: dark)").addEventListener("change", () => session?.board.renew());
}

function attendanceFile() {
  if (!session?.board.shown) return;
  const { board } = session;
  const { shown, counted } = /** @type {import("./board.js").Shown} */ (board.shown);
  const { zone, kind } = board.choice;
  const final = new Map(counted.days.map((one) => [one.date, one.why.length === 0 ? 1 : 0]));
  const time = (/** @type {import("./ledger.js").Punch | null} */ one) => (one === null ? null : zone.iso(one.us));
  const titles = ["person_id", "name", "date", "first_in", "last_out", "late_min", "punches", "final", "remarks"];
  const rows = shown.map((one) => [
    ...[board.id(one.subject), board.name(one.subject), isoDate(one.date), time(one.firstIn), time(one.lastOut), one.late],
    ...[one.punches.length, final.get(one.date) ?? 0, one.marks.join("; ")],
  ]);
  download(`attendance-${kind}-${isoDate(counted.first)}.csv`, table(titles, rows));
}

function punchesFile() {
  if (!session?.board.shown) return;
  const { board } = session;
  const { shown, counted } = /** @type {import("./board.js").Shown} */ (board.shown);
  const { zone, kind } = board.choice;
  const titles = ["person_id", "name", "timestamp", "status", "terminal", "entry", "state", "certainty", "recorded", "corrections"];
  const rows = shown.flatMap((attendance) =>
    attendance.punches.map((one) => [
      ...[board.id(one.subject), board.name(one.subject), zone.iso(one.us), one.status, one.terminal, one.seq, one.state, one.certainty],
      ...[one.recorded === null ? null : zone.iso(one.recorded.us), one.trail.map((step) => `${step.what} by ${step.by}: ${step.why ?? ""}`).join("; ")],
    ]),
  );
  download(`punches-${kind}-${isoDate(counted.first)}.csv`, table(titles, rows));
}

/** Somebody is here. */
function awake() {
  touched = Date.now();
  clearTimeout(idle);
  if (session !== null) idle = setTimeout(() => forget("idle"), IDLE_MS);
}

/** The worker with its keys ends, and a new page takes this one's place, so that nothing of it stays. @param {"out" | "idle"} why */
function forget(why) {
  session?.relay.close();
  session?.opening.close();
  session = null;
  document.body.replaceChildren();
  location.replace(`./?${why}`);
}

function start() {
  part("door", HTMLElement).hidden = false;
  if (globalThis.crypto?.subtle === undefined) {
    notice(
      "This browser gives pages that come over plain http no cryptography, so nothing can be opened here. Open this page over https " +
        "(the relay's http_certificate and http_key, or a proxy with TLS), or on the relay's own machine at http://127.0.0.1.",
    );
    part("login", HTMLFormElement).hidden = true;
    return;
  }
  if (location.search === "?idle") notice(`Nobody was here for ${IDLE_MS / 60_000} minutes, so everything was forgotten.`, false);
  if (location.search === "?out") notice("You are logged out; password and keys are forgotten.", false);
  part("login", HTMLFormElement).addEventListener("submit", enter);
  listen();
  for (const kind of ["pointerdown", "keydown", "wheel", "touchstart"]) addEventListener(kind, awake, { passive: true });
  document.addEventListener("visibilitychange", () => {
    if (session !== null && Date.now() - touched >= IDLE_MS) forget("idle"); // timers sleep with the machine
  });
  part("token", HTMLInputElement).focus();
}

start();
