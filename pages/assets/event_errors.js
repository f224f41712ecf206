// Gradio tells nobody why an event failed that doesn't wait in line (`queue=False`): what the
// server said is read here, shown and read out. The Grade tab asks by itself and tells by itself.

const EVENTS = /\/gradio_api\/run\/predict(\?|$)/;
const TOLD_FOR = 10_000; // milliseconds, as Gradio's own messages
const told = (en, ko) => (document.documentElement.lang === "ko" ? ko : en);

// The server's messages are escaped for Gradio, which takes them for HTML; here they are text.
const plain = (message) => new DOMParser().parseFromString(message, "text/html").body.textContent;

function messageBox() {
  const known = document.getElementById("event-error");
  if (known) return known;
  const box = document.createElement("div");
  box.id = "event-error";
  box.setAttribute("role", "alert");
  document.querySelector(".gradio-container").append(box);
  return box;
}

let fading = 0;
function tell(message) {
  const box = messageBox();
  const words = document.createElement("p");
  words.textContent = message;
  const close = document.createElement("button");
  close.type = "button";
  close.textContent = "×";
  close.setAttribute("aria-label", told("Close", "닫기"));
  close.onclick = () => box.replaceChildren();
  box.replaceChildren(words, close);
  clearTimeout(fading);
  fading = setTimeout(() => box.replaceChildren(), TOLD_FOR);
}

async function tellWhy(answer) {
  const said = await answer.json().catch(() => null);
  if (answer.status === 401) tell(told("Please log in again.", "다시 로그인해 주세요."));
  else tell(said?.error ? plain(said.error) : told("Something went wrong here.", "문제가 생겼어요."));
}

if (!window.fetch.tellsWhy) {
  const ask = window.fetch;
  window.fetch = async (...asked) => {
    const ours = EVENTS.test(String(asked[0]?.url ?? asked[0]));
    try {
      const answer = await ask.apply(window, asked);
      if (ours && !answer.ok) tellWhy(answer.clone());
      return answer;
    } catch (lost) {
      if (ours && lost.name !== "AbortError") tell(told("Connection lost. Please try again.", "연결이 끊겼어요. 다시 시도해 주세요."));
      throw lost;
    }
  };
  window.fetch.tellsWhy = true;
}
