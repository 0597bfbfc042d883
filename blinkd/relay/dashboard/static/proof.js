// What was proved of the loaded chains, in numbers.

import { badge, grid, make } from "./dom.js";

/** @param {import("./loader.js").Loader} loader @returns {Node[]} */
export function proof(loader) {
  const { chains, peopleFaults } = loader;
  const sum = (/** @type {(one: import("./loader.js").Chain) => number} */ of) => chains.reduce((total, one) => total + of(one), 0);
  const faults = chains.flatMap((one) => one.faults.map((fault) => [one.terminal, String(fault.seq), fault.words]));
  const unsigned = chains.filter((one) => one.key !== "known" && one.head !== null);
  /** @type {[string, string][]} */
  const numbers = [
    ["Entries that opened and hang in their chain", String(sum((one) => one.book.entries))],
    ["Signatures checked", String(sum((one) => one.signatures))],
    ["Entries whose content was erased or is damaged, by the terminal's word", String(sum((one) => one.missing.length))],
    ["Entries sealed by keys that are not in this keyring", String(sum((one) => one.closed.length))],
    ["Entries of another branch, which count nowhere", String(sum((one) => one.aside))],
    ["Numbers behind a gap, whose entries the relay does not hand out", String(sum((one) => Math.max(0, one.stored - (one.head?.seq ?? -1))))],
    ["People whose record does not open", String(peopleFaults.closed + peopleFaults.faults)],
    ["Deletions of people without a terminal's signature", String(peopleFaults.unsigned)],
  ];
  /** @type {Node[]} */
  const found = [grid("Checked so far", ["What", "Number"], numbers, [1])];
  const bad = faults.length + peopleFaults.unsigned + peopleFaults.faults;
  found.unshift(make("p", {}, bad === 0 ? badge("good", "No fault was found.") : badge("bad", "Faults were found: what is shown is not all that was recorded.")));
  if (sum((one) => one.closed.length)) {
    found.push(make("p", {}, badge("warn", "Some entries are sealed by keys that are not in this keyring: the keys may have been rotated since you logged in. Log in again.")));
  }
  if (faults.length) found.push(grid("Faults", ["Terminal", "Entry", "What"], faults));
  if (unsigned.length) {
    const why = unsigned.some((one) => one.key === "unsupported") ? "this browser does not know Ed25519" : "the chain's first entry does not open";
    found.push(make("p", {}, badge("warn", `Signatures are not checked for ${unsigned.map((one) => one.terminal).join(", ")}: ${why}.`)));
  }
  return found;
}
