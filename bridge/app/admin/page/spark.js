// A minute of rates as a small line.

import { svg } from "./dom.js";
import { POINTS } from "./live.js";

export function spark(width = 96, height = 22) {
  const area = svg("path", { class: "area" });
  const line = svg("path", { class: "line" });
  return svg("svg", { class: "spark", viewBox: `0 0 ${width} ${height}`, width, height, "aria-hidden": "true" }, area, line);
}

export function setSpark(element, series) {
  const { width, height } = element.viewBox.baseVal;
  const most = Math.max(1, ...series);
  const step = width / (POINTS - 1);
  const from = POINTS - series.length;
  const points = series.map((each, place) => `${((from + place) * step).toFixed(1)},${(height - 1.5 - (each / most) * (height - 4)).toFixed(1)}`);
  const [area, line] = element.children;
  line.setAttribute("d", points.length > 1 ? `M${points.join("L")}` : "");
  area.setAttribute("d", points.length > 1 ? `M${(from * step).toFixed(1)},${height}L${points.join("L")}L${width},${height}Z` : "");
}
