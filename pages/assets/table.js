// A table of plain rows: sorted by a click on a head, texts set as text. On a phone each row is a
// card of its own. Rows marked `folded` wait behind a button, in a sorted table as many of the last;
// a cell's note opens by a tap or a key, and so does what is left of a long text.

const KO = (navigator.language || "ko").toLowerCase().startsWith("ko");
const root = element.querySelector(".rows");
let order = null; // { key, down }
let unfolded = false;

function draw() {
  element.querySelector("h2").textContent = KO ? props.title.ko : props.title.en;
  const rows = [...(props.value || [])];
  const columns = props.columns.filter((column) => column.always || rows.some((row) => row[column.key] != null && row[column.key] !== ""));
  if (order) {
    const sign = order.down ? -1 : 1;
    const known = (row) => row[order.key] != null && row[order.key] !== "";
    rows.sort((a, b) => known(b) - known(a) || sign * compare(a[order.key], b[order.key]));
  }
  const table = document.createElement("table");
  const head = table.createTHead().insertRow();
  for (const column of columns) {
    const cell = document.createElement("th");
    const button = document.createElement("button");
    button.type = "button";
    button.textContent = (KO ? column.ko : column.en) + (order?.key === column.key ? (order.down ? " ↓" : " ↑") : "");
    button.onclick = () => { order = { key: column.key, down: order?.key === column.key ? !order.down : Boolean(column.numeric) }; draw(); };
    cell.className = column.numeric ? "numeric" : "";
    if (button.textContent.trim()) cell.append(button);  // a column of marks has no name to sort by
    head.append(cell);
  }
  const body = table.createTBody();
  const folded = rows.filter((row) => row.folded).length;
  for (const [place, row] of rows.entries()) {
    const waits = order ? place >= rows.length - folded : row.folded;
    if (waits && !unfolded) continue;
    const line = body.insertRow();
    if (row.muted) line.className = "muted";
    for (const column of columns) {
      const cell = line.insertCell();
      cell.className = column.numeric ? "numeric" : "";
      cell.dataset.label = KO ? column.ko : column.en;
      const written = write(row[column.key], column);
      if (written.length > LONG) cell.append(...longText(written));
      else cell.textContent = written;
      if (row[column.key] == null || row[column.key] === "") cell.classList.add("empty");
      if (cell.textContent.length > 22) cell.classList.add("wide");
      if (column.always) cell.classList.add("head");
      if (row[column.key + "_note"]) cell.append(noteButton(row[column.key + "_note"]));
    }
  }
  const none = document.createElement("p");
  none.className = "quiet";
  none.textContent = KO ? props.none.ko : props.none.en;
  root.replaceChildren(rows.length ? table : none);
  if (folded) root.append(foldButton(folded));
}

function foldButton(count) {
  const button = document.createElement("button");
  button.type = "button";
  button.className = "fold";
  button.setAttribute("aria-expanded", String(unfolded));
  button.textContent = unfolded ? (KO ? "접기" : "Show fewer") : KO ? `${count}개 더 보기` : `Show ${count} more`;
  button.onclick = () => { unfolded = !unfolded; draw(); root.querySelector(".fold").focus(); };
  return button;
}

// A text that would fill the screen, such as a long reply: its beginning, and the whole at a tap.
const LONG = 400;

function longText(whole) {
  const text = document.createElement("span");
  const button = document.createElement("button");
  const show = (all) => {
    text.textContent = all ? whole : `${[...whole].slice(0, LONG / 2).join("")}…`;
    button.textContent = all ? (KO ? "접기" : "Show less") : KO ? "전체 보기" : "Show all";
    button.setAttribute("aria-expanded", String(all));
  };
  button.type = "button";
  button.className = "fold";
  button.onclick = () => {
    show(button.getAttribute("aria-expanded") === "false");
    button.scrollIntoView({ block: "nearest" }); // of a text that is short again it was far below
  };
  show(false);
  return [text, button];
}

function noteButton(text) {
  const box = document.createElement("details");
  const summary = document.createElement("summary");
  summary.textContent = "ⓘ";
  summary.setAttribute("aria-label", KO ? "설명" : "Note");
  const note = document.createElement("span");
  note.textContent = text;
  box.append(summary, note);
  return box;
}

function compare(a, b) {
  if (typeof a === "number" && typeof b === "number") return a - b;
  return String(a ?? "").localeCompare(String(b ?? ""), KO ? "ko" : "en", { numeric: true });
}

function write(value, column) {
  if (value == null) return "–";
  if (typeof value === "number") return value.toLocaleString(undefined, { minimumFractionDigits: column.digits ?? 0, maximumFractionDigits: column.digits ?? 0 });
  return String(value);
}

watch("value", draw);
draw();
