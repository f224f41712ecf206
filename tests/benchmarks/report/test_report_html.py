"""The report as a page: one file, nothing of a model's reply is markup, both languages."""

from __future__ import annotations

from html.parser import HTMLParser

import pytest

from benchmarks.report.evidence import Evidence
from benchmarks.report.html import day_and_time, to_html
from benchmarks.report.markdown import to_markdown
from tests.support.report_fixtures import HOSTILE, make_run

VOID = {"meta", "link", "img", "br", "wbr", "hr", "input", "path", "use", "rect"}


class Page(HTMLParser):
    """What a browser would see: tags, their attributes, and the text."""

    def __init__(self, html: str) -> None:
        super().__init__()
        self.tags: list[tuple[str, dict[str, str | None]]] = []
        self.text = ""
        self.open: list[str] = []
        self.feed(html)

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.tags.append((tag, dict(attrs)))
        if tag not in VOID:
            self.open.append(tag)

    def handle_startendtag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.tags.append((tag, dict(attrs)))

    def handle_endtag(self, tag: str) -> None:
        if tag not in VOID:
            assert self.open.pop() == tag

    def handle_data(self, data: str) -> None:
        self.text += data


@pytest.fixture(scope="module")
def evidence(tmp_path_factory) -> Evidence:
    return Evidence.read(make_run(tmp_path_factory.mktemp("run")))


@pytest.fixture(scope="module")
def page(evidence) -> Page:
    return Page(to_html(evidence, []))


def names_of(page: Page) -> set[str]:
    return {tag for tag, _ in page.tags}


def test_every_element_that_is_opened_is_closed(page):
    assert page.open == []


def test_nothing_is_fetched_and_no_script_runs(page):
    assert not names_of(page) & {"script", "link", "img", "iframe", "object"}
    for _, attributes in page.tags:
        assert not {"src", "srcset"} & set(attributes)
        assert not any(name.startswith("on") for name in attributes)
    policies = [a["content"] for _, a in page.tags if a.get("http-equiv")]
    assert policies == ["default-src 'none'; style-src 'unsafe-inline'; img-src data:"]


def test_what_a_model_wrote_is_text_and_not_markup(page):
    assert HOSTILE in page.text
    assert "<script>alert('어')</script> | 표?" in page.text  # the prompt
    assert "<b>here</b>" in page.text  # an error's message
    assert "<i>conditions</i>" in page.text  # a person's reason


def test_it_begins_with_the_answer_and_how_fragile_it_is(page, evidence):
    ranking = evidence.decision.ranking
    text = page.text
    assert text.index("Chosen") < text.index("Reserve") < text.index("The candidates")
    assert ranking.reason_en in " ".join(text.split())
    assert text.index("What would change it") < text.index("The candidates")


def test_failures_stand_there_with_stage_message_and_what_would_help(page):
    assert "What failed" in page.text
    for words in ("epsilon-1.5b/fine-tune/rank=64", "out of memory while training",
                  "CUDA out of memory.", "A smaller batch or rank"):  # fmt: skip
        assert words in page.text


def test_licences_overrides_rejections_contract_and_machine_are_told(page, evidence):
    for words in ("decided by: a person", "omega-33b", "33.0 B parameters are more than 3.0 B",
                  evidence.head.contract_hash, "lora_alpha", "Some GPU", "2.13.0",
                  "torch.cuda peaks, reset before the phase", "normalization = "):  # fmt: skip
        assert words in page.text


def test_an_empty_reply_and_one_that_was_cut_off_say_so(page):
    assert "(empty)" in page.text
    assert "cut off at the limit" in page.text


def test_korean_readers_get_korean(evidence, monkeypatch):
    monkeypatch.setenv("OHLORA_LANG", "ko")
    page = Page(to_html(evidence, []))
    assert ("html", {"lang": "ko"}) in page.tags
    assert "파인튜닝할 작은 한국어 모델" in page.text
    assert "실패한 케이스" in page.text
    assert evidence.decision.ranking.reason_ko in " ".join(page.text.split())


def test_english_readers_get_english(page):
    assert ("html", {"lang": "en"}) in page.tags


@pytest.mark.parametrize(
    ("weights", "words"),
    [("bundled", "Bundled stand-ins, not the real candidates"),
     ("random", "Random weights, not the real candidates")],
)  # fmt: skip
def test_stand_ins_are_announced_before_the_answer_and_beside_the_name(tmp_path, weights, words):
    run = make_run(tmp_path, weights=weights, candidates=("beta-1.3b", "한국-모델-0.5b"))
    page = Page(to_html(Evidence.read(run), []))
    assert page.text.index(words) < page.text.index("Chosen")
    tags = [a for tag, a in page.tags if tag == "span" and a.get("class") == "tag"]
    assert len(tags) == 2  # the chosen one's and the reserve's


def test_real_weights_have_no_such_banner(page):
    assert "not the real candidates" not in page.text


def test_a_run_that_is_not_finished_says_so(tmp_path):
    run = make_run(tmp_path, candidates=("beta-1.3b",))
    (run.path / "results.jsonl").unlink()
    evidence = Evidence.read(run)
    page = Page(to_html(evidence, []))
    assert "4 of 4 cases have no result yet" in page.text
    (said,) = (line for line in to_markdown(evidence, []).split("\n") if "no result yet" in line)
    assert said.removeprefix("> ") in page.text
    assert "--resume" in said


def test_a_run_that_cannot_be_decided_still_has_a_report(tmp_path):
    run = make_run(tmp_path, candidates=("beta-1.3b",), study_source=(
        'name = "x"\n[candidates]\ncatalog = "korean-small"\n'
    ))  # fmt: skip
    page = Page(to_html(Evidence.read(run), []))
    assert "declares no criteria" in page.text
    assert "23.7" in page.text


def test_a_moment_is_written_for_people():
    assert day_and_time("2026-01-02T03:04:05+00:00") == "2026-01-02 03:04 UTC"
    assert day_and_time("yesterday") == "yesterday"
