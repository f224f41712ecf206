// Two pictures of a run: cost against quality with a name at each point, and grades as bars.

const KO = (navigator.language || "ko").toLowerCase().startsWith("ko");
const pick = (words) => (KO ? words.ko : words.en);
const root = element.querySelector(".picture");

function svg(tag, attributes, text) {
  const node = document.createElementNS("http://www.w3.org/2000/svg", tag);
  for (const [name, value] of Object.entries(attributes)) node.setAttribute(name, value);
  if (text !== undefined) node.textContent = text;
  return node;
}

function draw() {
  element.querySelector("h2").textContent = pick(props.title);
  const { points = [], bars = [] } = props.value || {};
  root.replaceChildren(...(props.kind === "points" ? scatter(points) : stacked(bars)));
}

function scatter(points) {
  if (!points.length) return [quiet(pick(props.none))];
  // On a phone the picture is drawn narrower, not smaller: its letters stay as large.
  const W = Math.max(300, Math.min(520, root.clientWidth || 520)), H = 300, L = 58, B = 40, T = 12, R = 16;
  const most = Math.max(...points.map((p) => p.seconds)) * 1.12 || 1;
  const [low, high] = props.value.graded ? [1, 5] : [0, 1];
  const x = (s) => L + ((W - L - R) * s) / most;
  const y = (q) => T + (H - T - B) * (1 - (q - low) / (high - low));
  const plot = svg("svg", { viewBox: `0 0 ${W} ${H}`, role: "img", "aria-label": pick(props.title) });
  for (let i = 0; i <= 4; i++) {
    const q = low + ((high - low) * i) / 4, s = (most * i) / 4;
    plot.append(svg("line", { x1: L, x2: W - R, y1: y(q), y2: y(q), class: "grid" }));
    plot.append(svg("text", { x: L - 8, y: y(q) + 4, "text-anchor": "end" }, q.toFixed(props.value.graded ? 0 : 2)));
    plot.append(svg("text", { x: x(s), y: H - B + 18, "text-anchor": "middle" }, s.toPrecision(2)));
  }
  plot.append(svg("text", { x: (L + W - R) / 2, y: H - 4, "text-anchor": "middle" }, pick(props.axis)));
  const middle = T + (H - T - B) / 2;
  plot.append(svg("text", { x: 12, y: middle, transform: `rotate(-90 12 ${middle})`, "text-anchor": "middle" }, pick(props.sides)[Number(Boolean(props.value.graded))]));
  const spots = points.map((point) => [x(point.seconds), y(point.good), point.candidate]);
  for (const [cx, cy] of spots) plot.append(svg("circle", { cx, cy, r: 6 }));
  const taken = spots.map(([cx, cy]) => [cx - 6, cx + 6, cy]);
  for (const [cx, cy, name] of spots) {
    const wide = [...name].reduce((sum, letter) => sum + (letter > "\u2e80" ? 12 : 7.4), 0);
    const toLeft = cx + 11 + wide > W;
    const from = toLeft ? cx - 11 - wide : cx + 11;
    const free = (at) => at > T && at < H - B && !taken.some(([a, b, c]) => a < from + wide && from < b && Math.abs(c - at) < 13);
    const at = cy + (ASIDE.find((by) => free(cy + by)) ?? 0);
    taken.push([from, from + wide, at]);
    plot.append(svg("text", { x: cx + (toLeft ? -11 : 11), y: at + 4, "text-anchor": toLeft ? "end" : "start", class: "name" }, name));
  }
  return [plot];
}

// How far above or below its point a name may stand where another name or point is in its way.
const ASIDE = [0, 7, -7, 14, -14, 21, -21, 28, -28];

function stacked(bars) {
  if (!bars.length) return [quiet(pick(props.none))];
  const box = document.createElement("div");
  box.className = "stack";
  for (const bar of bars) {
    const total = bar.counts.reduce((sum, count) => sum + count, 0) || 1;
    const name = document.createElement("span");
    name.textContent = bar.candidate;
    const line = document.createElement("div");
    line.className = "line";
    bar.counts.forEach((count, at) => {
      if (!count) return;
      const part = document.createElement("div");
      part.className = `g${5 - at}`;
      part.style.flexGrow = count;
      part.textContent = count / total > 0.06 ? count : "";
      part.title = `${pick(props.levels[at])}: ${count}`;
      line.append(part);
    });
    box.append(name, line);
  }
  const legend = document.createElement("p");
  legend.className = "legend";
  props.levels.forEach((level, at) => {
    const key = document.createElement("i");
    key.className = `g${5 - at}`;
    legend.append(key, ` ${pick(level)}  `);
  });
  return [box, legend];
}

function quiet(text) {
  const node = document.createElement("p");
  node.className = "quiet";
  node.textContent = text;
  return node;
}

watch("value", draw);
draw();
