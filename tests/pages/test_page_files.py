"""What a Space and a Colab start from agrees with the project."""

from __future__ import annotations

import ast
import builtins
import json
import re
import shlex
import tomllib
from pathlib import Path

import pytest
import typer.main

import ohlora_cli
from commands.shared.options import SOURCES
from commands.shared.streams import sanitised_streams
from model_registry.memory.fit_report import CARDS

ROOT = Path(__file__).parents[2]


def test_a_space_installs_the_projects_own_dependencies() -> None:
    declared = tomllib.loads((ROOT / "pyproject.toml").read_text())["project"]["dependencies"]
    lines = (ROOT / "requirements.txt").read_text().splitlines()
    installed = {line for line in lines if line and not line.startswith("#")}
    assert installed == {one for one in declared if not one.startswith("gradio")}


def test_a_space_has_a_font_for_korean() -> None:
    assert "fonts-nanum" in (ROOT / "packages.txt").read_text().split()


@pytest.fixture(scope="module")
def cells() -> list[str]:
    """The code of the notebook's cells."""
    notebook = json.loads((ROOT / "notebooks" / "colab.ipynb").read_text(encoding="utf-8"))
    code = [cell for cell in notebook["cells"] if cell["cell_type"] == "code"]
    assert all(cell["outputs"] == [] and cell["execution_count"] is None for cell in code)
    return ["".join(cell["source"]) for cell in code]


def in_the_shell(cells: list[str]) -> list[str]:
    """What the cells call outside Python, in order."""
    lines = (line.strip() for cell in cells for line in cell.splitlines())
    return [line[1:] for line in lines if line.startswith(("!", "%"))]


def test_the_notebooks_cells_call_only_our_commands(cells: list[str]) -> None:
    ours = ("ohlora ", "pip install -q -e .", "test -d /content/ohlora || git clone -q ")
    assert [line for line in in_the_shell(cells) if not line.startswith(ours)] == []


def test_every_command_of_the_notebook_is_one_that_the_command_line_reads(cells: list[str]) -> None:
    called = [line for line in in_the_shell(cells) if line.startswith("ohlora ")]
    assert len(called) > 10
    chosen = dict(re.findall(r'^(\w+) = "(.*)"  # @param', "\n".join(cells), flags=re.M))
    for line in called:
        filled = re.sub(r"\{(.*?)\}", lambda found: chosen.get(found[1]) or "x", line)
        _, *words = shlex.split(filled.partition(" > ")[0])
        command = typer.main.get_command(ohlora_cli.app)
        while hasattr(command, "list_commands") and not words[0].startswith("-"):
            command = command.get_command(typer.Context(command), words.pop(0))
            assert command, line
        with sanitised_streams():  # wrong usage, such as an unknown option, raises
            command.make_context("ohlora", words)


def test_a_cell_of_the_notebook_uses_only_what_was_set_before_it(cells: list[str]) -> None:
    known = {"x", *dir(builtins)}
    for cell in cells:
        program = ast.parse(re.sub(r"^( *)[!%].*$", r"\1pass", cell, flags=re.M))
        for node in ast.walk(program):
            if isinstance(node, ast.Import | ast.ImportFrom):
                known |= {name.asname or name.name for name in node.names}
        names = [node for node in ast.walk(program) if isinstance(node, ast.Name)]
        known |= {node.id for node in names if isinstance(node.ctx, ast.Store)}
        used = {node.id for node in names}
        for put_in in re.findall(r"\{(.*?)\}", "\n".join(in_the_shell([cell]))):
            used |= {node.id for node in ast.walk(ast.parse(put_in)) if isinstance(node, ast.Name)}
        assert used - known == set()


def test_what_the_notebook_offers_is_there(cells: list[str]) -> None:
    offered = {
        name: json.loads(values)
        for name, values in re.findall(r"^(\w+) = .*# @param (\[.*\])$", cells[0], flags=re.M)
    }
    for study in offered["STUDY"]:  # its candidates are listed by the catalog of the same name
        assert (ROOT / "benchmarks" / "studies" / f"{study}.toml").exists()
        assert (ROOT / "model_registry" / "catalogs" / f"{study}.toml").exists()
    assert set(offered["GPU"]) <= set(CARDS)
    assert set(offered["WEIGHTS"]) <= set(SOURCES)


def test_the_notebook_has_kept_grades_back_before_it_writes_them_and_decides(
    cells: list[str],
) -> None:
    """A new machine has no grades: exported before they were imported, they would be lost."""
    done = [" ".join(line.split()[1:3]) for line in in_the_shell(cells)]
    in_order = ["grades import", "run {STUDY}", "app --run", "grades export", "grades agreement"]
    places = [done.index(one) for one in in_order]
    assert places == sorted(places)
    told = "\n".join(cells).partition("grades export")[2]
    followed = [told.index(f"ohlora {one} ") for one in ("decide", "tune", "ask", "export")]
    assert followed == sorted(followed)
    assert "files.download(" in told


def test_every_endpoint_for_graders_is_documented() -> None:
    words = (ROOT / "docs" / "grading.md").read_text()
    for name in ("grade_start", "grade_screen", "grade_submit", "/healthz"):
        assert name in words
