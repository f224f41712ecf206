// For the manager: what of the run is graded, by how many and by whom.

const STATES = {
  untuned: say("before the tune", "튜닝 전 답변"),
  tuned: say("after the tune, one rank", "튜닝 후 답변(한 랭크)"),
  before_after: say("before and after, one rank", "튜닝 전과 후(한 랭크)"),
  all: say("everything, every rank", "전부(모든 랭크)"),
};

// Of the run that is chosen; nobody but the manager is given one.
async function showScope(run) {
  const plan = await ask("grade_plan", [run, {}]).catch(() => null);
  const choice = root.querySelector("#grader-run");
  if (run && choice && choice.value !== run) return; // another was chosen meanwhile
  const before = root.querySelector("#scope");
  before?.remove();
  if (!plan?.owner) return;
  const panel = scopePanel(plan, run || runs[0]);
  panel.open = Boolean(before?.open);
  root.prepend(panel);
}

function scopePanel(plan, run) {
  const choices = (values, chosen) => values.map(([value, label]) => make("option", { value, selected: value === chosen }, label));
  const number = (id, value, max, empty) => make("input", { id, type: "number", min: 1, max, step: 1, value, placeholder: empty });
  const given = plan.scope;
  const states = Object.entries(STATES).filter(([state]) => (plan.ranks.length || state === "untuned") && (plan.untuned || state !== "untuned"));
  const replies = make("select", { id: "scope-replies" }, choices(states, given.replies));
  const rank = make("select", { id: "scope-rank" }, choices(plan.ranks.map((one) => [String(one), String(one)]), String(given.rank)));
  const prompts = number("scope-prompts", given.prompts, plan.prompts_in_run, say("all", "전부"));
  const overlap = number("scope-overlap", given.overlap, 10000, say("every grader", "모든 평가자"));
  const graders = number("scope-graders", given.graders, 10000, say("not known", "정하지 않음"));
  const names = make("input", { id: "scope-names", value: given.names.join(", "), autocomplete: "off", placeholder: say("whoever has the link", "링크를 가진 누구나") });
  const outcome = make("p", { class: "work", id: "scope-load", role: "status" });
  const tell = ({ load }) => {
    outcome.textContent = say(
      `${load.candidates} candidates, ${load.prompts} of ${plan.prompts_in_run} prompts: a grader has ${load.items} items with ${load.grades} grades, about ${load.minutes} min at ${load.seconds_a_reply} s a reply (${load.timed_screens ? `measured on ${load.timed_screens} screens` : "assumed"}).`,
      `후보 ${load.candidates}개, 질문 ${plan.prompts_in_run}개 가운데 ${load.prompts}개: 한 사람이 항목 ${load.items}개, 등급 ${load.grades}개를 맡아요. 답변당 ${load.seconds_a_reply}초(${load.timed_screens ? `화면 ${load.timed_screens}개에서 측정` : "가정"})로 약 ${load.minutes}분이에요.`);
  };
  const whole = (field) => (field.value === "" ? null : Number(field.value));
  const save = async () => {
    const changes = {
      replies: replies.value, rank: rank.value ? Number(rank.value) : null,
      prompts: whole(prompts), overlap: whole(overlap), graders: whole(graders),
      names: names.value.split(",").map((name) => name.trim()).filter(Boolean),
    };
    try {
      tell(await ask("grade_plan", [run, changes]));
      live.textContent = outcome.textContent;
      const work = root.querySelector("#grader-work");
      if (work) effort(root.querySelector("#grader-run")?.value ?? run, work);
    } catch (error) { outcome.textContent = error.message; }
  };
  const field = (label, input) => make("label", {}, label, input);
  tell(plan);
  return make("details", { class: "scope", id: "scope" },
    make("summary", {}, say("What is graded (for you as the manager)", "평가 범위 (관리자용)") + (runs.length > 1 ? `: ${run}` : "")),
    make("div", { class: "fields" },
      field(say("Replies", "평가할 답변"), replies),
      plan.ranks.length > 0 && field(say("Rank", "랭크"), rank),
      field(say("Prompts", "질문 수"), prompts),
      field(say("Graders a prompt", "질문당 평가자 수"), overlap),
      field(say("Graders", "평가자 수"), graders),
      field(say("Only these names (comma between)", "평가할 사람 (쉼표로 구분)"), names)),
    outcome,
    button(say("Grade this from now on", "이대로 평가하기"), save, { class: "primary", id: "scope-save" }));
}
