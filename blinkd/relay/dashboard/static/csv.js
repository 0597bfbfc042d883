// Tables that a spreadsheet shows and never runs: as blinkd/attendance/reports/sheet.py writes them.

const RUNS = /^ *[=+\-@\t\r\n＝＋－＠]/;
const BOM = "\ufeff"; // tells a spreadsheet that the text is UTF-8

/** @typedef {string | number | null} Cell */

/** An apostrophe goes before what would run. @param {string} text */
export const defused = (text) => (RUNS.test(text) ? `'${text}` : text);

/** RFC 4180; text is defused, numbers stay numbers, null is an empty cell. @param {string[]} titles @param {Cell[][]} rows */
export function table(titles, rows) {
  return BOM + [titles, ...rows].map((row) => `${row.map(cell).join(",")}\r\n`).join("");
}

/** @param {Cell} value */
function cell(value) {
  if (value === null) return "";
  if (typeof value === "number") return String(value);
  const safe = defused(value);
  return /[",\r\n]/.test(safe) ? `"${safe.replaceAll('"', '""')}"` : safe;
}

/** Hand a file to the browser's downloads. @param {string} name @param {string} content */
export function download(name, content) {
  const link = document.createElement("a");
  link.href = URL.createObjectURL(new Blob([content], { type: "text/csv;charset=utf-8" }));
  link.download = name;
  link.click();
  URL.revokeObjectURL(link.href);
}
