// Draws each table that a chart names: what a screen reader is told and what is drawn are the same numbers.

/** @typedef {{ label: string, data: number[], borderColor: string, backgroundColor: string, borderDash?: number[], pointStyle?: string, borderWidth: number, tension: number }} Series */
/** @typedef {new (canvas: HTMLCanvasElement, config: object) => unknown} ChartClass */

const MARKS = [
  { colour: "--good", dash: [], point: "circle" },
  { colour: "--warn", dash: [6, 4], point: "triangle" },
  { colour: "--bad", dash: [2, 3], point: "rect" },
];

/** A token of the style sheet as a canvas knows colours: the token itself may be one of two, for light and dark. @param {string} name @returns {string} */
function colour(name) {
  const probe = document.body.appendChild(document.createElement("span"));
  probe.style.color = `var(${name})`;
  const found = getComputedStyle(probe).color;
  probe.remove();
  return found;
}

/** @param {HTMLTableElement} table @param {boolean} line @returns {{ labels: string[], datasets: Series[] }} */
function dataOf(table, line) {
  const titles = [...(table.tHead?.rows[0]?.cells ?? [])].slice(1).map((cell) => cell.textContent ?? "");
  const rows = [...(table.tBodies[0]?.rows ?? [])];
  const labels = rows.map((row) => row.cells[0]?.textContent ?? "");
  const datasets = titles.map((label, place) => {
    const mark = MARKS[place % MARKS.length] ?? MARKS[0];
    const own = line ? colour(mark?.colour ?? "--good") : colour("--accent");
    return {
      label,
      data: rows.map((row) => Number(row.cells[place + 1]?.textContent ?? 0)),
      borderColor: own,
      backgroundColor: own,
      borderDash: line ? mark?.dash : [],
      pointStyle: mark?.point,
      borderWidth: 2,
      tension: 0,
    };
  });
  return { labels, datasets };
}

/** @param {HTMLElement} place */
function draw(place) {
  const table = document.getElementById(place.dataset["table"] ?? "")?.querySelector("table");
  const canvas = place.querySelector("canvas");
  const Chart = /** @type {{ Chart?: ChartClass }} */ (/** @type {unknown} */ (globalThis)).Chart;
  if (!table || !canvas || !Chart) return;
  const line = place.dataset["chart"] === "line";
  const data = dataOf(table, line);
  const axis = { ticks: { color: colour("--text-soft"), precision: 0 }, grid: { color: colour("--line") } };
  new Chart(canvas, {
    type: line ? "line" : "bar",
    data,
    options: {
      responsive: true,
      maintainAspectRatio: false,
      animation: false,
      plugins: { legend: { display: line, labels: { color: colour("--text"), usePointStyle: true } } },
      scales: { x: axis, y: { ...axis, beginAtZero: true } },
    },
  });
}

for (const place of document.querySelectorAll(".chart")) {
  if (place instanceof HTMLElement) draw(place);
}
