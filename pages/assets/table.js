// A table of plain rows: sorted by a click on a head, readable on a phone, texts set as text.

const KO = (navigator.language || "ko").toLowerCase().startsWith("ko");
const root = element.querySelector(".rows");
let order = null; // { key, down }

function draw() {
  element.querySelector("h3").textContent = KO ? props.title.ko : props.title.en;
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
    cell.append(button);
    head.append(cell);
  }
  const body = table.createTBody();
  for (const row of rows) {
    const line = body.insertRow();
    if (row.muted) line.className = "muted";
    for (const column of columns) {
      const cell = line.insertCell();
      cell.className = column.numeric ? "numeric" : "";
      cell.textContent = write(row[column.key], column);
      if (row[column.key + "_note"]) cell.title = row[column.key + "_note"];
    }
  }
  const none = document.createElement("p");
  none.className = "quiet";
  none.textContent = KO ? props.none.ko : props.none.en;
  root.replaceChildren(rows.length ? table : none);
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
