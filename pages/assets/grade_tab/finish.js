// The end of grading: what was given, what was skipped, and the way to the results.

function finish(end) {
  view = null;
  if (!end.screens) return nothingLeft(end);
  const most = Math.max(1, ...end.distribution);
  const facts = [
    say(`${end.screens} items, ${end.grades} grades`, `항목 ${end.screens}개에서 등급 ${end.grades}개를 매겼어요.`),
    end.skips ? say(`${end.skips} skipped`, `${end.skips}개는 건너뛰었어요.`) : null,
    end.minutes >= 1 ? say(`${end.minutes} minutes`, `모두 ${end.minutes}분 걸렸어요.`) : null,
    end.same != null ? say(`Of ${end.repeats} replies that came twice you graded ${Math.round(100 * end.same)} % alike.`, `두 번 나온 답변 ${end.repeats}개 가운데 ${Math.round(100 * end.same)}%에 같은 등급을 매겼어요.`) : null,
  ];
  const head = make("h2", { tabindex: -1 }, say(`Thank you, ${end.name}!`, `${end.name} 님, 고마워요!`));
  show(make("section", { class: "welcome", id: "grade-finish" },
    head,
    make("p", {}, ending(end)),
    make("ul", {}, facts.filter(Boolean).map((fact) => make("li", {}, fact))),
    make("div", { class: "bars" }, levels.map((level, at) => make("div", {},
      make("span", {}, named(level)),
      make("div", { class: "track" }, make("div", { style: `width:${(100 * end.distribution[at]) / most}%` })),
      make("span", { class: "quiet" }, String(end.distribution[at]))))),
    make("div", { class: "row" },
      end.skips
        ? button(say("Grade what I skipped", "건너뛴 항목 평가하기"), () => open(end.skipped[0]).catch(told), { class: "primary", id: "grade-skipped" })
        : end.results_open && button(say("See the results", "결과 보기"), seeResults, { class: "primary", id: "grade-results" }),
      button(say("Look at my grades again", "내 평가 다시 보기"), () => open(end.number - 1).catch(told), { id: "grade-again" }),
      message()),
    who.token && ownLink()));
  head.focus();
}

// Graders are promised results only where the manager shows them.
function ending(end) {
  const kept = end.skips ? say("What you graded is kept.", "매긴 등급은 저장했어요.") : say("Everything is graded and kept.", "모두 평가하고 저장했어요.");
  if (!end.results_open) return kept;
  return `${kept} ${end.skips
    ? say("The Results tab opens when you have graded what you skipped, too.", "건너뛴 항목까지 평가하면 ‘결과’ 탭이 열려요.")
    : say("The Results tab is open to you now: grades you change after you have seen it are kept, but not counted.", "이제 ‘결과’ 탭을 볼 수 있어요. 결과를 본 뒤에 고친 등급은 저장되지만 통계에는 넣지 않아요.")}`;
}

function nothingLeft(end) {
  show(make("section", { class: "welcome", id: "grade-nothing" },
    make("h2", {}, say(`Thank you, ${end.name}!`, `${end.name} 님, 고마워요!`)),
    make("p", {}, say("Others have graded or are grading everything that is asked for: nothing is left for you here just now.", "다른 분들이 맡아 주셔서 지금은 평가할 항목이 남아 있지 않아요."))));
}

function seeResults() {
  const url = new URL(location.href);
  url.searchParams.set("tab", "results");
  location.assign(url);
}
