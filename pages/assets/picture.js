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
  const W = 520, H = 300, L = 58, B = 40, T = 12, R = 16;
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
  for (const point of points) {
    const right = x(point.seconds) > W * 0.68;
    plot.append(svg("circle", { cx: x(point.seconds), cy: y(point.good), r: 6 }));
    plot.append(svg("text", { x: x(point.seconds) + (right ? -11 : 11), y: y(point.good) + 4, "text-anchor": right ? "end" : "start", class: "name" }, point.candidate));
  }
  return [plot];
}

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
