"""Before a grader has finished, nothing they can get links a shown reply to its candidate."""

from __future__ import annotations

import hashlib
import itertools
import json
from collections import Counter
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import httpx
import pytest

from evaluators.grading.assignment import plan
from evaluators.grading.gradable_replies import read_run
from evaluators.grading.store.grade_records import reply_hash
from evaluators.grading.store.grade_store import GradeStore
from model_registry.records import Reply, append_rows
from tests.pages.page_server import PATIENCE, Page, plugin, running_page

pytestmark = pytest.mark.slow

#: Candidates whose names stand nowhere else, so that finding one is finding a leak.
NAMES = {
    "hidden-owner/가리온-7q": "case-qq1",
    "hidden-owner/누마루-8w": "case-ww2",
    "다솔-9e": "case-ee3",
}
#: How long each reply took and its first token: digits that no other figure begins with, as those
#: of an answer's own duration might with a few.
SECONDS, FIRST_TOKEN = 3408641275, 5912703846
PROMPTS = [f"물음표 {i} 번째 이야기를 해 줄래?" for i in range(8)]


def a_reply(name: str, case: str, number: int, prompt: str) -> Reply:
    piece = name.rpartition("/")[2].split("-")[0]
    manner = hashlib.md5(name.encode()).hexdigest()[:4]
    return Reply(
        case=case,
        candidate=name,
        prompt=prompt,
        reply=f"{number}번째 답이에요. 저는 {piece}라고 해요. {manner}",
        pass_="greedy",
        tuned=None,
        new_tokens=31 + number,
        finish_reason="stop",
        seconds=SECONDS + 0.125 * number,
        first_token_seconds=FIRST_TOKEN + 0.0625,
    )


def replies_of_all() -> list[Reply]:
    return [
        a_reply(name, case, number, prompt)
        for name, case in NAMES.items()
        for number, prompt in enumerate(PROMPTS)
    ]


@pytest.fixture(scope="module")
def page(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Page]:
    folder = tmp_path_factory.mktemp("blind")
    append_rows(folder / "run" / "replies.jsonl", replies_of_all())
    with running_page(folder, "--run", str(folder / "run"), *plugin()) as page:
        yield page


def everything_a_browser_can_get(page: Page, token: str) -> dict[str, str]:
    """Every page, config, list and endpoint, asked as this grader, before a single vote."""
    link = {"referer": f"{page.base}/?grader={token}&run=run"}
    got: dict[str, str] = {}
    with httpx.Client(base_url=page.base, headers=link, timeout=PATIENCE) as browser:
        for path in (
            "/", f"/?grader={token}", "/config", "/gradio_api/info", "/gradio_api/openapi.json",
            "/gradio_api/startup-events", "/gradio_api/queue/status", "/theme.css",
            "/manifest.json", "/monitoring", "/monitoring/summary", "/gradio_api/runs",
            "/gradio_api/info?all_endpoints=true",
        ):  # fmt: skip
            got[path] = browser.get(path).text
        info = json.loads(got["/gradio_api/info"])
        for name, endpoint in info["named_endpoints"].items():
            got[name] = call(browser, name, example(name, token, endpoint))
        screen = page.value("grade_screen", token, "run", -1, client=browser)
        while screen["practice"]:
            page.value("grade_submit", token, screen["screen"], [{"grade": 3}] * 2, "", 1, "")
            screen = page.value("grade_screen", token, "run", -1, client=browser)
        got["the first screen"] = json.dumps(screen, ensure_ascii=False)
        for number in range(-3, 14):
            answer = page.ask("grade_screen", token, "run", number, client=browser)
            got[f"screen {number}"] = answer.text
    return got


def example(name: str, token: str, endpoint: dict[str, Any]) -> list[Any]:
    """Data for an endpoint: the ones that matter by hand, others by their own examples."""
    by_hand = {
        "/grade_start": ["민지", token],
        "/grade_screen": [token, "run", -1],
        "/grade_submit": [token, "none", [], "", 1, ""],
        "/results": ["run"],
        "/chat": [PROMPTS[0], [], "메아리-산", "", 0.0, 1.0, 40, 0],
        "/compare": [PROMPTS[0], None],
        "/diagram": [PROMPTS[0], "메아리-산", 2, 1, 0.0, None],
        "/candidates": ["all", "any", "any", 0, 20, [], [], "any"],
    }
    return by_hand.get(name, [p.get("example_input") for p in endpoint["parameters"]])  # type: ignore[return-value]


def call(browser: httpx.Client, name: str, data: list[Any]) -> str:
    direct = browser.post(f"/gradio_api/run{name}", json={"data": data})
    queued = browser.post(f"/gradio_api/call{name}", json={"data": data})
    text = direct.text
    if queued.status_code == 200:
        text += browser.get(f"/gradio_api/call{name}/{queued.json()['event_id']}").text
    return text


def test_nothing_links_a_shown_reply_to_its_candidate(page: Page) -> None:
    token = page.sit("눈가린이")
    got = everything_a_browser_can_get(page, token)
    replies = replies_of_all()
    telling = set(NAMES) | set(NAMES.values()) | {"hidden-owner"}
    telling |= {name.rpartition("/")[2].split("-")[0] for name in NAMES}  # 가리온, 누마루, 다솔
    telling |= {reply_hash(r.reply) for r in replies}
    telling |= {kind(r.reply.encode()).hexdigest() for r in replies
                for kind in (hashlib.md5, hashlib.sha1, hashlib.sha256)}  # fmt: skip
    telling |= {str(SECONDS), str(FIRST_TOKEN), '"new_tokens"', '"case"', '"candidate": "hid'}
    assert "번째 답이에요" in got["the first screen"], "the test saw no reply at all"
    leaks = [(where, word) for where, text in got.items() for word in telling if word in text
             or word in json.dumps(text)]  # fmt: skip
    assert leaks == []


#: Every order that the candidates can stand in.
ORDERS = list(itertools.permutations(NAMES))


def test_places_tell_nothing_about_candidates(tmp_path: Path) -> None:
    """Over many graders each order of the candidates comes about as often as any other.

    The graders are the same in every run of this test: what is drawn for them is no luck.
    """
    append_rows(tmp_path / "run" / "replies.jsonl", replies_of_all())
    run = read_run(tmp_path / "run")
    items = [s for n in range(1000) for s in plan(run, f"grader {n}") if s.kind == "item"]
    counts = Counter(tuple(one.candidate for one in screen.shown) for screen in items)
    assert len(items) == 1000 * len(PROMPTS)
    assert set(counts) == set(ORDERS)
    # Of 8,000 fair draws a share is off by 0.004 as a rule, by 0.02 about never.
    assert all(abs(count / len(items) - 1 / len(ORDERS)) < 0.02 for count in counts.values())


def test_the_page_shows_the_candidates_in_every_order(page: Page) -> None:
    """Whoever the graders are: of the six orders, 30 · 8 fair draws leave one out with a
    probability below 6 · (5/6)²⁴⁰ < 10⁻¹⁸."""
    token_count = 30
    tokens = [page.sit(f"사람 {i}") for i in range(token_count)]
    for token in tokens:
        page.value("grade_screen", token, "run", -1)
    store = GradeStore.open(f"sqlite:///{page.folder / 'data' / 'grades.db'}")
    planned = [s for grader in store.graders() for s in store.screens(grader, "run")]
    items = [screen for screen in planned if screen.kind == "item"]
    assert len(items) >= token_count * len(PROMPTS)
    assert {tuple(one.candidate for one in screen.shown) for screen in items} == set(ORDERS)


def test_a_screens_id_and_place_do_not_depend_on_the_candidates(page: Page) -> None:
    tokens = [page.sit(f"또 {i}") for i in range(6)]
    screens = [page.value("grade_screen", token, "run", -1) for token in tokens]
    ids = [screen["screen"] for screen in screens]
    assert len(set(ids)) == len(ids)
    assert {tuple(sorted(screen)) for screen in screens} == {tuple(sorted(screens[0]))}


def test_a_vote_between_two_shows_names_only_afterwards(page: Page) -> None:
    from gradio_client import Client

    client = Client(page.base, verbose=False, httpx_kwargs={"timeout": PATIENCE})
    try:
        names = ("메아리-", "bundled-")
        for asked in ("바다 이야기", "이름이 뭐예요?", "그리고요?"):
            before = client.predict(asked, api_name="/compare")
            shown = json.dumps(before, ensure_ascii=False, default=str)
            assert asked in shown and not [n for n in names if n in shown]
        after = client.predict(before[1], api_name="/vote_both_good")
        assert sum(n in json.dumps(after, ensure_ascii=False, default=str) for n in names) >= 1
    finally:
        client.close()


def test_the_server_sends_both_replies_of_a_pair_at_once(page: Page) -> None:
    """One event with both: neither which came first nor how long each took can be seen."""
    events = [
        json.loads(d)
        for k, d in page.stream("compare", "강 이야기", None)
        if k in ("generating", "complete")
    ]
    events = [event for event in events if isinstance(event[2], list)]  # else nothing changes
    replies = [[m for m in event[2] if m.get("nodes")] for event in events]
    assert {len(said) for said in replies} == {0, 2}
