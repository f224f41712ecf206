"""The report's files: Markdown, the CSV for spreadsheets, and writing them all."""

from __future__ import annotations

import csv
import io
import json
from dataclasses import replace

import pytest

from benchmarks.report import llm_report
from benchmarks.report.evidence import Evidence
from benchmarks.report.markdown import escape, to_markdown
from benchmarks.report.report_texts import grade_words
from benchmarks.report.tables.memory_tables import prediction_table
from benchmarks.report.tables.quantisation_ledger import ledger_table
from benchmarks.report.write_report import write_report
from benchmarks.results.folder import RunFolder, was_interrupted
from benchmarks.results.run import Run
from benchmarks.results.run_head import RunHead
from model_registry.errors import OhloraError
from model_registry.records import Peak, Result, ScoreRow, append_rows, to_json
from model_registry.statuses import STATUSES, Status
from tests.support.report_fixtures import CANDIDATES, HOSTILE, MIB, make_run


@pytest.fixture(scope="module")
def run(tmp_path_factory) -> RunFolder:
    return make_run(tmp_path_factory.mktemp("run"))


@pytest.fixture(scope="module")
def evidence(run) -> Evidence:
    return Evidence.read(run)


@pytest.fixture(scope="module")
def rows(evidence) -> dict[str, dict[str, str]]:
    text = llm_report.to_csv(evidence).decode("utf-8-sig")
    return {row["name"]: row for row in csv.DictReader(io.StringIO(text))}


def test_a_report_is_written_whole_and_the_same_run_gives_the_same_bytes(tmp_path):
    run = make_run(tmp_path, candidates=("beta-1.3b", "zeta-1.0b"))
    paths = write_report(run)
    files = [paths.html, paths.markdown, paths.csv, *paths.pictures]
    first = [file.read_bytes() for file in files]
    assert all(first)
    assert write_report(run) == paths
    assert [file.read_bytes() for file in files] == first
    assert not list((run.path / "report").rglob("*.draft"))
    page = paths.html.read_text(encoding="utf-8")
    assert page.startswith("<!doctype html>")
    assert page.count("<svg") == len(paths.pictures) == 4


def test_a_folder_without_a_run_is_an_error_with_a_cure(tmp_path):
    with pytest.raises(OhloraError, match=r"no run\.json"):
        write_report(RunFolder(tmp_path))


def test_figures_of_another_contract_are_not_reported_together(tmp_path):
    run = make_run(tmp_path, candidates=("beta-1.3b",))
    first = run.results()[0]
    other = Result(**to_json(first) | {"contract": "ffffffffffff", "peaks": {}})
    append_rows(run.path / "results.jsonl", [other])
    with pytest.raises(OhloraError, match="not ranked together"):
        write_report(run)


# --- llm_report.csv ----------------------------------------------------------------------------


def test_the_csv_has_a_byte_order_mark_and_the_documented_columns(evidence):
    data = llm_report.to_csv(evidence)
    assert data.startswith(b"\xef\xbb\xbf")
    assert data.decode("utf-8-sig").splitlines()[0].split(",") == list(llm_report.COLUMNS)
    for column in llm_report.COLUMNS:
        assert f"\n    {column} " in llm_report.__doc__


def test_the_csv_has_a_row_for_every_candidate_whatever_happened(rows):
    assert set(rows) == set(CANDIDATES)
    zeta = rows["zeta-1.0b"]
    assert (zeta["works"], zeta["status"], zeta["memory_mb"]) == ("no", "unreachable", "")
    assert "no model" in zeta["error"]
    beta = rows["beta-1.3b"]
    assert (beta["works"], beta["quantization_needed"], beta["error"]) == ("yes", "no", "")
    assert float(beta["memory_mb"]) == pytest.approx(2593 * 0.95, abs=0.1)
    assert float(beta["response_seconds"]) == pytest.approx(66.8 / 25)


def test_a_reply_that_a_spreadsheet_would_take_for_a_formula_is_harmless(tmp_path):
    run = make_run(tmp_path, candidates=("beta-1.3b",))
    replies = (run.path / "replies.jsonl").read_text(encoding="utf-8")
    formula = "=HYPERLINK(1)"
    (run.path / "replies.jsonl").write_text(
        replies.replace("응, 나는 지금 아주 좋아! 너는 어때? 😊", formula), encoding="utf-8"
    )
    text = llm_report.to_csv(Evidence.read(run)).decode("utf-8-sig")
    assert next(csv.DictReader(io.StringIO(text)))["reply"] == "'" + formula


def test_truncated_and_bad_format_are_told_apart_and_the_kept_ones_counted(tmp_path):
    run = make_run(tmp_path, candidates=("beta-1.3b",))
    first, *others = run.replies()
    (run.path / "replies.jsonl").unlink()
    append_rows(run.path / "replies.jsonl", [replace(first, problems=("truncated",)), *others])
    rows = [
        ScoreRow(first.case, "beta-1.3b", first.prompt, pass_, None, llm_report.FORMAT, value)
        for pass_, value in (("greedy", 0.0), ("sample 1", 1.0), ("sample 2", 1.0))
    ]
    run.add_scores([*rows, replace(rows[0], prompt="another", value=None)])
    text = llm_report.to_csv(Evidence.read(run)).decode("utf-8-sig")
    row = next(csv.DictReader(io.StringIO(text)))
    assert row["reply_problems"] == "truncated, bad format"
    assert row["format_kept"] == "2 of 3"


def test_where_no_format_was_asked_for_none_is_kept_or_broken(rows):
    assert {row["format_kept"] for row in rows.values()} == {""}


def quantised(run: RunFolder, status: str = "ok", memory: float = 700) -> Result:
    """A quantised case beside the plain one of zeta-1.0b, which could not be reached."""
    peak = Peak(round(memory * MIB), None, None, None, "torch.cuda peaks")
    result = Result(
        case="zeta-1.0b/inference/quantization=nf4",
        candidate="zeta-1.0b",
        workload="inference",
        settings={"quantization": "nf4"},
        contract=run.head().contract_hash,
        status=status,
        seconds={"load": 1.0, "inference": 9.0},
        peaks={"load": peak, "inference": peak},
        figures={"seconds_per_prompt": 3.0},
        predicted_bytes=round(memory * 1.1 * MIB),
    )
    append_rows(run.path / "results.jsonl", [result])
    return result


def test_what_runs_only_quantised_works_and_says_that_it_needs_it(tmp_path):
    run = make_run(tmp_path, candidates=("zeta-1.0b",))
    quantised(run)
    evidence = Evidence.read(run)
    row = next(csv.DictReader(io.StringIO(llm_report.to_csv(evidence).decode("utf-8-sig"))))
    assert (row["works"], row["quantization"], row["quantization_needed"]) == ("yes", "nf4", "yes")
    ledger = ledger_table(evidence)
    told = [cell.text for cell in ledger.rows[0]]
    assert told[:3] == ["zeta-1.0b", "answering", "nf4"]
    assert (told[4], told[5], told[-1]) == ("unreachable", "700", "needed")
    prediction = prediction_table(evidence)
    assert prediction.rows[0][-1].text == "+10.0%"


def test_runs_without_quantisation_or_prediction_have_no_such_tables(evidence):
    assert ledger_table(evidence) is None
    assert prediction_table(evidence) is None


# --- Markdown ----------------------------------------------------------------------------------


def test_markdown_has_the_answer_the_table_and_the_pictures(evidence):
    text = to_markdown(evidence, [])
    chosen = evidence.decision.ranking.chosen
    assert f"**Chosen: {chosen}**" in text
    table = [line for line in text.splitlines() if line.startswith("| Rank |")]
    assert len(table) == 1
    heads = table[0].count("|")
    for line in text.splitlines():
        if line.startswith("| 1 |"):
            assert line.count("|") == heads


def test_markdown_takes_replies_as_text(evidence):
    text = to_markdown(evidence, [])
    assert escape(HOSTILE) in text
    assert HOSTILE not in text
    assert "<script>" not in text.replace("\\<script\\>", "")


@pytest.mark.parametrize("hostile", ["a|b", "a\nb", "<b>", "**x**", "`x`", "[x](y)", "&amp;"])
def test_escaped_text_stays_on_one_line_and_in_its_cell(hostile):
    escaped = escape(hostile)
    assert "\n" not in escaped
    for sign in "|<*`[&":
        assert escaped.count(sign) == escaped.count("\\" + sign)


def test_a_study_cannot_close_the_fence_around_it(tmp_path):
    source = make_run(tmp_path / "a", candidates=()).head().study_source
    run = make_run(tmp_path / "b", candidates=(), study_source=source + "\n# ```\n# ````\n")
    assert "\n`````toml\n" in to_markdown(Evidence.read(run), [])


# --- Words -------------------------------------------------------------------------------------


def test_every_failure_has_a_cure():
    curable = {status.code for status in STATUSES.values() if status.cure_en and status.cure_ko}
    assert curable == set(STATUSES) - {"ok"}


def test_a_new_status_is_one_entry_which_reports_and_resumed_runs_read(run, monkeypatch):
    swept = Status(
        "swept", "swept away", "쓸려 감", "Tie it down.", "묶어 두세요.", interrupted=True
    )
    monkeypatch.setitem(STATUSES, swept.code, swept)
    results = tuple(replace(result, status="swept") for result in run.results())
    report = to_markdown(Evidence.of(replace(Run.read(run), results=results)), [])
    assert "swept away" in report and "Tie it down." in report
    assert all(was_interrupted(result) for result in results)


def test_a_mean_of_grades_is_told_by_the_nearest_grade(monkeypatch):
    assert grade_words(4.1) == "good (4.1)"
    monkeypatch.setenv("OHLORA_LANG", "ko")
    assert grade_words(4.6) == "최상 (4.6)"


def test_the_head_of_a_run_is_read_as_it_was_written(run, evidence):
    written = json.loads(run.head_path.read_text(encoding="utf-8"))
    read = evidence.head.to_json()
    assert [case["case"] for case in read["cases"]] == written["cases"]
    for key in ("study", "title", "weights", "contract", "contract_hash", "rows", "study_source"):
        assert read[key] == written[key]
    again = RunHead.from_json(json.loads(json.dumps(read)))
    assert again == evidence.head
