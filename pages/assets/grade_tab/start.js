// The start of grading: what is asked for, how long it takes, and a name.

const MEMORY = "ohlora-grader"; // a convenience only: the link does without
const remembered = () => { try { return JSON.parse(localStorage.getItem(MEMORY)); } catch { return null; } };
const remember = () => { try { localStorage.setItem(MEMORY, JSON.stringify(who)); } catch { /* private window */ } };

async function begin() {
  root.replaceChildren(stage, live);
  if (address.get("key")) showScope(who.run);
  try {
    return await open(); // a link or a login that is known
  } catch (unknown) {
    const earlier = remembered();
    const suggested = who.token || isCut(invited) ? "" : invited;
    const same = earlier?.token && (!suggested || suggested === earlier.name);
    welcome(suggested, same ? earlier : null);
    if (who.token) told(unknown);
    else if (isCut(invited)) notice(say("Part of this invitation link is missing. Open the whole link that you were given.", "초대 링크의 일부가 빠졌어요. 받은 링크를 끝까지 복사해서 다시 열어 주세요."));
  }
}

// A token that lost its end is no name to suggest.
const isCut = (text) => !who.token && /^[\w-]{16,}$/.test(text) && [/\d/, /[a-z]/, /[A-Z]/].every((kind) => kind.test(text));

function welcome(name, earlier) {
  const field = make("input", { id: "grader-name", maxlength: 60, autocomplete: "off", value: name || earlier?.name || "" });
  const choice = runs.length > 1
    ? make("select", { id: "grader-run", onchange: () => chosen(choice.value) }, runs.map((run) => make("option", { value: run, selected: run === who.run }, run)))
    : null;
  const work = make("p", { id: "grader-work", class: "work" });
  const chosen = (run) => {
    effort(run, work);
    if (address.get("key")) showScope(run);
  };
  const start = async (token) => {
    try {
      const seat = await ask("grade_start", [field.value, token]);
      Object.assign(who, { token: seat.grader, name: seat.name, run: choice?.value ?? who.run });
      remember();
      keepInAddress();
      await open();
    } catch (error) { told(error); field.focus(); }
  };
  field.addEventListener("keydown", (event) => {
    if (event.key === "Enter" && !event.isComposing) { event.preventDefault(); start(""); }
  });
  show(make("section", { class: "welcome" },
    make("h2", {}, say("Grade replies without knowing whose they are", "어느 모델의 답변인지 가리고 평가해요")),
    work,
    make("ol", {},
      make("li", {}, say("You read one prompt and several replies to it.", "질문 하나와 그에 대한 답변 여러 개를 읽어요.")),
      make("li", {}, say("You give each reply one of five grades.", "답변마다 다섯 등급 가운데 하나를 매겨요.")),
      make("li", {}, say("You begin with two practice items. You may stop and come back at any time.", "연습 두 개로 시작해요. 언제든 멈췄다가 이어서 할 수 있어요."))),
    earlier && make("p", {}, button(say(`Go on as ${earlier.name}`, `${earlier.name} 님으로 이어서 하기`), () => start(earlier.token), { class: "primary", id: "grader-continue" })),
    choice && make("label", {}, say("What to grade", "평가 대상"), choice),
    make("label", {}, earlier ? say("Or start as another person", "또는 다른 사람으로 시작하기") : say("Your name or a nickname", "이름이나 별명"), field),
    make("p", { class: "quiet" }, say("Only this name is kept about you. You then get a link of your own, which is you on any device.", "개인 정보는 여기에 적은 이름(별명)만 저장해요. 시작하면 어느 기기에서든 이어서 할 수 있는 내 링크를 드려요.")),
    make("div", { class: "row" }, button(say("Start", "시작하기"), () => start(""), { class: earlier ? "" : "primary", id: "grader-start" }), message())));
  effort(choice?.value ?? who.run, work);
}

// How many items, and about how long: from the times of those who have graded, if any have.
async function effort(run, place) {
  const plan = await ask("grade_plan", [run, {}]).catch(() => null);
  if (!plan) return;
  const { items, minutes, timed_screens: timed } = plan.load;
  place.textContent = say(`${items} ${items === 1 ? "item" : "items"}, about ${minutes} ${minutes === 1 ? "minute" : "minutes"}`, `항목 ${items}개, 약 ${minutes}분`)
    + (timed ? "" : say(" (assumed: too little has been timed yet)", " (아직 잰 시간이 적어 어림한 시간이에요)"));
}

function keepInAddress() {
  const url = new URL(location.href);
  if (who.token) url.searchParams.set("grader", who.token);
  if (who.run) url.searchParams.set("run", who.run);
  history.replaceState(null, "", url);
}
