// How old the results shown are, in the visitor's own time, while newer ones are being made; asks
// for those, and for the chosen run's where another's are shown, but only where somebody can see it.

const line = element.querySelector("p");
let waiting = 0;

function pause() {
  const { run, again } = props.value || {};
  const chosen = document.querySelector("#results-run input");
  return run && chosen?.value && run !== chosen.value ? 0.3 : again;
}

function ask(times) {
  const asks = pause() && !document.hidden && element.offsetParent;
  if (asks) trigger("tick", { index: 0 }); // the page takes no event without a place
  wait(asks ? Math.min(2 * times, 16) : 1); // longer and longer where no answer comes
}

function wait(times) {
  clearTimeout(waiting);
  waiting = setTimeout(ask, 1000 * (pause() || 1) * times, times);
}

// A run's first look takes seconds, in which an empty page would say nothing of it.
const COMPUTING = document.documentElement.lang === "ko" ? "결과를 계산하고 있어요…" : "Computing the results…";
let missing = 0; // how often in a row the chosen run's were looked for in vain
function isComputing() {
  const chosen = document.querySelector("#results-run input");
  const choosing = chosen?.getAttribute("aria-expanded") === "true";
  return chosen?.value && !choosing && element.offsetParent && props.value?.run !== chosen.value;
}

function tell() {
  missing = isComputing() ? missing + 1 : 0;
  const age = props.value || {};
  const clock = new Date(1000 * age.read_at).toLocaleTimeString([], { hour: "2-digit", minute: "2-digit" });
  const told = missing > 1 ? COMPUTING : age.told ? age.told.replace("{time}", clock) : "";
  if (line.textContent !== told) line.textContent = told;  // the same words are not read out again
}

function draw() {
  tell();
  // For page.css: the buttons are put up later than this, and would give no file.
  element.closest(".tabitem")?.toggleAttribute("data-no-files", props.value?.files === false);
  wait(1);
}

watch("value", draw);
draw();
setInterval(tell, 400);
