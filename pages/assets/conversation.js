// A conversation: messages as they grow, each to be copied, a question to be edited and asked again,
// an answer to be chosen for grading. A reply's Markdown comes as nodes; only the tags below are ever
// made of them, every text is set as text, and no attribute comes from a reply but a list's start.

const KO = (navigator.language || "ko").toLowerCase().startsWith("ko");
const say = (key) => props.words[key][KO ? 1 : 0];
const TAGS = new Set("p h4 h5 h6 ul ol li blockquote pre code hr table thead tbody tr th td strong em s br".split(" "));
const root = element.querySelector(".conversation");

const log = make("div", { class: "log", role: "log", tabindex: "0", "aria-label": say("conversation") });
root.append(make("h2", { class: "unseen" }, say("conversation")), log);
let drawn = []; // of each message what it was drawn from
let resting = 0;

function make(tag, attributes = {}, text) {
  const node = document.createElement(tag);
  for (const [name, value] of Object.entries(attributes)) node.setAttribute(name, value);
  if (text !== undefined) node.textContent = text;
  return node;
}

function build(node) {
  if (!Array.isArray(node)) return document.createTextNode(String(node));
  const [tag, ...children] = node;
  const made = document.createElement(TAGS.has(tag) ? tag : "span");
  if (tag === "ol" && typeof children[0] === "number") made.start = children.shift();
  made.append(...children.map(build));
  if (tag !== "table" && tag !== "pre") return made;
  const wide = make("div", { class: "wide", tabindex: "0" }); // wider than a phone: it scrolls
  wide.append(made);
  return wide;
}

function draw() {
  const messages = props.value || [];
  const atEnd = log.scrollHeight - log.scrollTop - log.clientHeight < 80;
  const last = messages.findLastIndex((one) => one.role === "assistant");
  const chosen = messages.findIndex((one) => one.graded);
  const keys = messages.map((one, place) => JSON.stringify([one, place === (chosen < 0 ? last : chosen)]));
  if (!messages.length) {
    log.replaceChildren(make("p", { class: "empty" }, say(props.empty)));
  } else {
    if (!drawn.length) log.replaceChildren();
    for (const [place, key] of keys.entries()) {
      if (drawn[place] === key) continue;
      const bubble = message(messages[place], place, JSON.parse(key)[1]);
      log.children[place] ? log.children[place].replaceWith(bubble) : log.append(bubble);
    }
    while (log.children.length > messages.length) log.lastChild.remove();
  }
  // A growing answer is read out once it rests, not piece by piece.
  log.setAttribute("aria-busy", "true");
  clearTimeout(resting);
  resting = setTimeout(() => log.setAttribute("aria-busy", "false"), 700);
  // Two replies are read from their beginnings, a single one as it grows.
  const paired = messages.at(-1)?.side && messages.findLastIndex((one) => one.role === "user");
  if (paired) log.scrollTop = log.children[paired].offsetTop - 10;
  else if (atEnd || messages.length > drawn.length) log.scrollTop = log.scrollHeight;
  drawn = keys;
}

function message(one, place, graded) {
  const mine = one.role === "user";
  const bubble = make("article", { class: `message ${mine ? "user" : "bot"}` });
  if (one.side) bubble.dataset.side = one.side;
  const marked = !mine && graded && props.acts.includes("grade");
  bubble.classList.toggle("graded", marked);
  const head = make("h3", { class: "who" }, mine ? say("you") : say(one.side ? `reply_${one.side}` : "answer"));
  if (one.name) head.append(make("b", {}, ` = ${one.name}`));
  if (marked) head.append(make("span", { class: "mark" }, say("graded_now")));
  const text = make("div", { class: "text" });
  if (one.waiting) text.append(make("p", { class: "quiet" }, say("waiting")));
  else if (one.nodes) text.append(...one.nodes.map(build));
  else text.append(make("p", { class: "plain" }, one.content));
  bubble.append(head, text);
  if (!one.waiting) bubble.append(acts(one, place, bubble, marked));
  return bubble;
}

function acts(one, place, bubble, marked) {
  const row = make("div", { class: "acts" });
  const copy = make("button", { type: "button", class: "copy" }, say("copy"));
  copy.onclick = async () => {
    await toClipboard(one.content);
    copy.textContent = say("copied");
    setTimeout(() => { copy.textContent = say("copy"); }, 2000);
  };
  row.append(copy);
  if (one.role === "user" && props.acts.includes("edit")) {
    const edit = make("button", { type: "button", class: "edit" }, say("edit"));
    edit.onclick = () => rewrite(one, place, bubble);
    row.append(edit);
  }
  if (one.role === "assistant" && props.acts.includes("grade")) {
    const grade = make("button", { type: "button", class: "grade", "aria-pressed": String(marked) }, say("grade_this"));
    grade.onclick = () => {
      props.value = props.value.map((each, other) => ({ ...each, graded: other === place }));
      draw();
      log.children[place].querySelector(".grade").focus();
      trigger("pick", { index: place });
    };
    row.append(grade);
  }
  return row;
}

// Where a page has no clipboard (plain HTTP), the old way still copies.
async function toClipboard(text) {
  try {
    await navigator.clipboard.writeText(text);
  } catch {
    const box = make("textarea", { class: "unseen" });
    box.value = text;
    root.append(box);
    box.select();
    document.execCommand("copy");
    box.remove();
  }
}

function rewrite(one, place, bubble) {
  const box = make("textarea", { class: "rewrite", rows: "3", maxlength: "4000", "aria-label": say("edit_hint") });
  box.value = one.content;
  const send = make("button", { type: "button", class: "primary" }, say("ask_edited"));
  const back = make("button", { type: "button" }, say("cancel"));
  const row = make("div", { class: "acts open" });
  row.append(send, back);
  const cancel = () => {
    const again = message(one, place, false);
    bubble.replaceWith(again);
    again.querySelector(".edit").focus();
  };
  send.onclick = () => {
    if (!box.value.trim()) return;
    trigger("edit", { index: place, value: box.value });
    log.focus();
  };
  back.onclick = cancel;
  box.onkeydown = (event) => {
    if (event.key === "Escape") cancel();
    if (event.key !== "Enter" || event.shiftKey || event.isComposing || event.keyCode === 229) return;
    event.preventDefault();
    send.onclick();
  };
  bubble.querySelector(".text").replaceChildren(box, make("p", { class: "quiet" }, say("edit_hint")));
  bubble.querySelector(".acts").replaceWith(row);
  drawn[place] = null; // what comes next is drawn over the box
  box.focus();
}

watch("value", draw);
draw();
