// How old the results shown are, in the visitor's own time, while newer ones are being made; asks
// for those, but only where somebody can see it.

const line = element.querySelector("p");
let waiting = 0;

function ask() {
  const seen = !document.hidden && element.offsetParent;
  if (seen) trigger("tick", { index: 0 }); // the page takes no event without a place
  else wait();
}

function wait() {
  clearTimeout(waiting);
  waiting = setTimeout(ask, 1000 * props.value.again);
}

function draw() {
  clearTimeout(waiting);
  const age = props.value || {};
  const clock = new Date(1000 * age.read_at).toLocaleTimeString([], { hour: "2-digit", minute: "2-digit" });
  const told = age.told ? age.told.replace("{time}", clock) : "";
  if (line.textContent !== told) line.textContent = told;  // the same words are not read out again
  if (age.again) wait();
}

watch("value", draw);
draw();
