// Elements with text in them; nothing of this page is ever written as markup.

/**
 * @template {keyof HTMLElementTagNameMap} T
 * @param {T} tag @param {Record<string, string | boolean>} [attributes] @param {...(Node | string)} children
 * @returns {HTMLElementTagNameMap[T]}
 */
export function make(tag, attributes = {}, ...children) {
  const made = document.createElement(tag);
  for (const [name, value] of Object.entries(attributes)) {
    if (typeof value === "boolean") made.toggleAttribute(name, value);
    else made.setAttribute(name, value);
  }
  made.append(...children);
  return made;
}

/** The element of an id, which is there. @template {HTMLElement} T @param {string} id @param {new () => T} kind @returns {T} */
export function part(id, kind) {
  const found = document.getElementById(id);
  if (!(found instanceof kind)) throw new Error(`no ${id}`);
  return found;
}

/** @typedef {Node | string} Cell */

/**
 * A table that a screen reader can read: a caption, headings with their scope, the first cell of each row its heading.
 * @param {string} caption @param {string[]} titles @param {Cell[][]} rows @param {number[]} [numeric] columns of numbers
 */
export function grid(caption, titles, rows, numeric = []) {
  /** @param {number} at @returns {Record<string, string>} */
  const side = (at) => (numeric.includes(at) ? { class: "number" } : {});
  const head = make("tr", {}, ...titles.map((one, at) => make("th", { scope: "col", ...side(at) }, one)));
  const body = rows.map((row) =>
    make("tr", {}, ...row.map((one, at) => (at === 0 ? make("th", { scope: "row", dir: "auto" }, one) : make("td", { dir: "auto", ...side(at) }, one)))),
  );
  const table = make("table", {}, make("caption", {}, caption), make("thead", {}, head), make("tbody", {}, ...body));
  // a region that scrolls is reached by the keyboard, and so needs a name
  return make("div", { class: "scroll", tabindex: "0", role: "region", "aria-label": caption }, table);
}

/** A word with a mark of its own shape, for colour alone says nothing to many. @param {"good" | "warn" | "bad" | "plain"} kind @param {string} words */
export const badge = (kind, words) => make("span", { class: `badge ${kind}` }, words);
