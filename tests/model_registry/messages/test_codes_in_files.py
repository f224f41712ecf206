"""Files and JSON hold codes and values: one run is the same bytes in every language."""

from __future__ import annotations

import json
import re
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

from benchmarks.engines.engine import CaseOutcome, Engine
from benchmarks.report.evidence import Evidence
from benchmarks.report.markdown import to_markdown
from benchmarks.report.tables.record_tables import failures_table
from benchmarks.results.folder import RunFolder
from benchmarks.run.case import Case
from benchmarks.run.runner import run_plan
from benchmarks.run.worker import CaseLog, run_case
from benchmarks.study.plan import Options, Plan
from benchmarks.study.planning import make_plan
from benchmarks.study.study_files import read_study
from model_registry.messages.notes import WORDS, Note
from model_registry.records import Result, from_json, to_json
from model_registry.registry import Registry
from tests.support.run_in_a_process import Silent
from tests.support.small_study import CATALOG, ENTRY, STUDY, write_rows

HANGUL = re.compile("[가-힣]")


class Broken(Engine):
    """Tries each case for real, on weights that are missing; the last one is out of memory."""

    def run(self, case: Case, listen: Callable[[Any], None]) -> CaseOutcome:
        result = run_case(case, CaseLog(listen, "cpu"))
        if case.settings.get("rank") == 4:
            machine = result.machine | {"available_bytes": 3 * 2**30}
            result = replace(result, status="oom_training", machine=machine,
                             message="OutOfMemoryError: CUDA out of memory.")  # fmt: skip
        return CaseOutcome(result, [], [])


def known_architecture() -> str:
    """A catalog's architecture whose memory is predicted at once, as TOML."""
    values = next(
        candidate.architecture
        for candidate in Registry().candidates("korean-small")
        if candidate.architecture and all(map(is_plain, candidate.architecture.values()))
    )
    lines = [f"{name} = {json.dumps(value)}" for name, value in values.items()]
    return "\n".join(["", "[architectures.known]", *lines, ""])


def is_plain(value: object) -> bool:
    return isinstance(value, (str, int, float, bool))


def plan_in(folder: Path, out: Path) -> Plan:
    """A study with a candidate of no free licence, rows without answers and missing weights."""
    folder.mkdir(exist_ok=True)
    rows = write_rows(folder / "rows")
    (rows / "valid.jsonl").write_text('{"prompt": "q?", "reply": ""}\n', encoding="utf-8")
    catalog = folder / "catalog.toml"
    other = '\n[licenses.vendor]\nfree = "conditional"\n'
    entry = ENTRY.format(name="one", path=folder / "nothing-here")
    entry += 'architecture = "known"\n'
    refused = ENTRY.format(name="two", path="x").replace("Apache-2.0", "vendor")
    catalog.write_text(CATALOG + known_architecture() + other + entry + refused, encoding="utf-8")
    study = STUDY.format(catalog=catalog, data=rows).replace(
        "[data]", 'license = "free"\nmax_params = "1B"\n\n[data]'
    )
    (folder / "study.toml").write_text(study, encoding="utf-8")
    options = Options(weights="path", device="cpu")
    return make_plan(read_study(folder / "study.toml"), Registry(), options, out)


@pytest.fixture
def both(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> dict[str, Path]:
    """The same run made by a machine that speaks English and by one that speaks Korean."""
    runs = {}
    for language in ("en", "ko"):
        monkeypatch.setenv("OHLORA_LANG", language)
        runs[language] = tmp_path / language / "run"
        plan = plan_in(tmp_path / "study", tmp_path / "out")
        run_plan(plan, RunFolder(runs[language]), Broken(), Silent())
    return runs


def test_a_run_is_the_same_bytes_on_a_korean_and_an_english_machine(both) -> None:
    for name in ("run.json", "results.jsonl"):
        english, korean = (timeless(both[one] / name) for one in ("en", "ko"))
        assert english == korean, name
    results = RunFolder(both["ko"]).results()
    assert [r.status for r in results] == ["unreachable", "unreachable", "oom_training"]
    cure = results[-1].cure
    assert cure is not None and cure.code in ("smallest_change", "needs_a_machine")
    assert cure.values["needed_bytes"] > 3 * 2**30


def test_no_sentence_of_the_machine_s_language_is_in_a_file(both) -> None:
    head = json.loads((both["ko"] / "run.json").read_text(encoding="utf-8"))
    ours = {key: value for key, value in head.items() if key not in ("title", "study_source")}
    assert not HANGUL.search(json.dumps(ours, ensure_ascii=False))
    results = [json.loads(line) for line in (both["ko"] / "results.jsonl").open(encoding="utf-8")]
    explained = [each.pop("explanation") for each in results]
    assert explained[0]["code"] == "in_both", "both languages stand there, whoever ran it"
    assert not HANGUL.search(json.dumps(results, ensure_ascii=False))
    assert {reason["code"] for each in head["rejected"] for reason in each["reasons"]} == {
        "license_conditional"
    }
    assert "train_rows_validate" in {note["code"] for note in head["notes"]}


def test_a_decision_is_one_document_in_both_languages(both, ohlora, monkeypatch) -> None:
    documents = {}
    for language in ("en", "ko"):
        monkeypatch.setenv("OHLORA_LANG", language)
        code, printed, _ = ohlora("decide", both["en"], "--json")
        assert code == 0
        documents[language] = json.loads(printed)
    assert documents["en"] == documents["ko"]
    (rejected,) = documents["ko"]["rejected"]
    assert (rejected["name"], rejected["code"]) == ("one", "nothing_worked")
    assert rejected["values"]["status"] == "unreachable"
    assert "unreachable" in rejected["reason"]


def test_candidates_that_are_refused_are_one_document_in_both_languages(
    ohlora, monkeypatch
) -> None:
    said = []
    for language in ("en", "ko"):
        monkeypatch.setenv("OHLORA_LANG", language)
        said.append(json.loads(ohlora("candidates", "--license", "free", "--json")[1]))
    assert said[0] == said[1]
    assert all(each["reason"] and each["reasons"] for each in said[0]["rejected"])


def test_reports_word_them_for_whoever_reads(both, monkeypatch) -> None:
    folder = RunFolder(both["en"])
    for language, words in (("en", "other train rows serve"), ("ko", "다른 학습 행")):
        monkeypatch.setenv("OHLORA_LANG", language)
        evidence = Evidence.read(folder)
        assert words in to_markdown(evidence, [])
        cures = [row[-1].text for row in failures_table(evidence).rows]
        assert bool(HANGUL.search(cures[-1])) == (language == "ko")


def test_every_note_has_words_in_both_languages_of_the_same_values() -> None:
    for code, (english, korean) in WORDS.items():
        named = [set(re.findall(r"{(\w+)", words)) for words in (english, korean)]
        labels = {"label_en", "label_ko", "english", "korean"}
        assert named[0] - labels == named[1] - labels, code


def test_a_note_that_nobody_here_knows_shows_its_code_and_values() -> None:
    assert Note("of_a_plugin", {"count": 3}).words == "of_a_plugin: count=3"
    assert Note("too_large").words == "too_large"


def test_a_result_of_an_older_run_keeps_its_cure_as_it_was_written() -> None:
    old = from_json(Result, to_json(_result()) | {"cure": "반정밀도 (지금대로면 4.0 GiB)"})
    assert old.cure is not None
    assert old.cure.words == "반정밀도 (지금대로면 4.0 GiB)"
    again = from_json(Result, json.loads(json.dumps(to_json(old))))
    assert again.cure == old.cure


def _result() -> Result:
    return Result("a/inference", "a", "inference", {}, "hash", "oom_load")


def timeless(path: Path) -> str:
    """A file's text without the times in it."""
    text = path.read_text(encoding="utf-8")
    text = re.sub(r"\d{4}-\d\d-\d\dT[\d:+]+", "TIME", text)
    names = "load|available_bytes|process_bytes|baseline_bytes|measured_bytes|error_percent"
    return re.sub(rf'"({names})": [\d.e+-]+', r'"\1": 0', text)
