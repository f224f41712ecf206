"""A decision says for which use it holds, on which conditions, and what another would change."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from benchmarks.results.decision import decide
from benchmarks.results.folder import RunFolder
from benchmarks.results.run import Run
from benchmarks.results.uses import licence_account, licence_document, under_each_use
from commands.run_messages import tell_decision
from model_registry.licenses.license_uses import USES
from tests.support.report_fixtures import make_run

#: The best of the fixture under terms that allow research alone, another under Kanana's terms.
LICENSES = {
    "alpha-2.6b": ("EXAONE AI Model License 1.2-NC", "no"),
    "beta-1.3b": ("Kanana Open License", "conditional"),
    "gamma-2.5b": ("Apache-2.0", "yes"),
}


@pytest.fixture(scope="module")
def folder(tmp_path_factory) -> RunFolder:
    made = make_run(tmp_path_factory.mktemp("run"), candidates=tuple(LICENSES), overrides=[])
    head = json.loads(made.head_path.read_text(encoding="utf-8"))
    for row in head["candidates"]:
        row["license"], row["license_free"] = LICENSES[row["name"]]
    values = {"license": "Qwen Research License", "use": "own-service"}
    refused = {"code": "use_not_allowed", "values": {**values, "clause": values}}
    head |= {"use": "own-service", "rejected": [{"name": "qwen", "reasons": [refused]}]}
    made.head_path.write_text(json.dumps(head), encoding="utf-8")
    return made


@pytest.fixture(scope="module")
def run(folder) -> Run:
    return Run.read(folder)


def test_licences_are_judged_for_the_use_that_the_run_was_made_for(run) -> None:
    decision = decide(run)
    assert decision.use == decision.to_json()["use"] == "own-service"
    assert set(decision.reasons) == {"alpha-2.6b"}
    assert decision.reasons["alpha-2.6b"].code == "use_not_allowed"


def test_another_use_may_be_asked_for_without_measuring_again(run) -> None:
    assert set(decide(run, use="api").reasons) == {"alpha-2.6b", "beta-1.3b"}
    assert not decide(run, use="research").reasons
    assert set(decide(run, use="derivative").reasons) == {"alpha-2.6b"}  # not read: not allowed


def test_each_use_says_who_would_be_chosen_and_who_is_allowed_but_was_not_measured(run) -> None:
    found = {each.use: each for each in under_each_use(run)}
    assert tuple(found) == USES
    for use, each in found.items():
        assert each.chosen == decide(run, use=use).ranking.chosen
    assert found["research"].unmeasured == ("qwen",)
    assert found["api"].unmeasured == ()
    assert found["api"].not_allowed == ("alpha-2.6b", "beta-1.3b")


def test_the_account_names_the_use_the_clause_the_attribution_and_the_changes(run) -> None:
    decision = decide(run)
    told = "\n".join(licence_account(run, decision))
    assert "It holds for: a service of one's own." in told
    if decision.ranking.chosen == "beta-1.3b":
        assert "Powered by Kanana" in told
    assert "For research: " in told
    assert "allowed, but not measured here: qwen" in told


def test_the_document_holds_both_languages_and_the_source_of_each_licence(run) -> None:
    document = json.loads(json.dumps(licence_document(run)))
    kanana = next(row for row in document["licenses"] if row["name"] == "beta-1.3b")
    assert kanana["table"]["uses"]["api"]["answer"] == "no"
    assert {"en", "ko"} <= set(kanana["table"]["uses"]["api"])
    assert kanana["table"]["read_on"] == "2026-11-28"
    assert [row["use"] for row in document["uses"]] == list(USES)


def test_a_licence_accepted_on_the_record_is_accepted_for_every_use(tmp_path) -> None:
    made = make_run(tmp_path, candidates=("alpha-2.6b", "beta-1.3b"))
    run = Run.read(made)
    assert "alpha-2.6b" not in decide(run, use="api").reasons
    assert all("alpha-2.6b" not in each.not_allowed for each in under_each_use(run))


def test_the_command_decides_for_a_use(folder, ohlora) -> None:
    document = json.loads(ohlora("decide", folder.path, "--use", "api", "--json")[1])
    assert document["use"] == "api"
    assert document["chosen"] == "gamma-2.5b"
    assert {row["name"] for row in document["rejected"]} == {"alpha-2.6b", "beta-1.3b"}


def test_the_command_names_the_chosen_and_what_another_use_would_change(folder, ohlora) -> None:
    printed = ohlora("decide", folder.path)[1]
    ranking = decide(Run.read(folder)).ranking
    assert f"\nchosen: {ranking.chosen}\nreserve: {ranking.reserve}\n" in printed
    assert "It holds for: a service of one's own." in printed
    assert "For research: " in printed


def test_a_decision_on_stand_ins_warns_that_they_are_no_real_candidates(tmp_path, ohlora) -> None:
    made = make_run(tmp_path / "stand-ins", weights="bundled")
    printed = " ".join(ohlora("decide", made.path)[1].split())
    assert "Bundled stand-ins, not the real candidates." in printed


def test_a_run_made_for_a_use_ends_with_what_another_would_change(folder, capsys) -> None:
    tell_decision(folder)
    assert "For research: " in capsys.readouterr().out


def test_a_table_is_decided_for_a_use_by_its_column_of_licences(tmp_path: Path, ohlora) -> None:
    table = tmp_path / "table.csv"
    table.write_text(
        "name,license,quality\na,Qwen Research License,0.9\nb,Apache-2.0,0.5\nc,?,0.8\n",
        encoding="utf-8",
    )

    chosen = {
        use: json.loads(ohlora("decide", "--table", table, "--use", use, "--json")[1])
        for use in ("own-service", "research")
    }
    assert chosen["own-service"]["chosen"] == "b"
    assert {row["name"] for row in chosen["own-service"]["rejected"]} == {"a", "c"}
    assert chosen["research"]["chosen"] == "a"


def test_a_table_without_licences_can_not_be_decided_for_a_use(tmp_path: Path, ohlora) -> None:
    table = tmp_path / "table.csv"
    table.write_text("name,quality\na,0.9\nb,0.5\n", encoding="utf-8")
    code, _, err = ohlora("decide", "--table", table, "--use", "api")
    assert code == 1
    assert "has no column license" in err
