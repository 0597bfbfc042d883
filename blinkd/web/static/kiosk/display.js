// Puts a view on the page. All that comes from elsewhere is set as text.

/** @import { SessionEvent } from "./messages.js" */
/** @import { Mark, View } from "./state.js" */
/** @import { Texts } from "./texts.js" */

const ICONS = "/static/kiosk/icons.svg#";
const SIZES = [1, 0.9, 0.8, 0.72, 0.64, 0.56, 0.5, 0.44, 0.38]; // of the wanted size, tried in turn
const MOST_GUIDE = 0.42; // of the picture that an instruction may cover
const LONG = 18; // characters of a name that still fit at the largest size
const VERY_LONG = 40;
/** @type {Record<string, string>} */
const GUIDE_ICONS = {
  look_here: "look",
  blink: "blink",
  blink_twice: "blink",
  turn_left: "left",
  turn_right: "right",
  come_closer: "closer",
  hold_still: "still",
};
/** @type {Record<string, {icon: string, key: string}>} */
const PUNCTUALITY = {
  ON_TIME: { icon: "on-time", key: "on_time" },
  LATE: { icon: "late", key: "late" },
  EARLY_LEAVE: { icon: "early", key: "early_leave" },
  OVERTIME: { icon: "over", key: "overtime" },
};
export const MILD = new Set(["too_soon", "poor_quality", "uncertain"]); // another look is enough, or nothing is wrong

/**
 * @template {Element} T
 * @param {string} id
 * @param {new () => T} kind
 * @returns {T}
 */
export function element(id, kind) {
  const found = document.getElementById(id);
  if (!(found instanceof kind)) throw new Error(`the page has no ${id}`);
  return found;
}

/**
 * @param {string} id
 * @param {string} text
 */
function say(id, text) {
  const place = document.getElementById(id);
  if (place && place.textContent !== text) place.textContent = text;
}

/**
 * @param {string} id
 * @param {string} name
 */
function draw(id, name) {
  document.getElementById(id)?.firstElementChild?.setAttribute("href", ICONS + name);
}

export class Display {
  /**
   * @param {HTMLElement} root
   * @param {Texts} texts
   */
  constructor(root, texts) {
    this.root = root;
    this.texts = texts;
    this.stage = element("stage", HTMLElement);
    this.shown = "";
    this.marked = "";
  }

  /**
   * @param {View} view
   * @param {boolean} entry whether PINs and badges work
   * @returns {boolean} whether it is another than before
   */
  show(view, entry) {
    const key = JSON.stringify([view, entry]);
    if (key === this.shown) return false;
    this.shown = key;
    this.root.dataset["view"] = view.kind;
    if (view.kind === "guide") this.#guide(view);
    else if (view.kind === "greeting") this.#greeting(view.punch);
    else if (view.kind === "refusal") this.#refusal(view.reason, entry);
    else if (view.kind === "trouble") this.#trouble(view.part, entry);
    else say("idle-hint", this.texts.of(view.kind === "idle" ? "idle_hint" : "starting"));
    this.fit();
    return true;
  }

  /** Make what is shown smaller until it has room: texts of some languages are long, and names as long as they are. */
  fit() {
    for (const part of this.stage.children) {
      if (part.tagName !== "SECTION" || !(part instanceof HTMLElement) || getComputedStyle(part).visibility === "hidden") continue;
      const most = part.classList.contains("guide") ? this.stage.clientHeight * MOST_GUIDE : part.clientHeight;
      for (const size of SIZES) {
        part.style.setProperty("--fit", String(size));
        // a line that is a little too wide does not widen the panel: it lies in its margin
        const wide = [part, ...part.querySelectorAll(".lines, p")].some((one) => one.scrollWidth > one.clientWidth + 1);
        if (part.scrollHeight <= most + 1 && !wide) break;
      }
    }
  }

  /** @param {Mark[]} marks */
  mark(marks) {
    const key = JSON.stringify(marks);
    if (key === this.marked) return;
    this.marked = key;
    const items = marks.map((mark) => {
      const item = document.createElement("li");
      const icon = document.createElementNS("http://www.w3.org/2000/svg", "svg");
      icon.classList.add("icon");
      icon.setAttribute("aria-hidden", "true");
      const use = document.createElementNS("http://www.w3.org/2000/svg", "use");
      use.setAttribute("href", ICONS + mark.icon);
      icon.append(use);
      const words = document.createElement("span");
      const counted = mark.count ? `${mark.key}_waiting` : mark.key;
      words.textContent = this.texts.of(counted, { count: this.texts.number(mark.count ?? 0) });
      item.append(icon, words);
      return item;
    });
    element("marks", HTMLUListElement).replaceChildren(...items);
  }

  /** @param {Date} now */
  tick(now) {
    const time = this.texts.time(now);
    say("clock", time);
    say("big-clock", time);
    say("date", this.texts.date(now));
    const idle = this.root.querySelector(".idle");
    if (idle instanceof HTMLElement) idle.dataset["place"] = String(now.getUTCMinutes() % 4);
  }

  /**
   * @param {SessionEvent | null} punch that may be disowned
   * @param {boolean} named whether it is said whose it is, because nothing else on the display does
   */
  foot(punch, named) {
    element("foot", HTMLElement).hidden = punch === null;
    say("last", punch && named ? this.who(punch) : "");
  }

  /** @param {SessionEvent} punch */
  who(punch) {
    return this.texts.of("last", { name: punch.name ?? "", time: this.texts.time(new Date(punch.utc)) });
  }

  /** @param {{key: string, number: number, of: number, until: number}} guide */
  #guide(guide) {
    say("guide-words", this.texts.of(guide.key));
    draw("guide-icon", GUIDE_ICONS[guide.key] ?? "look");
    const many = guide.of > 1 ? { number: this.texts.number(guide.number), of: this.texts.number(guide.of) } : null;
    say("guide-step", many ? this.texts.of("step_of", many) : "");
    const bar = element("countdown", HTMLElement);
    delete bar.dataset["runs"];
    const left = guide.until - performance.now();
    if (left > 0) {
      bar.style.setProperty("--seconds", `${left}ms`);
      void bar.offsetWidth; // the bar begins anew
      bar.dataset["runs"] = "";
    }
  }

  /** @param {SessionEvent} punch */
  #greeting(punch) {
    const goesIn = punch.status !== "CHECK_OUT";
    const panel = this.root.querySelector(".greeting");
    if (panel instanceof HTMLElement) panel.dataset["direction"] = goesIn ? "in" : "out";
    const name = element("greeting-name", HTMLElement);
    const length = [...(punch.name ?? "")].length;
    name.textContent = punch.name ?? "";
    if (length > LONG) name.dataset["long"] = length > VERY_LONG ? "very" : "";
    else delete name.dataset["long"];
    draw("greeting-icon", goesIn ? "in" : "out");
    say("greeting-status", this.texts.of(goesIn ? "checked_in" : "checked_out"));
    say("greeting-time", this.texts.time(new Date(punch.utc)));
    const kind = punch.punctuality ?? "";
    const how = PUNCTUALITY[kind];
    const place = element("greeting-punctuality", HTMLElement);
    place.hidden = how === undefined;
    place.dataset["kind"] = kind;
    if (how) {
      draw("punctuality-icon", how.icon);
      say("punctuality-words", this.texts.of(how.key, { duration: this.texts.duration(punch.minutes ?? 0) }));
    }
  }

  /**
   * @param {string} reason
   * @param {boolean} entry
   */
  #refusal(reason, entry) {
    const known = this.texts.has(`refused_${reason}`) ? reason : "other";
    const panel = this.root.querySelector(".refusal");
    if (panel instanceof HTMLElement) panel.toggleAttribute("data-mild", MILD.has(reason));
    draw("refusal-icon", MILD.has(reason) ? "again" : "refused");
    say("refusal-title", this.texts.of(`refused_${known}`));
    const other = entry && this.texts.has(`refused_${known}_do_entry`);
    say("refusal-do", this.texts.of(`refused_${known}_do${other ? "_entry" : ""}`));
  }

  /**
   * @param {string} part
   * @param {boolean} entry
   */
  #trouble(part, entry) {
    say("trouble-title", this.texts.of(`trouble_${part}`));
    const helps = entry && (part === "camera" || part === "vision");
    say("trouble-do", this.texts.of(`trouble_${part}_do${helps ? "_entry" : ""}`));
  }
}
