"""The command line: names, JSON documents and exit statuses are a contract."""

from __future__ import annotations

import dataclasses
import json
import os
import re
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path

import pytest

import commands.tuning
from evaluators.ranking.normalization import NORMALIZATIONS
from tests.support.grading_fixtures import make_run

ROOT = Path(__file__).resolve().parents[2]
Ohlora = Callable[..., tuple[int, str, str]]


def test_the_deepseek_criteria_give_exactly_the_fourteen(ohlora: Ohlora) -> None:
    code, out, _ = ohlora(
        "candidates", "--catalog", "deepseek", "--max-params", "20B",
        "--task", "text-generation", "--without", "math", "--without", "reasoning", "--json",
    )  # fmt: skip
    document = json.loads(out)
    assert code == 0
    assert len(document["accepted"]) == 14
    assert all(row["reason"] for row in document["rejected"])


def test_explain_shows_each_rejected_candidate_and_why(ohlora: Ohlora) -> None:
    code, out, _ = ohlora(
        "candidates", "--catalog", "korean-small", "--license", "free", "--explain"
    )
    assert code == 0
    assert "gemma-2-2b-it: gemma is a conditional licence" in out


def test_json_is_one_document_and_nothing_else(ohlora: Ohlora) -> None:
    _, out, err = ohlora("candidates", "--catalog", "bundled", "--json")
    assert set(json.loads(out)) == {"accepted", "rejected", "use"}
    assert err == ""


def test_a_wrong_name_is_exit_status_1_with_the_near_one_and_no_traceback(ohlora: Ohlora) -> None:
    code, out, err = ohlora("candidates", "--catalog", "korean-smal")
    assert code == 1
    assert "Did you mean korean-small?" in err
    assert "Traceback" not in out + err


@pytest.mark.parametrize(
    "arguments",
    [
        ("candidates", "--no-such-option"),
        ("run", "korean-small", "--weights", "magic"),
        ("run", "korean-small", "--ranks", "16,zero"),
        ("run", "korean-small", "--weights", "bundled", "--device", "tpu"),
        ("decide",),
        ("no-such-command",),
    ],
)
def test_wrong_usage_is_exit_status_2(ohlora: Ohlora, arguments: tuple[str, ...]) -> None:
    code, _, err = ohlora(*arguments)
    assert code == 2
    assert "Traceback" not in err


def test_candidates_of_one_score_are_said_to_be_equal(ohlora: Ohlora, tmp_path: Path) -> None:
    table = tmp_path / "tie.csv"
    table.write_text("name,accuracy,speed,license\na,1,0,mit\nb,0,1,mit\n", encoding="utf-8")
    code, said, _ = ohlora("decide", "--table", table, "--high", "accuracy", "--high", "speed")
    assert code == 0
    assert "are equal: each scores 0.50" in said
    assert "50.0% → 50.0%" not in said


def test_a_table_of_one_s_own_is_decided_and_its_sensitivity_told(ohlora: Ohlora) -> None:
    table = ROOT / "datasets" / "published" / "published.csv"
    code, out, err = ohlora("decide", "--table", table)
    assert (code, err) == (0, "")
    assert "polyglot-ko-1.3b" in out
    assert all(name in out for name in NORMALIZATIONS)


@pytest.mark.parametrize(
    ("arguments", "words"),
    [
        (("candidates", "--min-params", "big"), "a number of parameters such as"),
        (("run", "korean-smal"), "Did you mean korean-small?"),
        (("run", "korean-small", "--memory-limit", "much"), "an amount of memory"),
        (("run", "missing.toml"), "missing.toml"),
        (("report", "no-such-run"), "holds no run"),
        (("decide", "no-such-run"), "holds no run"),
        (("score", "missing.csv"), "missing.csv"),
        (("ask", "bundled-lama", "안녕"), "No candidate is called bundled-lama"),
        (("export", "nowhere", "--out", "x"), "There is no folder nowhere"),
        (("tune", "nobody", "--data", "x.csv", "--out", "x"), "No candidate is called nobody"),
    ],
)
def test_what_a_user_gets_wrong_is_one_clear_error(
    ohlora: Ohlora, arguments: tuple[str, ...], words: str
) -> None:
    code, _, err = ohlora(*arguments)
    assert code == 1
    assert words in err.replace("\n", " ")
    assert "Traceback" not in err


HEAVY = {"torch", "transformers", "gradio", "pandas", "peft", "matplotlib", "scipy", "ray"}


def modules_after(*arguments: str) -> set[str]:
    """What is loaded when a command has ended well."""
    program = (
        f"import sys; sys.argv = ['ohlora', *{arguments!r}]\n"
        "import ohlora_cli\n"
        "try: ohlora_cli.main()\n"
        "except SystemExit as end: assert not end.code, end.code\n"
        "print('modules', *sys.modules)"
    )
    done = subprocess.run(
        [sys.executable, "-c", program], cwd=ROOT, capture_output=True, text=True, check=True
    )
    return set(done.stdout.rpartition("modules ")[2].split())


@pytest.mark.parametrize("arguments", [("--help",), ("grades", "--help")])
def test_the_help_of_a_group_loads_none_of_its_commands(arguments: tuple[str, ...]) -> None:
    loaded = modules_after(*arguments)
    ours = {name for name in loaded if name.startswith("commands.")}
    assert {name.split(".")[1] for name in ours} == {"shared"}
    assert not loaded & (HEAVY | {"numpy", "sqlalchemy", "jinja2", "pluggy"})


@pytest.mark.parametrize(
    "arguments",
    [("fit", "--help"), ("run", "--help"), ("app", "--help"), ("candidates",), ("studies",)],
)
def test_a_command_that_computes_nothing_loads_no_heavy_module(arguments: tuple[str, ...]) -> None:
    assert not modules_after(*arguments) & HEAVY


def test_listing_candidates_does_not_even_load_numpy() -> None:
    assert "numpy" not in modules_after("candidates")


def test_every_command_of_the_tables_is_there_and_imports_nothing_heavy() -> None:
    program = (
        "import sys, ohlora_cli as o\n"
        "for table in (o.COMMANDS, o.GRADES, o.DIAGRAMS):\n"
        "    for name, place in table.items(): assert place.load(name).help == place.help\n"
        f"assert not {HEAVY!r} & set(sys.modules), {HEAVY!r} & set(sys.modules)\n"
    )
    done = subprocess.run([sys.executable, "-c", program], cwd=ROOT, capture_output=True, text=True)
    assert done.returncode == 0, done.stderr


def test_every_option_and_argument_of_every_command_says_what_it_is() -> None:
    program = (
        "import typer, ohlora_cli as o\n"
        "def walk(command, path):\n"
        "    for part in command.params:\n"
        "        if not part.help: print(*path, part.name)\n"
        "    context = typer.Context(command)\n"
        "    for name in getattr(command, 'list_commands', lambda _: [])(context):\n"
        "        walk(command.get_command(context, name), [*path, name])\n"
        "walk(typer.main.get_command(o.app), ['ohlora'])\n"
    )
    done = subprocess.run(
        [sys.executable, "-c", program], cwd=ROOT, capture_output=True, text=True, check=True
    )
    assert done.stdout.splitlines() == []


def test_the_texts_are_korean_where_the_locale_is() -> None:
    others = dict.fromkeys(("OHLORA_LANG", "LC_ALL", "LC_MESSAGES"), "")
    environment = {**os.environ, "LANG": "ko_KR.UTF-8", **others}
    done = subprocess.run(
        [sys.executable, "-m", "ohlora_cli", "--help"],
        cwd=ROOT,
        env=environment,
        capture_output=True,
        text=True,
        check=True,
    )
    assert "조건에 맞는 후보를 나열합니다" in done.stdout


def test_a_korean_terminal_names_the_columns_of_fit_in_korean(
    ohlora: Ohlora, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("OHLORA_LANG", "ko")
    code, out, _ = ohlora("fit", "--catalog", "bundled", "--gpu", "12GB")
    head = re.split(" {2,}", out.splitlines()[0].strip())
    assert code == 0
    assert head[:4] == ["후보 (GiB)", "불러오기", "추론", "추론 nf4"]
    assert "전체 튜닝" in head


@pytest.mark.parametrize(
    ("arguments", "said"),
    [
        (("fitt",), "'fitt'라는 명령은 없습니다. 비슷한 명령: 'fit'"),
        (("fit", "--no-such"), "--no-such: 없는 옵션입니다."),
        (("run", "korean-small", "--dat", "4"), "비슷한 옵션: --data"),
        (("run",), "인자 'study'이(가) 필요합니다."),
        (("tune", "x", "--data", "y"), "옵션 '--out'이(가) 필요합니다."),
        (("ask", "x", "y", "--seed", "z"), "'--seed'의 값이 잘못되었습니다: 'z'은(는) 정수가"),
        (("ask", "x", "y", "z"), "인자가 남습니다: z"),
        (("doctor", "--json=3"), "옵션 '--json'에는 값을 쓰지 않습니다."),
        (("export", "x", "--out"), "옵션 '--out'에는 값이 필요합니다."),
        (
            ("fit", "--batch", "0"),
            "'--batch'의 값이 잘못되었습니다: batch 값은 0보다 커야 합니다: 0",
        ),
        (("decide",), "값이 잘못되었습니다: RUN과 --table FILE"),
    ],
)
def test_wrong_usage_is_told_in_korean_too(
    ohlora: Ohlora, monkeypatch: pytest.MonkeyPatch, arguments: tuple[str, ...], said: str
) -> None:
    monkeypatch.setenv("OHLORA_LANG", "ko")
    code, out, err = ohlora(*arguments)
    assert (code, out) == (2, "")
    assert said in err
    english = ("Usage", "Error", "Try ", "Invalid", "Missing", "No such", "OPTIONS", "ARGS")
    assert not [word for word in english if word in err]


def test_help_has_no_english_of_typer_s_own_on_a_korean_screen(
    ohlora: Ohlora, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("OHLORA_LANG", "ko")
    english = ("Usage", "Show this", "Options", "Commands", "Arguments", "default", "required")
    for command in ([], ["run"], ["tune"], ["app"], ["grades"], ["diagram", "draw"]):
        code, out, _ = ohlora(*command, "--help")
        assert code == 0
        assert "사용법: ohlora" in out
        assert not [word for word in english if word in out], out


def test_the_agreement_of_graders_is_told_in_korean_and_its_json_has_the_same_names(
    ohlora: Ohlora, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    monkeypatch.setenv("OHLORA_DATA_DIR", str(tmp_path))
    monkeypatch.setenv("OHLORA_LANG", "ko")
    code, out, _ = ohlora("grades", "agreement")
    assert code == 0
    assert "평가자가 두 명 이상일 때 계산함" in out
    assert not [word for word in ("alpha", "replies", "graders", "reason") if word in out]
    _, out, _ = ohlora("grades", "agreement", "--json")
    assert set(json.loads(out)["agreement"]) == {
        "alpha", "low", "high", "replies", "graders", "reason"
    }  # fmt: skip


def test_what_people_grade_is_planned_shown_and_taken_back(
    ohlora: Ohlora, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    monkeypatch.setenv("OHLORA_DATA_DIR", str(tmp_path / "data"))
    run = make_run(tmp_path / "run")
    _, out, _ = ohlora(
        "grades", "plan", run, "--prompts", "6", "--overlap", "2", "--graders", "3", "--json"
    )
    load = json.loads(out)["load"]
    assert (load["prompts"], load["items"], load["grades_in_all"]) == (6, 4, 36)
    code, out, _ = ohlora("grades", "plan", run)
    assert code == 0 and "6 of 12" in out and "assumed" in out
    code, _, err = ohlora("grades", "plan", run, "--rank", "8")
    assert code == 1 and "it has none" in err
    _, out, _ = ohlora("grades", "plan", run, "--reset", "--json")
    assert json.loads(out)["load"]["prompts"] == 12
    _, out, _ = ohlora("grades", "plan", run)
    assert "default, as the run grows" in out
    assert not (tmp_path / "data").exists(), "planning makes no database"


def test_what_to_grade_next_is_told_without_a_database_and_after_a_few_grades(
    ohlora: Ohlora, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    monkeypatch.setenv("OHLORA_DATA_DIR", str(tmp_path / "data"))
    run = make_run(tmp_path / "run")
    code, out, _ = ohlora("grades", "next", run, "--count", "2", "--json")
    document = json.loads(out)
    assert code == 0 and len(document["next"]) == 2
    assert (document["stop"]["code"], document["stop"]["stops"]) == ("too_few", False)
    code, out, _ = ohlora("grades", "next", run)
    assert code == 0 and "fewer than 12 prompts" in out and "variance" in out
    assert not (tmp_path / "data").exists(), "looking makes no database"
    code, out, _ = ohlora("grades", "agreement", "--run", run, "--json")
    assert code == 0 and json.loads(out)["joined"]["raters"] == []
    code, _, err = ohlora("grades", "next", tmp_path / "none")
    assert code == 1 and "no run folder" in err


def test_a_plugin_file_adds_its_candidate(ohlora: Ohlora, tmp_path: Path) -> None:
    plugin = tmp_path / "mine.py"
    plugin.write_text(
        "from model_registry.candidate import Candidate, License\n"
        "from model_registry.hookspecs import hookimpl\n"
        "@hookimpl\n"
        "def register_candidates(register):\n"
        "    register(Candidate('mine-1b', License('MIT', 'yes'), parameters=10**9))\n"
    )
    _, out, _ = ohlora("--plugin", plugin, "candidates", "--json")
    assert "mine-1b" in [row["name"] for row in json.loads(out)["accepted"]]
    _, out, _ = ohlora("--plugin", plugin, "plugins", "--json")
    assert {"mine-1b"} <= {name for row in json.loads(out)["plugins"] for name in row["names"]}


def test_a_plugin_file_that_does_not_import_names_its_line(ohlora: Ohlora, tmp_path: Path) -> None:
    plugin = tmp_path / "broken.py"
    plugin.write_text("import os\nimport no_such_module\n")
    code, _, err = ohlora("--plugin", plugin, "candidates")
    assert code == 1
    assert "broken.py:2" in err.replace("\n", "")


def test_the_template_is_a_study_that_can_be_read_the_same_one_in_both_languages(
    ohlora: Ohlora, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    from benchmarks.study.study_files import read_study

    found, settings = [], []
    for language in ("en", "ko"):
        monkeypatch.setenv("OHLORA_LANG", language)
        code, out, _ = ohlora("studies", "--template")
        assert code == 0
        (tmp_path / f"{language}.toml").write_text(out, encoding="utf-8")
        found.append(dataclasses.replace(read_study(tmp_path / f"{language}.toml"), source=""))
        settings.append(re.findall(r"^(?:# )?(\[*[\w.]+(?: =|\]+))", out, re.M))
    assert found[0] == found[1] and found[0].name == "my-study"
    assert settings[0] == settings[1], "those that are commented out too"


def test_score_gives_a_document_with_a_row_for_each_reply(ohlora: Ohlora, tmp_path: Path) -> None:
    table = tmp_path / "replies.csv"
    table.write_text("질문,답변\n안녕?,안녕! 반가워.\n뭐 해?,\n", encoding="utf-8-sig")
    code, out, _ = ohlora(
        "score", table, "--prompt-column", "질문", "--reply-column", "답변", "--json"
    )
    document = json.loads(out)
    assert code == 0
    assert [row["prompt"] for row in document["rows"]] == ["안녕?", "뭐 해?"]
    assert "empty" in document["rows"][0]["scores"]


def test_gptq_is_not_exported_without_rows_to_calibrate_on(
    ohlora: Ohlora, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(commands.tuning, "check_available", lambda method: None)
    code, _, err = ohlora("export", "nowhere", "--out", "x", "--quantization", "gptq")
    assert code == 2
    assert "--data" in err


def test_an_unknown_quantisation_of_an_export_is_told_what_there_is(ohlora: Ohlora) -> None:
    code, _, err = ohlora("export", "nowhere", "--out", "x", "--quantization", "int3")
    assert code == 1
    assert "int8, nf4, gptq" in err


def test_a_quoted_tilde_is_the_home_folder_in_every_option_that_is_a_path(
    tmp_path, monkeypatch
) -> None:
    import typer.main

    import ohlora_cli

    monkeypatch.setenv("HOME", str(tmp_path))
    command = typer.main.get_command(ohlora_cli.app)
    paths = [
        parameter.type.convert("~/rows.csv", parameter, None)
        for name in command.list_commands(None)
        for parameter in command.get_command(None, name).params
        if isinstance(parameter.type, typer.main.TyperPath)
    ]
    assert len(paths) > 10
    assert {str(path) for path in paths} == {str(tmp_path / "rows.csv")}


def test_both_readmes_name_the_same_documents_and_only_commands_that_there_are(
    ohlora: Ohlora,
) -> None:
    english, korean = (
        (ROOT / name).read_text(encoding="utf-8").partition("<!-- folders")[0]
        for name in ("README.md", "README.ko.md")
    )
    documents = [set(re.findall(r"\((docs/\w+\.md)\)", said)) for said in (english, korean)]
    assert documents[0] == documents[1]
    named = {said for each in (english, korean) for said in re.findall(r"ohlora ([a-z]+)", each)}
    _, known, _ = ohlora("--help")
    assert {name for name in named if not re.search(rf"^ +{name} ", known, re.M)} == set()
    commands = [set(re.findall(r"ohlora ([a-z]+)", said)) for said in (english, korean)]
    assert commands[0] <= commands[1]
