// One screen: its prompt, its replies as cards, five grades each, and the way from item to item.

// number -1: what is to be graded next.
async function open(number = -1) {
  keepDraft(true);
  await drafted; // else the way back would show what was chosen before
  const screen = await ask("grade_screen", [who.token, who.run, number]);
  if (screen.stranger) throw new Error(say("Please start with your name.", "이름을 적고 시작해 주세요."));
  if (screen.finished) return finish(screen);
  const begun = screen.draft || screen.earlier || screen.replies.map(() => ({ grade: null, flags: [], note: "" }));
  view = { screen, answers: begun, active: 0, seconds: 0, since: performance.now(), attempt: crypto.randomUUID?.() ?? String(Math.random()).slice(2), sending: false };
  draw();
  if (screen.draft && screen.earlier) notice(say("You have changed this and not handed it in yet.", "고친 내용을 아직 제출하지 않았어요."));
  stage.scrollIntoView({ block: "start" });
  root.querySelector("#grade-question").focus({ preventScroll: true }); // what comes is read out
}

// ---- what was chosen and not handed in -------------------------------------------------------

// It is kept on the server, so that it is there on any device; one that was lost is sent again.
function keepDraft(now = false, wait = 1000) {
  if (!view?.unsaved || view.sending) return;
  clearTimeout(view.saving);
  const { screen, answers } = view;
  const lost = (answer) => (!answer || passes(answer.status)) && view?.screen === screen && !view.sending;
  const save = () => {
    if (view?.screen !== screen) return;
    view.unsaved = false;
    drafted = send("grade_draft", [who.token, screen.screen, answers], { keepalive: true })
      .then((answer) => { if (lost(answer)) { view.unsaved = true; keepDraft(false, 4000); } });
  };
  view.saving = now ? save() : setTimeout(save, wait);
}
let drafted = null; // the last draft on its way: grades must not overtake it

function changed() {
  view.unsaved = true;
  keepDraft();
}

// ---- building ---------------------------------------------------------------------------------

function rubric() {
  return [
    make("p", { class: "quiet" }, pick(example)),
    make("dl", {}, levels.map((level) => [
      make("dt", {}, make("kbd", {}, String(level.value)), ` ${named(level)}`),
      make("dd", {}, pick(level.meaning), make("span", { class: "quiet" }, pick(level.example))),
    ]))];
}

function draw() {
  const { screen, answers } = view;
  root.classList.remove("explained");
  show(
    strip(screen),
    screen.practice && screen.place === 1 && who.token && make("details", { class: "mine" }, make("summary", {}, say("Keep your own link", "내 링크 보관하기")), ownLink()),
    !screen.counts && !screen.practice && make("p", { class: "quiet", id: "grade-not-counted" }, say("You have seen results or names of this run: what you grade now is kept, but left out of the statistics.", "이 실행의 결과나 이름을 이미 보았기 때문에, 지금 매기는 등급은 저장되지만 통계에는 넣지 않아요.")),
    make("div", { class: "columns" },
      make("div", { class: "main" },
        make("div", { class: "prompt", id: "grade-question", tabindex: -1, role: "group", "aria-labelledby": "grade-progress grade-prompt" },
          make("h2", {}, make("span", {}, screen.practice ? say("Practice prompt ", "연습 질문 ") : say("Prompt ", "질문 ")), make("span", { id: "grade-progress" }, `${screen.place}/${screen.total}`)),
          make("p", { id: "grade-prompt" }, screen.prompt),
          answers.length > 1 && picker(answers)),
        screen.replies.map((reply, place) => replyCard(reply, place)),
        bar(screen)),
      make("section", { class: "rubric", "aria-label": say("The five grades", "등급 기준") }, make("h2", {}, say("The five grades", "등급 기준")), rubric())));
  answers.forEach((_, place) => { paint(place); fold(place); });
  activate(Math.max(0, answers.findIndex((a) => a.grade === null)));
  for (const one of root.querySelectorAll("#grade-prompt, .rubric")) if (one.scrollHeight > one.clientHeight + 1) one.tabIndex = 0; // scrolled by keys
}

const letter = (place) => String.fromCharCode(65 + place);
const replyName = (place) => `${say("Reply", "답변")} ${letter(place)}`;

// Where one reply is shown at a time, the way to the others.
function picker(answers) {
  return make("div", { class: "picker", role: "group", "aria-label": say("Replies", "답변") },
    answers.map((_, place) => button(letter(place), () => moveTo(place), { "data-pick": place })));
}

const STRIP = {
  done: say("graded", "평가함"),
  skipped: say("skipped", "건너뜀"),
  open: say("open", "남음"),
};

// All items of this person; what was handed in can be opened again, and the first that was not.
function strip(screen) {
  const next = screen.strip.findIndex((state) => state.endsWith("open"));
  let place = 0, practice = 0;
  return make("nav", { class: "strip", "aria-label": say("Items", "항목") },
    button("←", () => step(-1), { id: "grade-back", "aria-label": say("Item before", "이전 항목"), disabled: screen.number === 0 }),
    make("ol", {}, screen.strip.map((entry, number) => {
      const state = entry.split(" ").at(-1);
      const name = entry.startsWith("practice") ? `${say("Practice", "연습")} ${++practice}` : String(++place);
      const short = entry.startsWith("practice") ? `${say("P", "연")}${practice}` : name;
      return make("li", {}, button(short, () => open(number).catch(told), {
        "data-state": state, "aria-label": `${name}: ${STRIP[state]}`, title: `${name}: ${STRIP[state]}`,
        "aria-current": number === screen.number ? "step" : null,
        disabled: next >= 0 && number > next,
      }));
    })),
    button("→", () => step(1), { id: "grade-forward", "aria-label": say("Item after", "다음 항목"), disabled: !reachable(screen, 1) }));
}

function reachable(screen, by) {
  const number = screen.number + by;
  return number >= 0 && number < screen.strip.length && (by < 0 || !screen.strip[screen.number].endsWith("open"));
}

function step(by) {
  if (view.sending) return;
  if (reachable(view.screen, by)) open(view.screen.number + by).catch(told);
  else notice(by < 0 ? say("This is the first item.", "첫 항목이에요.") : say("Hand this one in first, or skip it.", "이 항목을 먼저 제출하거나 건너뛰어 주세요."));
}

function replyCard(reply, place) {
  const answer = view.answers[place];
  const note = make("input", {
    class: "note", maxlength: 2000, value: answer.note, autocomplete: "off",
    placeholder: say("Note (optional)", "메모 (선택)"), "aria-label": `${replyName(place)}: ${say("note", "메모")}`,
    oninput: (event) => { if (!settled()) { answer.note = event.target.value; changed(); } },
  });
  // Whatever of a card is clicked or focused makes it the one that keys act on. Both are needed:
  // a click on its text focuses nothing, and in Safari a click on a button doesn't either.
  const choose = () => activate(place);
  return make("article", { class: "card", id: `card-${place}`, tabindex: -1, "aria-labelledby": `card-${place}-name`, onclick: choose, onfocusin: choose },
    make("h3", { id: `card-${place}-name` }, replyName(place)),
    replyText(reply, place),
    make("div", { class: "grades", role: "radiogroup", "aria-label": `${replyName(place)}: ${say("grade", "등급")}` },
      [...levels].reverse().map((level) => make("button", {
        type: "button", role: "radio", "data-grade": level.value, title: pick(level.meaning),
        onclick: () => gradeByHand(place, level.value),
      }, make("kbd", {}, String(level.value)), make("span", {}, named(level)), make("span", { class: "hint" }, pick(level.meaning))))),
    make("p", { class: "meaning quiet" }),
    make("div", { class: "chips", role: "group", "aria-label": `${replyName(place)}: ${say("flags", "표시")}` }, Object.entries(flags).map(([key, words]) => button(pick(words), () => flag(place, key), { "data-flag": key, "aria-pressed": "false" })), note));
}

// What stays at the foot of the window: messages, skipping, and handing in.
function bar(screen) {
  const words = make("input", { class: "skip-words", maxlength: 1500, autocomplete: "off", "aria-label": say("The reason", "건너뛰는 이유"), placeholder: say("The reason, in your words", "건너뛰는 이유를 적어 주세요") });
  const other = make("div", { class: "row skip-other", hidden: true }, words, button(say("Skip", "건너뛰기"), skipOther, { id: "grade-skip-other" }));
  const choose = (key) => () => {
    if (key !== "other") return submit(key);
    other.hidden = false;
    words.focus();
  };
  return make("footer", { class: "bar" },
    make("details", { class: "skip" },
      make("summary", {}, say("Skip", "건너뛰기")),
      make("div", { class: "chips" }, Object.entries(reasons).map(([key, reason]) => button(pick(reason), choose(key), { "data-skip": key }))),
      other),
    button("?", help, { id: "grade-help", "aria-label": say("Keys and grades", "사용법과 등급 기준") }),
    message(),
    make("span", { class: "quiet", id: "grade-left" }),
    button(touch.matches ? say("Hand in", "제출") : say("Hand in ⏎", "제출 ⏎"), () => submit(""), { class: "primary", id: "grade-submit" }));
}

function openSkip() {
  const box = root.querySelector(".skip");
  box.open = true;
  box.querySelector("[data-skip]").focus();
}

function closeSkip() {
  root.querySelector(".skip").open = false;
}

function skipOther() {
  const field = root.querySelector(".skip-words");
  if (field.value.trim()) return submit(`other: ${field.value.trim()}`);
  notice(say("Please say why.", "이유를 적어 주세요."));
  field.focus();
}

function paint(place) {
  const node = root.querySelector(`#card-${place}`);
  const answer = view.answers[place];
  for (const one of node.querySelectorAll("[data-grade]")) {
    const value = Number(one.dataset.grade);
    one.setAttribute("aria-checked", String(value === answer.grade));
    one.tabIndex = value === (answer.grade ?? levels.at(-1).value) ? 0 : -1; // one stop a group; arrows inside
  }
  for (const one of node.querySelectorAll("[data-flag]")) one.setAttribute("aria-pressed", String(answer.flags.includes(one.dataset.flag)));
  const level = levels.find((one) => one.value === answer.grade);
  node.querySelector(".meaning").textContent = level ? pick(level.meaning)
    : touch.matches ? say("Choose a grade", "등급을 고르세요") : say("Grade with the keys 1–5", "1~5 키로 등급을 매기세요");
  node.classList.toggle("graded", answer.grade !== null);
  const pick_ = root.querySelector(`[data-pick="${place}"]`);
  pick_?.classList.toggle("graded", answer.grade !== null);
  pick_?.setAttribute("aria-label", `${replyName(place)}: ${level ? named(level) : say("no grade yet", "등급 없음")}`);
  const left = view.answers.filter((one) => one.grade === null).length;
  root.querySelector("#grade-left").textContent = left ? say(`${left} to go`, `${left}개 남음`) : "";
  root.querySelector("#grade-submit").disabled = left > 0 || view.sending;
}

// ---- grading ----------------------------------------------------------------------------------

function activate(place) {
  view.active = place;
  root.querySelectorAll(".card").forEach((node, at) => node.classList.toggle("active", at === place));
  root.querySelectorAll("[data-pick]").forEach((node, at) => (at === place ? node.setAttribute("aria-current", "true") : node.removeAttribute("aria-current")));
  fold(place);
}

function moveTo(place) {
  clearTimeout(view.going); // who chooses a reply is not taken on to the next
  // The focus goes along: a key must not act on one card while another has the focus.
  activate(place);
  const node = root.querySelector(`#card-${place}`);
  node.focus({ preventScroll: true });
  node.scrollIntoView({ block: narrow.matches ? "start" : "nearest", behavior: matchMedia("(prefers-reduced-motion: reduce)").matches ? "auto" : "smooth" });
}

// What was handed in stays as it is until it has arrived, and a practice once it is explained.
const settled = () => view.sending || Boolean(view.feedback);

function grade(place, value) {
  if (settled()) return;
  view.answers[place].grade = value;
  paint(place);
  changed();
  live.textContent = `${replyName(place)}: ${named(levels.find((one) => one.value === value))}`;
}

function flag(place, key) {
  if (settled()) return;
  const answer = view.answers[place];
  answer.flags = answer.flags.includes(key) ? answer.flags.filter((one) => one !== key) : [...answer.flags, key];
  paint(place);
  changed();
}

// By hand the next reply comes only where one is shown at a time, and not after a correction.
function gradeByHand(place, value) {
  const first = view.answers[place].grade === null;
  grade(place, value);
  if (first && narrow.matches && !settled()) onward(place, 220);
}

function gradeByKey(value) {
  const place = view.active;
  grade(place, value);
  onward(place, 0);
}

function onward(place, after) {
  const { screen } = view;
  const next = view.answers.findIndex((one, at) => at > place && one.grade === null);
  const go = () => { if (view?.screen === screen && view.active === place && next >= 0) moveTo(next); };
  if (after) view.going = setTimeout(go, after); // the choice is seen before it goes
  else go();
}

function gradeBeside(node, by) {
  const place = view.active;
  const value = Math.min(5, Math.max(1, Number(node.dataset.grade) + by));
  grade(place, value);
  root.querySelector(`#card-${place} [data-grade="${value}"]`).focus();
}

async function submit(skip) {
  if (!view || view.sending || view.feedback) return;
  if (!skip && view.answers.some((one) => one.grade === null)) {
    notice(say("Every reply needs a grade.", "모든 답변에 등급을 매겨 주세요."));
    return moveTo(view.answers.findIndex((one) => one.grade === null));
  }
  view.sending = true;
  notice("");
  clearTimeout(view.saving);
  root.querySelector("#grade-submit").disabled = true;
  try {
    const answers = skip ? view.answers.map((one) => ({ ...one, grade: null })) : view.answers;
    await drafted;
    const done = await ask("grade_submit", [who.token, view.screen.screen, answers, view.attempt, takeTime(), skip]);
    view.unsaved = false;
    if (done.feedback && !skip) return explain(done.feedback);
    await open();
  } catch (error) {
    view.sending = false;
    root.querySelector("#grade-submit").disabled = false;
    told(error);
  }
}

function explain(feedback) {
  view.feedback = feedback;
  feedback.forEach((one, place) => {
    const level = levels.find((l) => l.value === one.usual);
    root.querySelector(`#card-${place} .meaning`).replaceChildren(
      make("strong", {}, say(`Usual grade: ${level.english}. `, `기준 등급: ${level.name}. `)), pick(one.why));
  });
  live.textContent = [...root.querySelectorAll(".meaning")].map((one, place) => `${replyName(place)}. ${one.textContent}`).join(" ");
  const go = root.querySelector("#grade-submit");
  go.replaceWith(button(touch.matches ? say("Go on", "계속") : say("Go on ⏎", "계속 ⏎"), () => open().catch(told), { class: "primary", id: "grade-go-on" }));
  root.classList.add("explained"); // all replies at once, each with its explanation
  feedback.forEach((_, place) => fold(place));
  root.querySelector("#grade-go-on").focus();
}
