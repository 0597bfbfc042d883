// What a page's <script> of chart.umd.js puts beside the modules.
declare const Chart: typeof import("chart.js/auto").default;
type ChartInstance = import("chart.js").Chart;
type ChartConfiguration = import("chart.js").ChartConfiguration;
