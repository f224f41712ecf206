// Long replies: as much of each as leaves its grades near, the same for all, and the whole at a tap.

function replyText(reply, place) {
  if (!reply.trim()) return make("p", { class: "reply empty" }, say("(an empty reply)", "(빈 답변)"));
  const text = make("p", { class: "reply", id: `reply-${place}` }, reply);
  const more = button("", () => {
    showWhole(place, !text.matches(".whole"));
    if (!text.matches(".whole")) more.scrollIntoView({ block: "center" }); // it was far below
  }, { class: "more", hidden: true, "aria-controls": text.id });
  return [text, more];
}

const textOf = (place) => root.querySelector(`#reply-${place}`); // an empty reply has none

function showWhole(place, whole) {
  const text = textOf(place), more = text.nextElementSibling;
  text.classList.toggle("whole", whole);
  more.hidden = false;
  more.setAttribute("aria-expanded", String(whole));
  more.replaceChildren(...(touch.matches ? [] : [make("kbd", {}, "W")]), whole
    ? say(`Less of reply ${letter(place)}`, `답변 ${letter(place)} 접기`)
    : say(`Whole reply ${letter(place)}`, `답변 ${letter(place)} 전체 보기`));
}

// The style sets how much is shown; of a reply that is only a little longer all is. What isn't on
// show has no height yet.
function fold(place) {
  const text = textOf(place);
  if (!text || text.matches(".long") || text.scrollHeight <= text.clientHeight + 1) return;
  text.classList.add("long");
  showWhole(place, false);
}

addEventListener("resize", () => view?.answers.forEach((_, place) => {
  const text = textOf(place);
  if (!text || text.matches(".whole")) return;
  text.classList.remove("long");
  text.nextElementSibling.hidden = true;
  fold(place);
}));
