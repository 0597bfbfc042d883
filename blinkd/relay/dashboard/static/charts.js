// The chart of the period; beside it stands a table with the same numbers.

/** @typedef {{labels: string[], bars: {label: string, values: number[], colour: string}[], title: string}} Drawing */

export class Picture {
  /** @param {HTMLCanvasElement} canvas */
  constructor(canvas) {
    this._canvas = canvas;
    /** @type {ChartInstance | null} */ this._chart = null;
  }

  /** @param {Drawing} drawing */
  draw(drawing) {
    // a canvas knows no tokens: what one comes to, a property of an element tells
    const colour = (/** @type {string} */ name) => {
      this._canvas.style.color = `var(${name})`;
      return getComputedStyle(this._canvas).color;
    };
    const datasets = drawing.bars.map((one) => ({ label: one.label, data: one.values, backgroundColor: colour(one.colour) }));
    this._canvas.setAttribute("aria-label", `${drawing.title}. The table below it has the same numbers.`);
    if (this._chart !== null) {
      this._chart.data = { labels: drawing.labels, datasets };
      this._chart.update();
      return;
    }
    const axis = { ticks: { color: colour("--text-soft"), precision: 0 }, grid: { color: colour("--line") } };
    /** @type {ChartConfiguration} */
    const configuration = {
      type: "bar",
      data: { labels: drawing.labels, datasets },
      options: {
        animation: false,
        responsive: true,
        maintainAspectRatio: false,
        scales: { x: { ...axis, stacked: true }, y: { ...axis, stacked: true, beginAtZero: true } },
        plugins: { legend: { labels: { color: colour("--text") } } },
      },
    };
    this._chart = new Chart(this._canvas, configuration);
  }

  /** In other colours, from the next drawing on. */
  renew() {
    this._chart?.destroy();
    this._chart = null;
  }
}
