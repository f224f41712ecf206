"""The owner looks any model up by its name; the results say for which use the decision holds."""

from __future__ import annotations

import json
from collections.abc import Iterator
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import gradio as gr
import huggingface_hub
import pytest

from benchmarks.results.folder import RunFolder
from evaluators.grading.grading_session import GradingSession
from evaluators.grading.store.grade_store import GradeStore
from evaluators.grading.submission import InvalidRequest
from model_registry.errors import OhloraError
from model_registry.licenses.license_uses import USES
from model_registry.naming.candidate_check import verdict_of
from model_registry.naming.resolve import find_candidate
from model_registry.registry import Registry
from pages.page_context import PageContext, errors_as_messages
from pages.page_layout import build_page
from pages.serving.page_models import Models
from pages.serving.shared_results import SharedResults
from pages.tabs.model_lookup import show_model
from pages.tabs.results_tab import show_results
from tests.pages.event_loops import finish
from tests.support.fake_hub import FakeHub, repo_of_folder
from tests.support.report_fixtures import make_run
from tests.support.tiny_models import make_tiny_model

LICENSES = {
    "alpha-2.6b": ("EXAONE AI Model License 1.2-NC", "no"),
    "beta-1.3b": ("Kanana Open License", "conditional"),
    "gamma-2.5b": ("Apache-2.0", "yes"),
}


@pytest.fixture(scope="module")
def model(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return make_tiny_model(tmp_path_factory.mktemp("models") / "mine")


@pytest.fixture
def hub(model: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[FakeHub]:
    served = FakeHub()
    served.use(monkeypatch, tmp_path / "home")
    served.repos["someone/tiny"] = repo_of_folder(model, card={"license": "apache-2.0"})
    yield served
    served.close()


@pytest.fixture(scope="module")
def run(tmp_path_factory: pytest.TempPathFactory) -> RunFolder:
    made = make_run(tmp_path_factory.mktemp("run"), candidates=tuple(LICENSES), overrides=[])
    head = json.loads(made.head_path.read_text(encoding="utf-8"))
    for row in head["candidates"]:
        row["license"], row["license_free"] = LICENSES[row["name"]]
    made.head_path.write_text(json.dumps(head | {"use": "own-service"}), encoding="utf-8")
    return made


@pytest.fixture
def context(run: RunFolder, tmp_path: Path) -> PageContext:
    store = GradeStore.open(f"sqlite:///{tmp_path / 'grades.db'}")
    grading = GradingSession(lambda: store, {"run": run.path}, owner_key="key")
    return PageContext(grading, Models(Registry()), results=SharedResults(apart=False))


def visitor(query: str = "key=key", language: str = "en") -> Any:
    """What Gradio hands to a handler: the owner, where nothing else is said."""
    headers = {"referer": f"http://x/?{query}", "accept-language": language}
    return SimpleNamespace(
        headers=headers, query_params={}, username=None, session_hash="s", request=None
    )


def test_a_model_of_the_hub_is_shown_as_doctor_and_candidates_show_it(
    context: PageContext, hub: FakeHub
) -> None:
    looked, (row,), uses = show_model(context, "someone/tiny", "12GB", visitor())
    verdict = verdict_of(find_candidate("someone/tiny", Registry()), gpu="12GB")
    assert looked[0] == {"mark": "✓", "what": "someone/tiny", "said": "will load"}
    assert [r["said"] for r in looked[1:]] != []
    assert {r["what"] for r in looked[1:]} == {each.label for each in verdict.looked}
    assert row["parameters"] * 1e9 == pytest.approx(verdict.parameters)
    assert "Apache" in row["license"]
    assert [r["answer"] for r in uses] == ["yes"] * len(USES)


def test_the_same_is_said_in_korean_to_a_korean_browser(context: PageContext, hub: FakeHub) -> None:
    looked, _, uses = show_model(context, "someone/tiny", "12GB", visitor(language="ko-KR"))
    assert looked[0]["said"] == "불러올 수 있음"
    english = show_model(context, "someone/tiny", "12GB", visitor())
    assert [r["what"] for r in looked[1:]] != [r["what"] for r in english[0][1:]]
    assert [r["use"] for r in uses] != [r["use"] for r in english[2]]


def test_the_fit_is_that_of_the_card_that_was_chosen_and_a_catalog_serves_offline(
    context: PageContext, hub: FakeHub, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(huggingface_hub.constants, "HF_HUB_OFFLINE", True)

    def fit(card: str) -> str:
        return show_model(context, "gemma-2-2b-it", card, visitor())[0][-1]["mark"]

    assert (fit("2GB"), fit("80GB")) == ("✗", "✓")


def test_a_folder_counts_its_parameters_and_one_that_is_no_model_says_why(
    context: PageContext, model: Path, tmp_path: Path
) -> None:
    looked, (row,), _ = show_model(context, str(model), "12GB", visitor())
    assert row["parameters"] > 0 and looked[0]["what"] == row["name"] == "mine"
    (tmp_path / "empty").mkdir()
    (only,), row, uses = show_model(context, str(tmp_path / "empty"), "12GB", visitor())
    assert (only["mark"], row, uses) == ("✗", [], []) and "empty" in only["said"]


@pytest.mark.parametrize("query", ["", "key=guess", "grader=someone"])
def test_a_guest_learns_nothing_of_the_disk_and_has_nothing_fetched(
    context: PageContext, hub: FakeHub, model: Path, query: str
) -> None:
    told = set()
    for name in (str(model), "/no/such/folder", "someone/tiny", "http://127.0.0.1:1/v1", 7, None):
        with pytest.raises(InvalidRequest) as refused:
            show_model(context, name, "12GB", visitor(query))
        told.add(str(refused.value))
    assert len(told) == 1 and "owner" in told.pop()
    assert hub.requests == []


@pytest.mark.parametrize(
    ("name", "card", "told"),
    [
        ("", "12GB", "Name a model"),
        (["x"], "12GB", "must be a text"),
        ("x/" * 400, "12GB", "too long"),
        ("someone/none", "12GB", "The hub has no model someone/none"),
        ("/no/such/folder", "12GB", "There is no folder"),
        ("no-such-name", "12GB", "No candidate is called"),
        ("someone/tiny", "teapot", "no amount of memory"),
        ("http://127.0.0.1:1/v1#x", "12GB", "served elsewhere"),
    ],
)
def test_what_can_not_be_looked_up_is_one_line(
    context: PageContext, hub: FakeHub, name: object, card: str, told: str
) -> None:
    with pytest.raises(OhloraError, match=told) as refused:
        show_model(context, name, card, visitor())
    assert len(str(refused.value).splitlines()) == 1
    with pytest.raises(gr.Error), errors_as_messages(visitor()):
        show_model(context, name, card, visitor())


def test_the_box_is_hidden_until_the_owner_opens_the_page(
    context: PageContext, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(Models, "warm_up", lambda self: None)
    page = build_page(context)
    (box,) = (block for block in page.blocks.values() if block.elem_id == "lookup")
    assert not box.visible
    (greet,) = (fn.fn for fn in page.fns.values() if fn.name == "greet")
    assert greet(visitor())[2].visible
    assert not greet(visitor("key=guess"))[2].visible
    assert greet(visitor("run=run"))[4].value == "run", "the Manage tab's, too"


def test_results_say_for_which_use_the_decision_holds_and_what_another_would_change(
    context: PageContext, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("GRADIO_TEMP_DIR", str(tmp_path / "served"))
    said = finish(show_results(context, "run", visitor())).use
    assert "It holds for: a service of one's own." in said
    assert "would be chosen; not allowed: alpha-2.6b, beta-1.3b" in said
    korean = finish(show_results(context, "run", visitor(language="ko"))).use
    assert "이 결정의 용도" in korean
    nothing = finish(show_results(context, "run", visitor("key=guess"))).use
    assert nothing == ""


def test_results_begin_with_who_is_chosen_and_who_is_the_reserve_and_why(
    context: PageContext, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("GRADIO_TEMP_DIR", str(tmp_path / "served"))
    told, korean = (
        finish(show_results(context, "run", visitor(language=language))).notice.split("\n")
        for language in ("en", "ko")
    )
    assert told[0].startswith("Chosen: ")
    assert told[1].startswith("Reserve: ")
    assert told[2], "why"
    assert korean[0].startswith("선택: ")
    assert korean[0].removeprefix("선택: ") == told[0].removeprefix("Chosen: ")


@pytest.mark.parametrize(("weights", "warned"), [("bundled", True), ("hub", False)])
def test_results_of_stand_in_weights_say_so_before_anything_else(
    context: PageContext,
    run: RunFolder,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    weights: str,
    warned: bool,
) -> None:
    monkeypatch.setenv("GRADIO_TEMP_DIR", str(tmp_path / "served"))
    head = json.loads(run.head_path.read_text(encoding="utf-8"))
    run.head_path.write_text(json.dumps(head | {"weights": weights}), encoding="utf-8")
    told = finish(show_results(context, "run", visitor())).notice
    assert told.startswith("Chosen: ") is not warned
    assert ("stand" in told.split("\n")[0].lower()) is warned
