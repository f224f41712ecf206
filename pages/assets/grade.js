// The Grade tab in the browser: one prompt, its replies as cards, five grades each.
// Texts of models and people are set with textContent only, so that markup in them stays text.

const KO = (navigator.language || "ko").toLowerCase().startsWith("ko");
const say = (en, ko) => (KO ? ko : en);
const pick = (words) => (KO ? words.ko : words.en);
const { levels, flags, reasons, runs, example } = props;
const address = new URLSearchParams(location.search);
const invited = address.get("grader") || ""; // a grader's own token, or a name to suggest
const who = { token: /^[\w-]{22}$/.test(invited) ? invited : "", name: "", run: address.get("run") || "" };
const root = element.querySelector(".grading");
let view = null; // the screen on show: answers, the card in focus, the time it took

// ---- talking to the server ------------------------------------------------------------------

// What a server or a proxy before it (a Space's, Colab's, Cloudflare's) says while it is busy or
// starts anew: it passes, as a lost connection does.
const passes = (status) => [408, 425, 429, 502, 503, 504].includes(status) || (status >= 520 && status <= 530);

// Asks until there is an answer: nothing that a person did is lost, and an attempt's key makes
// what arrives twice one grade.
async function ask(endpoint, data) {
  const base = (window.gradio_config?.root || location.origin).replace(/\/$/, "");
  for (let wait = 500; ; wait = Math.min(wait * 2, 8000)) {
    const answer = await fetch(`${base}/gradio_api/run/${endpoint}`, {
      method: "POST",
      headers: { "Content-Type": "application/json", "Accept-Language": KO ? "ko" : "en" },
      body: JSON.stringify({ data }),
    }).catch(() => null);
    // A body that breaks off in the middle is a lost connection too.
    const body = await answer?.json().catch(() => null);
    if (answer?.ok && body) { notice(""); return body.data[0]; }
    if (answer && !answer.ok && !passes(answer.status)) {
      if (answer.status === 401) throw new Error(say("Please log in again.", "다시 로그인해 주세요."));
      throw new Error(body?.error || say("Something went wrong here.", "문제가 생겼어요."));
    }
    notice(answer ? say("The server is busy. Sending again …", "서버가 바빠요. 다시 보내는 중 …")
                  : say("Connection lost. Sending again …", "연결이 끊겼어요. 다시 보내는 중 …"));
    await new Promise((go) => setTimeout(go, wait));
  }
}

function notice(message) {
  const place = root.querySelector(".notice");
  if (place) { place.textContent = message; place.hidden = !message; }
}

// ---- building ---------------------------------------------------------------------------------

function make(tag, attributes = {}, ...children) {
  const node = document.createElement(tag);
  for (const [name, value] of Object.entries(attributes)) {
    if (name.startsWith("on")) node.addEventListener(name.slice(2), value);
    else if (value === true) node.setAttribute(name, "");
    else if (value !== false && value != null) node.setAttribute(name, value);
  }
  for (const child of children.flat(Infinity)) if (child) node.append(child);
  return node;
}

function show(...children) {
  root.replaceChildren(make("p", { class: "notice", role: "alert", hidden: true }), ...children.filter(Boolean));
}

function button(label, onclick, attributes = {}) {
  return make("button", { type: "button", onclick, ...attributes }, label);
}

function rubric() {
  const narrow = matchMedia("(max-width: 860px)").matches;
  return make("details", { class: "rubric", open: !narrow || view.screen.practice },
    make("summary", {}, say("The five grades", "다섯 등급의 뜻")),
    make("p", { class: "quiet" }, pick(example)),
    make("dl", {}, levels.map((level) => [
      make("dt", {}, make("kbd", {}, String(level.value)), ` ${KO ? level.name : level.english}`),
      make("dd", {}, pick(level.meaning), make("span", { class: "quiet" }, pick(level.example))),
    ])));
}

// ---- start ------------------------------------------------------------------------------------

const MEMORY = "ohlora-grader";
const remembered = () => { try { return JSON.parse(localStorage.getItem(MEMORY)); } catch { return null; } };
const remember = () => { try { localStorage.setItem(MEMORY, JSON.stringify(who)); } catch { /* private window */ } };

async function begin() {
  try {
    return await open(); // a link or a login that is known
  } catch (unknown) {
    const earlier = remembered();
    const suggested = who.token ? "" : invited;
    const same = earlier?.token && (!suggested || suggested === earlier.name);
    welcome(suggested, same ? earlier : null);
  }
}

function welcome(name, earlier) {
  const field = make("input", { id: "grader-name", maxlength: 60, autocomplete: "off", value: name || earlier?.name || "" });
  const choice = runs.length > 1
    ? make("select", { id: "grader-run" }, runs.map((run) => make("option", { value: run, selected: run === who.run }, run)))
    : null;
  const start = async (token) => {
    try {
      const seat = await ask("grade_start", [field.value, token]);
      Object.assign(who, { token: seat.grader, name: seat.name, run: choice?.value ?? who.run });
      remember();
      keepInAddress();
      await open();
    } catch (error) { notice(error.message); }
  };
  field.addEventListener("keydown", (event) => {
    if (event.key === "Enter" && !event.isComposing) { event.preventDefault(); start(""); }
  });
  show(make("section", { class: "welcome" },
    make("h2", {}, say("Grade replies, blind", "누가 썼는지 모르는 답을 평가해 주세요")),
    make("ol", {},
      make("li", {}, say("You read one prompt and several replies to it.", "질문 하나와 그에 대한 답 여러 개를 읽습니다.")),
      make("li", {}, say("You give each reply one of five grades.", "답마다 다섯 등급 가운데 하나를 매깁니다.")),
      make("li", {}, say("You begin with two practice items. You may stop and come back at any time.", "연습 두 개로 시작합니다. 언제든 멈췄다가 이어서 할 수 있어요."))),
    earlier && make("p", {}, button(say(`Go on as ${earlier.name}`, `${earlier.name} 님으로 이어서 하기`), () => start(earlier.token), { class: "primary", id: "grader-continue" })),
    choice && make("label", {}, say("What to grade", "평가할 것"), choice),
    make("label", {}, earlier ? say("Or start as another person", "또는 다른 사람으로 시작하기") : say("Your name or a nickname", "이름이나 별명"), field),
    make("p", { class: "quiet" }, say("Only this name is kept about you.", "당신에 대해서는 이 이름만 저장됩니다.")),
    button(say("Start", "시작하기"), () => start(""), { class: earlier ? "" : "primary", id: "grader-start" })));
}

function keepInAddress() {
  const url = new URL(location.href);
  if (who.token) url.searchParams.set("grader", who.token);
  if (who.run) url.searchParams.set("run", who.run);
  history.replaceState(null, "", url);
}

// ---- one screen -------------------------------------------------------------------------------

async function open(number = -1) {
  const screen = await ask("grade_screen", [who.token, who.run, number]);
  if (screen.stranger) throw new Error(say("Please start with your name.", "이름을 적고 시작해 주세요."));
  if (screen.finished) return finish(screen);
  const draft = screen.earlier || drafts(screen.screen) || screen.replies.map(() => ({ grade: null, flags: [], note: "" }));
  view = { screen, answers: draft, active: 0, seconds: 0, since: performance.now(), attempt: crypto.randomUUID?.() ?? String(Math.random()).slice(2), sending: false };
  draw();
  root.scrollIntoView({ block: "start" });
}

function drafts(id, value) {
  try {
    if (value === undefined) return JSON.parse(sessionStorage.getItem(`draft ${id}`));
    if (value === null) sessionStorage.removeItem(`draft ${id}`);
    else sessionStorage.setItem(`draft ${id}`, JSON.stringify(value));
  } catch { /* no storage: only a reload would lose the draft */ }
  return null;
}

function draw() {
  const { screen, answers } = view;
  const title = screen.practice ? say("Practice", "연습") : "";
  show(
    make("header", { class: "progress" },
      button("←", () => open(screen.number - 1).catch((e) => notice(e.message)), { id: "grade-back", title: say("Back", "이전"), "aria-label": say("Back", "이전"), disabled: screen.number === 0 }),
      make("div", { class: "track" }, make("div", { style: `width:${(100 * (screen.place - 1)) / screen.total}%` })),
      make("strong", { id: "grade-progress" }, `${title} ${screen.place}/${screen.total}`.trim())),
    !screen.counts && !screen.practice && make("p", { class: "quiet", id: "grade-not-counted" }, say("You have seen results or names of this run: what you grade now is kept, but left out of the statistics.", "이 실행의 결과나 이름을 이미 보았기 때문에, 지금 매기는 등급은 저장되지만 통계에는 넣지 않아요.")),
    make("div", { class: "columns" },
      make("div", { class: "main" },
        make("div", { class: "prompt" }, make("span", { class: "quiet" }, say("Prompt", "질문")), make("p", { id: "grade-prompt" }, screen.prompt)),
        screen.replies.map((reply, place) => card(reply, place)),
        make("footer", {},
          make("details", { class: "skip" },
            make("summary", {}, say("Skip this one", "건너뛰기")),
            make("div", { class: "chips" }, Object.entries(reasons).map(([key, words]) => button(pick(words), () => submit(key), { "data-skip": key })))),
          make("span", { class: "quiet", id: "grade-left" }),
          button(say("Hand in ⏎", "제출 ⏎"), () => submit(""), { class: "primary", id: "grade-submit" }))),
      rubric()));
  answers.forEach((_, place) => paint(place));
  activate(Math.max(0, answers.findIndex((a) => a.grade === null)));
}

function card(reply, place) {
  const answer = view.answers[place];
  const note = make("input", {
    class: "note", maxlength: 2000, value: answer.note, autocomplete: "off",
    placeholder: say("A note, if you like", "메모 (쓰고 싶을 때만)"), "aria-label": say("Note", "메모"),
    oninput: (event) => { answer.note = event.target.value; drafts(view.screen.screen, view.answers); },
  });
  // Whatever of a card is clicked or focused makes it the one that keys act on. Both are needed:
  // a click on its text focuses nothing, and in Safari a click on a button doesn't either.
  const choose = () => activate(place);
  return make("article", { class: "card", id: `card-${place}`, tabindex: -1, onclick: choose, onfocusin: choose },
    make("h3", {}, `${say("Reply", "답")} ${String.fromCharCode(65 + place)}`),
    make("p", { class: reply.trim() ? "reply" : "reply empty" }, reply.trim() ? reply : say("(an empty reply)", "(빈 답)")),
    make("div", { class: "grades", role: "radiogroup", "aria-label": say("Grade", "등급") },
      [...levels].reverse().map((level) => make("button", {
        type: "button", role: "radio", "data-grade": level.value, title: pick(level.meaning),
        onclick: () => grade(place, level.value),
      }, make("kbd", {}, String(level.value)), KO ? level.name : level.english))),
    make("p", { class: "meaning quiet", "aria-live": "polite" }),
    make("div", { class: "chips" }, Object.entries(flags).map(([key, words]) => button(pick(words), () => flag(place, key), { "data-flag": key, "aria-pressed": "false" })), note));
}

function paint(place) {
  const node = root.querySelector(`#card-${place}`);
  const answer = view.answers[place];
  for (const one of node.querySelectorAll("[data-grade]")) one.setAttribute("aria-checked", String(Number(one.dataset.grade) === answer.grade));
  for (const one of node.querySelectorAll("[data-flag]")) one.setAttribute("aria-pressed", String(answer.flags.includes(one.dataset.flag)));
  const level = levels.find((one) => one.value === answer.grade);
  node.querySelector(".meaning").textContent = level ? pick(level.meaning) : say("Press 1–5", "1–5를 누르세요");
  node.classList.toggle("graded", answer.grade !== null);
  const left = view.answers.filter((one) => one.grade === null).length;
  root.querySelector("#grade-left").textContent = left ? say(`${left} to go`, `${left}개 남음`) : "";
  root.querySelector("#grade-submit").disabled = left > 0 || view.sending;
  drafts(view.screen.screen, view.answers);
}

function activate(place) {
  view.active = place;
  root.querySelectorAll(".card").forEach((node, at) => node.classList.toggle("active", at === place));
}

function moveTo(place) {
  // The focus goes along: a key must not act on one card while another has the focus.
  const card = root.querySelector(`#card-${place}`);
  card.focus({ preventScroll: true });
  activate(place);
  card.scrollIntoView({ block: "nearest", behavior: "smooth" });
}

// What was handed in stays as it is until it has arrived, and a practice once it is explained.
const settled = () => view.sending || Boolean(view.feedback);

function grade(place, value) {
  if (settled()) return;
  view.answers[place].grade = value;
  paint(place);
}

function flag(place, key) {
  if (settled()) return;
  const answer = view.answers[place];
  answer.flags = answer.flags.includes(key) ? answer.flags.filter((one) => one !== key) : [...answer.flags, key];
  paint(place);
}

function gradeByKey(value) {
  const place = view.active;
  grade(place, value);
  const next = view.answers.findIndex((one, at) => at > place && one.grade === null);
  if (next >= 0) moveTo(next);
  else root.querySelector("#grade-submit").scrollIntoView({ block: "nearest", behavior: "smooth" });
}

async function submit(skip) {
  if (!view || view.sending || view.feedback) return;
  if (!skip && view.answers.some((one) => one.grade === null)) return notice(say("Every reply needs a grade.", "모든 답에 등급을 매겨 주세요."));
  view.sending = true;
  root.querySelector("#grade-submit").disabled = true;
  try {
    const answers = skip ? view.answers.map((one) => ({ ...one, grade: null })) : view.answers;
    const done = await ask("grade_submit", [who.token, view.screen.screen, answers, view.attempt, takeTime(), skip]);
    drafts(view.screen.screen, null);
    if (done.feedback && !skip) return explain(done.feedback);
    await open();
  } catch (error) {
    view.sending = false;
    root.querySelector("#grade-submit").disabled = false;
    notice(error.message);
  }
}

function explain(feedback) {
  view.feedback = feedback;
  feedback.forEach((one, place) => {
    const level = levels.find((l) => l.value === one.usual);
    root.querySelector(`#card-${place} .meaning`).replaceChildren(
      make("strong", {}, say(`Most people: ${level.english}. `, `대부분은 ‘${level.name}’. `)), pick(one.why));
  });
  const go = root.querySelector("#grade-submit");
  go.replaceWith(button(say("Go on ⏎", "계속 ⏎"), () => open().catch((e) => notice(e.message)), { class: "primary", id: "grade-go-on" }));
  root.querySelector("#grade-go-on").scrollIntoView({ block: "nearest" });
}

// ---- the end ----------------------------------------------------------------------------------

function finish(end) {
  view = null;
  const most = Math.max(1, ...end.distribution);
  const facts = [
    say(`${end.screens} items, ${end.grades} grades`, `${end.screens}개 화면에서 등급 ${end.grades}개를 매겼어요.`),
    end.skips ? say(`${end.skips} skipped`, `${end.skips}개는 건너뛰었어요.`) : null,
    end.minutes >= 1 ? say(`${end.minutes} minutes`, `모두 ${end.minutes}분 걸렸어요.`) : null,
    end.same != null ? say(`Of ${end.repeats} replies that came twice you graded ${Math.round(100 * end.same)} % alike.`, `두 번 나온 답 ${end.repeats}개 가운데 ${Math.round(100 * end.same)}%에 같은 등급을 매겼어요.`) : null,
  ];
  show(make("section", { class: "welcome", id: "grade-finish" },
    make("h2", {}, say(`Thank you, ${end.name}!`, `${end.name} 님, 고맙습니다!`)),
    make("p", {}, end.skips
      ? say("What you graded is kept. The Results tab opens when you have graded what you skipped, too.", "매긴 등급은 저장했어요. 건너뛴 항목까지 평가하면 ‘결과’ 탭이 열려요.")
      : say("Everything is graded and kept. The Results tab is open to you now: grades you change after you have seen it are kept, but not counted.", "모두 평가하고 저장했어요. 이제 ‘결과’ 탭을 볼 수 있어요. 결과를 본 뒤에 고친 등급은 저장되지만 통계에는 넣지 않아요.")),
    make("ul", {}, facts.filter(Boolean).map((fact) => make("li", {}, fact))),
    make("div", { class: "bars" }, levels.map((level, at) => make("div", {},
      make("span", {}, KO ? level.name : level.english),
      make("div", { class: "track" }, make("div", { style: `width:${(100 * end.distribution[at]) / most}%` })),
      make("span", { class: "quiet" }, String(end.distribution[at]))))),
    end.skips
      ? button(say("Grade what I skipped", "건너뛴 항목 평가하기"), () => open(end.skipped[0]).catch((e) => notice(e.message)), { class: "primary", id: "grade-skipped" })
      : button(say("See the results", "결과 보기"), seeResults, { class: "primary", id: "grade-results" }),
    " ",
    button(say("Look at my grades again", "내 평가 다시 보기"), () => open(end.number - 1).catch((e) => notice(e.message)), { id: "grade-again" })));
}

function seeResults() {
  const url = new URL(location.href);
  url.searchParams.set("tab", "results");
  location.assign(url);
}

// ---- keys and time ----------------------------------------------------------------------------

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
  if (document.hidden) pause();
  else if (view) view.since = performance.now();
});

// Enter hands in from everywhere but from what it opens or chooses by itself. On a flag too: who
// has just set one by a click means to hand in, and Space is there to set one by key.
const ENTER_IS_ITS_OWN = ":is(button, summary, a):not([data-grade], [data-flag])";

document.addEventListener("keydown", (event) => {
  // A key that belongs to a Korean syllable in the making, or to another tab, is not for us.
  if (!view || root.offsetParent === null || event.isComposing || event.keyCode === 229) return;
  if (event.ctrlKey || event.metaKey || event.altKey) return;
  if (!root.contains(event.target) && event.target !== document.body) return;
  const typing = event.target.matches("input, textarea, select");
  const last = view.answers.length - 1;
  if (event.key === "Enter") {
    if (event.target.matches(ENTER_IS_ITS_OWN)) return;
    event.preventDefault();
    if (event.repeat) return; // a key that is held down is one press
    if (view.feedback) root.querySelector("#grade-go-on")?.click();
    else submit("");
  } else if (typing || settled()) return;
  else if (/^[1-5]$/.test(event.key)) { if (!event.repeat) gradeByKey(Number(event.key)); }
  else if (event.key === "ArrowDown" || event.key === "j") { event.preventDefault(); moveTo(Math.min(last, view.active + 1)); }
  else if (event.key === "ArrowUp" || event.key === "k") { event.preventDefault(); moveTo(Math.max(0, view.active - 1)); }
});

begin().catch((error) => notice(error.message));
