// What every part of the Grade tab uses: its language, its server, and how it builds elements.
// Texts of models and people are set with textContent only, so that markup in them stays text.

const { levels, flags, reasons, runs, example } = props;
const address = new URLSearchParams(location.search);
const KO = (navigator.language || "ko").toLowerCase().startsWith("ko");
const say = (en, ko) => (KO ? ko : en);
const pick = (words) => (KO ? words.ko : words.en);
const named = (level) => (KO ? level.name : level.english);
// A grader's own token, or a name to suggest; without what a messenger took for a part of the link.
const invited = (address.get("grader") || "").replace(/[.,;:)\]}>"'”’]+$/, "");
const who = { token: /^[\w-]{22}$/.test(invited) ? invited : "", name: "", run: address.get("run") || "" };
const touch = matchMedia("(hover: none) and (pointer: coarse)");
const narrow = matchMedia("(max-width: 760px)"); // one reply at a time; page.css knows it too

const root = element.querySelector(".grading");
const stage = make("div", { class: "stage" });
const live = make("p", { class: "unseen", role: "status", "aria-live": "polite" });
let view = null; // the screen on show: answers, the card in focus, the time it took

// What a server or a proxy before it (a Space's, Colab's, Cloudflare's) says while it is busy or
// starts anew: it passes, as a lost connection does.
const passes = (status) => [408, 425, 429, 502, 503, 504].includes(status) || (status >= 520 && status <= 530);

function send(endpoint, data, more = {}) {
  const base = (window.gradio_config?.root || location.origin).replace(/\/$/, "");
  return fetch(`${base}/gradio_api/run/${endpoint}`, {
    method: "POST",
    headers: { "Content-Type": "application/json", "Accept-Language": KO ? "ko" : "en" },
    body: JSON.stringify({ data }),
    ...more,
  }).catch(() => null);
}

// Asks until there is an answer: nothing that a person did is lost, and an attempt's key makes
// what arrives twice one grade.
async function ask(endpoint, data) {
  let waited = false; // only what was said about waiting is over when there is an answer
  for (let wait = 500; ; wait = Math.min(wait * 2, 8000)) {
    const answer = await send(endpoint, data);
    // A body that breaks off in the middle is a lost connection too.
    const body = await answer?.json().catch(() => null);
    if (answer?.ok && body) { if (waited) notice(""); return body.data[0]; }
    if (answer && !answer.ok && !passes(answer.status)) {
      if (answer.status === 401) throw new Error(say("Please log in again.", "다시 로그인해 주세요."));
      throw new Error(body?.error || say("Something went wrong here.", "문제가 생겼어요."));
    }
    notice(answer ? say("The server is busy. Sending again …", "서버가 바빠요. 다시 보내는 중 …")
                  : say("Connection lost. Sending again …", "연결이 끊겼어요. 다시 보내는 중 …"));
    waited = true;
    await new Promise((go) => setTimeout(go, wait));
  }
}

// A message beside the button that it is about, read out to who does not see it.
function notice(message) {
  const place = root.querySelector(".stage .notice");
  if (place) { place.textContent = message; place.hidden = !message; }
  live.textContent = message;
}

const told = (error) => notice(error.message);

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

function button(label, onclick, attributes = {}) {
  return make("button", { type: "button", onclick, ...attributes }, label);
}

function message() {
  return make("p", { class: "notice", hidden: true });
}

function show(...children) {
  stage.replaceChildren(...children.filter(Boolean));
}

// The link that is the person: on any browser it goes on where they stopped.
function ownLink() {
  const link = new URL(location.href);
  for (const name of ["key", "tab"]) link.searchParams.delete(name); // a manager's key is nobody else's
  link.searchParams.set("grader", who.token);
  const field = make("input", { id: "grader-link", readonly: true, value: link.href, "aria-label": say("Your link", "내 링크"), onfocus: () => field.select() });
  const copy = button(say("Copy", "복사"), async () => {
    field.select();
    await navigator.clipboard?.writeText(link.href).catch(() => null); // else it is selected
    live.textContent = say("Copied", "복사했어요");
  });
  return make("div", { class: "own" },
    make("p", {}, say("This link is you. Open it in any browser, on any device, to go on where you stopped. It needs no cookie and no storage; keep it, and to yourself.",
      "이 링크로 나를 알아봐요. 어느 기기, 어느 브라우저에서든 이 링크를 열면 멈춘 곳부터 이어져요. 브라우저 저장소가 없어도 되니 링크를 보관하고, 다른 사람에게는 알려 주지 마세요.")),
    make("div", { class: "row" }, field, copy));
}
