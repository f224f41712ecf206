// Keys and time: what is pressed acts on the reply in focus, and only time on the page counts.

function takeTime() {
  pause();
  view.since = performance.now();
  return Math.round(view.seconds * 10) / 10;
}

function pause() {
  if (view?.since != null) view.seconds += (performance.now() - view.since) / 1000;
  if (view) view.since = null;
}

document.addEventListener("visibilitychange", () => {
  if (document.hidden) { pause(); keepDraft(true); }
  else if (view) view.since = performance.now();
});
addEventListener("pagehide", () => keepDraft(true));

const KEYS = [
  ["1–5", "grade the reply, on to the next", "등급을 매기고 다음 답변으로"],
  ["↑ ↓", "another reply", "다른 답변으로"],
  ["← →", "on the grades: a worse or better one", "등급 버튼에서 낮은 등급, 높은 등급으로"],
  ["Enter", "hand in, go on", "제출하고 다음 항목으로"],
  ["[ ]", "item before, item after", "이전 항목, 다음 항목"],
  ["F", "flags of the reply (Space sets one)", "답변의 표시 (Space로 켜고 끄기)"],
  ["N", "note", "메모"],
  ["W", "the whole of a long reply, or less", "긴 답변 전체 보기, 접기"],
  ["S", "skip, with a reason", "이유를 골라 건너뛰기"],
  ["Esc", "back to the reply", "답변으로 돌아가기"],
  ["?", "this help", "이 도움말"],
];

function help() {
  const box = make("dialog", { class: "help", id: "grade-keys", "aria-labelledby": "grade-keys-title", onclose: () => box.remove() },
    make("div", { class: "row" },
      make("h2", { id: "grade-keys-title" }, say("How to grade", "평가 방법")),
      button(say("Close", "닫기"), () => box.close(), { id: "grade-keys-close" })),
    touch.matches
      ? make("p", {}, say("Choose a grade: the next reply comes by itself. The letters lead back to a reply.", "등급을 고르면 다음 답변이 나와요. 위의 글자를 누르면 그 답변으로 돌아가요."))
      : make("dl", { class: "keylist" }, KEYS.map(([key, en, ko]) => [make("dt", {}, make("kbd", {}, key)), make("dd", {}, say(en, ko))])),
    make("h3", {}, say("The five grades", "등급 기준")),
    rubric(),
    who.token && make("h3", {}, say("Your link", "내 링크")),
    who.token && ownLink());
  root.append(box);
  box.showModal();
}

// Enter hands in from everywhere but from what it opens or chooses by itself. On a flag too: who
// has just set one by a click means to hand in, and Space is there to set one by key.
const ENTER_IS_ITS_OWN = ":is(button, summary, a):not([data-grade], [data-flag])";

// With a Korean keyboard a letter's key gives a vowel or a consonant: the key itself counts.
const LETTERS = {
  KeyJ: () => moveTo(Math.min(view.answers.length - 1, view.active + 1)),
  KeyK: () => moveTo(Math.max(0, view.active - 1)),
  KeyF: () => card().querySelector("[data-flag]").focus(),
  KeyN: () => card().querySelector(".note").focus(),
  KeyS: () => openSkip(),
  KeyW: () => card().querySelector(".more:not([hidden])")?.click(),
  BracketLeft: () => step(-1),
  BracketRight: () => step(1),
};
const card = () => root.querySelector(`#card-${view.active}`);

document.addEventListener("keydown", (event) => {
  // A key that belongs to a Korean syllable in the making, or to another tab, is not for us.
  if (!view || root.offsetParent === null || event.isComposing || event.keyCode === 229) return;
  if (event.ctrlKey || event.metaKey || event.altKey || root.querySelector("dialog[open]")) return;
  if (!root.contains(event.target) && event.target !== document.body) return;
  if (event.target.closest?.(".scope")) return;
  const typing = event.target.matches("input, textarea, select");
  const last = view.answers.length - 1;
  if (event.key === "Escape") { closeSkip(); moveTo(view.active); }
  else if (event.key === "Enter") {
    if (event.repeat) return event.preventDefault(); // a key that is held down is one press
    if (event.target.matches(ENTER_IS_ITS_OWN)) return;
    event.preventDefault();
    if (event.target.matches(".skip-words")) skipOther();
    else if (view.feedback) root.querySelector("#grade-go-on")?.click();
    else submit("");
  } else if (typing) return;
  else if (event.key === "?") { event.preventDefault(); help(); }
  else if (settled()) return;
  else if (/^Arrow(Up|Down)$/.test(event.key) && event.target.matches("#grade-prompt, .rubric")) return; // scrolls it
  else if (/^[1-5]$/.test(event.key)) { if (!event.repeat) gradeByKey(Number(event.key)); }
  else if (event.key === "ArrowDown") { event.preventDefault(); moveTo(Math.min(last, view.active + 1)); }
  else if (event.key === "ArrowUp") { event.preventDefault(); moveTo(Math.max(0, view.active - 1)); }
  else if (/^Arrow(Left|Right)$/.test(event.key) && event.target.matches("[data-grade]")) { event.preventDefault(); gradeBeside(event.target, event.key === "ArrowRight" ? 1 : -1); }
  else if (LETTERS[event.code] && !event.repeat) { event.preventDefault(); LETTERS[event.code](); }
});

begin().catch(told);
