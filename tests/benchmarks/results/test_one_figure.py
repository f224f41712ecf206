"""Page, report, terminal and decision show one figure for one thing, whatever became of it."""

from __future__ import annotations

import io
import json
from dataclasses import replace
from pathlib import Path

import pytest

from benchmarks.report.evidence import Evidence
from benchmarks.report.llm_report import to_csv
from benchmarks.report.tables.main_table import main_table
from benchmarks.report.terminal_tables import run_table
from benchmarks.results.decision import decide
from benchmarks.results.folder import RunFolder
from benchmarks.results.run import Run
from benchmarks.results.shown_rows import (
    cost_and_quality,
    decision_rows,
    difference_rows,
    grade_rows,
)
from evaluators.grading.statistics.grade_summary import summarize
from evaluators.grading.store.grade_records import Grade, Grader, reply_hash
from evaluators.grading.store.grade_store import GradeStore
from model_registry.records import Reply, Result, ScoreRow, append_rows, to_json
from pages.tabs.results_tab import DECISION
from tests.support.report_fixtures import QUALITY, make_run

OUT_OF_MEMORY = "epsilon-1.5b"  # at its largest rank
QUANTISED = "beta-1.3b"  # a quantised case stands beside the plain one


@pytest.fixture
def folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> RunFolder:
    """A run with a rank that ran out of memory and a quantised case beside a plain one."""
    monkeypatch.delenv("OHLORA_DB_URL", raising=False)
    monkeypatch.setenv("OHLORA_DATA_DIR", str(tmp_path / "data"))
    run = make_run(tmp_path / "run")
    plain = next(r for r in run.results() if (r.candidate, r.workload) == (QUANTISED, "inference"))
    quantized = f"{plain.case}/quantization=nf4"
    row = to_json(plain) | {"case": quantized, "settings": {"quantization": "nf4"}, "peaks": {}}
    append_rows(run.path / "results.jsonl", [Result(**row | {"seconds": {"inference": 999.0}})])
    run.add_scores(
        [ScoreRow(quantized, QUANTISED, f"p{n}", "greedy", None, "quality", 0.05) for n in range(9)]
    )
    return run


@pytest.fixture
def page(folder: RunFolder) -> dict[str, dict[str, object]]:
    """The rows of the page's table by candidate."""
    run = Run.read(folder)
    return {row["candidate"]: row for row in decision_rows(run, decide(run))}


def test_a_rank_that_ran_out_of_memory_leaves_no_mean_on_the_page_either(page) -> None:
    assert page[OUT_OF_MEMORY]["tuning_s"] is None
    assert page[OUT_OF_MEMORY]["tuning_mb"] is None
    assert "r64: oom_training" in str(page[OUT_OF_MEMORY]["remark"])


def test_a_quantised_case_beside_the_plain_one_changes_no_figure_on_the_page(page) -> None:
    assert page[QUANTISED]["quality"] == pytest.approx(QUALITY[QUANTISED][0])
    assert page[QUANTISED]["inference_s"] == pytest.approx(66.8)
    assert page[QUANTISED]["reply_s"] == pytest.approx(66.8 / 25)


def test_page_and_decision_have_the_same_figures_of_every_candidate(folder, page) -> None:
    document = decide(Run.read(folder)).to_json()
    same = {
        "tuning_s": "fine_tune_seconds",
        "tuning_mb": "fine_tune_bytes",
        "inference_mb": "inference_bytes",
        "quality": "quality",
        "quality_tuned": "quality_tuned",
    }
    assert len(document["ranking"]) >= 4
    for row in document["ranking"]:
        shown = page[row["name"]]
        assert (shown["place"], shown["score"]) == (row["rank"], row["score"])
        for key, criterion in same.items():
            unit = 2**20 if criterion.endswith("_bytes") else 1
            value = row["values"].get(criterion)
            assert shown[key] == (None if value is None else value / unit), (row["name"], key)


def test_page_report_and_terminal_have_the_same_figures_of_every_candidate(folder, page) -> None:
    evidence = Evidence.read(folder)
    table = main_table(evidence)
    heads = [column.head for column in table.columns]
    report = {row[1].text: dict(zip(heads, row, strict=True)) for row in table.rows}
    terminal = printed(evidence)
    for name, shown in page.items():
        report_quality = report[name]["Quality before"].value
        if shown["quality"] is not None:
            assert report_quality == shown["quality"]
            assert f"{shown['quality']:.2f}" in terminal[name]
        report_seconds = report[name][f"Answering {len(evidence.run.prompts)} prompts (s)"].value
        assert report_seconds == shown["inference_s"]
        assert report[name]["Grade"].value == shown["grade_mean"]
    assert "oom_training" in terminal[OUT_OF_MEMORY]
    assert str(to_csv(evidence), "utf-8-sig").count("beta-1.3b") >= 1


def printed(evidence: Evidence) -> dict[str, str]:
    """The line of each candidate as a terminal shows it."""
    from rich.console import Console

    written = Console(file=io.StringIO(), width=200)
    written.print(run_table(evidence))
    lines = written.file.getvalue().splitlines()  # type: ignore[attr-defined]
    return {n: next(line for line in lines if n in line) for n in evidence.candidates}


def graded(run: RunFolder, values: dict[int | None, int]) -> GradeStore:
    """A store in which a person graded all greedy replies of one candidate, by its rank."""
    store = GradeStore.open()
    store.add_grader(Grader("g", "someone"))
    for reply in run.replies():
        if reply.candidate == QUANTISED and reply.pass_ == "greedy" and reply.tuned in values:
            store.add_grades([grade(reply, values[reply.tuned])])
    return store


def grade(reply: Reply, value: int) -> Grade:
    digest = reply_hash(reply.reply)
    return Grade(
        key=str(reply.key), subject=str(reply.key), grader="g", run="run", case=reply.case,
        candidate=reply.candidate, prompt=reply.prompt, reply=reply.reply, grade=value,
        pass_=reply.pass_, tuned=reply.tuned, reply_hash=digest,
    )  # fmt: skip


def test_each_rank_s_grade_has_a_row_of_its_own_and_no_best_one_is_picked(folder) -> None:
    graded(folder, {None: 2, 16: 3, 32: 5}).close()
    run = Run.read(folder)
    rows = {row["candidate"]: row["grade"] for row in grade_rows(summarize(run.grades))}
    assert rows == {QUANTISED: 2.0, f"{QUANTISED} (r=16)": 3.0, f"{QUANTISED} (r=32)": 5.0}
    (row,) = [row for row in decision_rows(run, decide(run)) if row["candidate"] == QUANTISED]
    ranked = {each.name: each.values["human_grade"] for each in decide(run).ranking.rows}
    assert row["grade_mean"] == ranked[QUANTISED] == pytest.approx(10 / 3)
    assert all(column["key"] != "grade_tuned" for column in DECISION)


def test_a_column_named_for_one_reply_holds_one_and_a_sum_says_so(folder, page) -> None:
    heads = {column["key"]: column["en"] for column in DECISION}
    assert heads["reply_s"] == "A reply (s)"
    assert "inference_s" not in heads  # the sum over all prompts is for the downloaded file
    assert page[QUANTISED]["reply_s"] == pytest.approx(66.8 / 25)
    points = {point["candidate"]: point for point in cost_and_quality(list(page.values()))}
    assert points[QUANTISED]["seconds"] == page[QUANTISED]["reply_s"]


def test_a_run_with_random_weights_shows_no_quality_anywhere(tmp_path) -> None:
    run = Run.read(make_run(tmp_path, weights="random"))
    assert all(row["quality"] is None for row in decision_rows(run, decide(run)))


def test_a_run_of_an_older_version_still_opens(folder) -> None:
    head = json.loads(folder.head_path.read_text(encoding="utf-8"))
    assert all(isinstance(case, str) for case in head["cases"])  # ids only, and sentences
    read = folder.head()
    assert [case.id for case in read.cases] == head["cases"]
    assert read.cases[1].setting.rank is None and read.cases[-1].setting.rank == 64
    assert read.notes[0].words == head["notes"][0]
    assert read.rejected[0].reasons[0].words == head["rejected"][0]["reason"]


def test_a_case_of_an_older_run_is_told_from_its_id_whatever_names_hold(folder) -> None:
    head = json.loads(folder.head_path.read_text(encoding="utf-8"))
    study = head["study_source"] + '\n[[work.variants]]\nname = "lr=1e-4"\n'
    row = head["candidates"][0] | {"name": "org/model"}
    cases = ["org/model/fine-tune/lr=1e-4", "org/model/fine-tune/rank=16", "org/model/inference"]
    changed = head | {"study_source": study, "candidates": [row], "cases": cases}
    folder.head_path.write_text(json.dumps(changed), encoding="utf-8")
    planned = folder.head().cases
    assert [case.id for case in planned] == cases
    assert {case.candidate for case in planned} == {"org/model"}
    assert planned[0].setting.variant == "lr=1e-4"
    assert planned[1].setting.rank == 16


def test_a_head_that_is_none_names_the_file_and_what_is_missing(folder) -> None:
    folder.head_path.write_text('{"study": "x", "candidates": []}', encoding="utf-8")
    with pytest.raises(Exception, match=r"run\.json: not the head of a run: no 'cases'"):
        folder.head()


def test_a_report_reads_each_file_of_the_run_once(folder, monkeypatch) -> None:
    from benchmarks.report.write_report import write_report

    opened: list[str] = []
    real = Path.open

    def counting(self: Path, mode: str = "r", *rest, **named):
        if self.parent == folder.path and "r" in mode:
            opened.append(self.name)
        return real(self, mode, *rest, **named)

    monkeypatch.setattr(Path, "open", counting)
    write_report(folder)
    names = ["losses.jsonl", "replies.jsonl", "results.jsonl", "run.json", "scores.jsonl"]
    assert sorted(opened) == names


def test_two_quantised_tries_of_one_work_are_never_shown_together(folder) -> None:
    run = Run.read(folder)
    both = replace(run, results=(*run.results, *run.results[:1]))
    assert len(both.compared(QUANTISED, "inference")) == 1


def test_pairs_with_the_best_candidate_come_first_and_the_others_are_folded() -> None:
    def pair(a: str, b: str, p: float, more: int | None) -> dict[str, object]:
        return {"a": a, "b": b, "mean": 0.5, "low": 0.1, "high": 0.9, "p_holm": p, "prompts": 10,
                "more": more, "reason": ""}  # fmt: skip

    summary = {
        "means": [{"candidate": "best"}],
        "differences": [
            pair("x", "y", 0.9, 1),
            pair("best", "z", 0.001, 0),
            pair("best", "x", 0.9, None),
            pair("best", "y", 0.2, 5),
        ],
    }
    rows = difference_rows(summary)
    assert [row["pair"] for row in rows] == ["best > y", "best > x", "best > z", "x > y"]
    assert [row["folded"] for row in rows] == [False, False, False, True]
