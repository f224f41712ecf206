// Gradio's own labels are English whatever the visitor's language, and some stand where no label
// may: on a plain div, which no screen reader tells.

const SPOKEN = {
  "Reset to default value": "기본값으로 되돌리기",
  "Empty value": "비어 있음",
  "Remove item": "항목 빼기",
  Clear: "지우기",
  "Clear all": "모두 지우기",
  Close: "닫기",
  Copied: "복사됨",
  Copy: "복사",
  Download: "내려받기",
  "View full screen": "전체 화면",
  Stop: "멈추기",
  Submit: "보내기",
};
const MESSAGE_TITLES = { Error: "알림", Warning: "주의", Info: "알림", Success: "완료" };
const SPOKEN_OF = [
  [/^number input for (.*)$/s, "$1 (숫자)"],
  [/^range slider for (.*)$/s, "$1 (슬라이더)"],
];

function inKorean(label) {
  if (Object.hasOwn(SPOKEN, label)) return SPOKEN[label];
  const [pattern, words] = SPOKEN_OF.find(([each]) => each.test(label)) || [];
  return pattern ? label.replace(pattern, words) : label;
}

// Before a message is painted: its title is read and read out at once.
function mendTitles() {
  if (document.documentElement.lang !== "ko") return;
  for (const { firstChild } of document.querySelectorAll(".toast-title")) {
    const title = MESSAGE_TITLES[firstChild?.textContent.trim()];
    if (title) firstChild.textContent = `${title} `;
  }
}

function mendLabels() {
  for (const bare of document.querySelectorAll("div[aria-label]:not([role])")) bare.removeAttribute("aria-label");
  if (document.documentElement.lang !== "ko") return;
  for (const name of ["aria-label", "title"]) {
    for (const one of document.querySelectorAll(`[${name}]`)) {
      const label = one.getAttribute(name), korean = inKorean(label);
      if (korean !== label && one.checkVisibility()) one.setAttribute(name, korean);
    }
  }
}

let mending = 0;
new MutationObserver(() => {
  mendTitles();
  mending ||= setTimeout(() => { mending = 0; mendLabels(); }, 100);
}).observe(document.body, { childList: true, subtree: true, attributes: true, attributeFilter: ["aria-label", "title"] });
mendLabels();
