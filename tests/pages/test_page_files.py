"""What a Space and a Colab start from agrees with the project."""

from __future__ import annotations

import json
import tomllib
from pathlib import Path

ROOT = Path(__file__).parents[2]


def test_a_space_installs_the_projects_own_dependencies() -> None:
    declared = tomllib.loads((ROOT / "pyproject.toml").read_text())["project"]["dependencies"]
    lines = (ROOT / "requirements.txt").read_text().splitlines()
    installed = {line for line in lines if line and not line.startswith("#")}
    assert installed == {one for one in declared if not one.startswith("gradio")}


def test_a_space_has_a_font_for_korean() -> None:
    assert "fonts-nanum" in (ROOT / "packages.txt").read_text().split()


def test_the_notebooks_cells_call_only_our_commands() -> None:
    notebook = json.loads((ROOT / "notebooks" / "colab.ipynb").read_text())
    lines = [
        line
        for cell in notebook["cells"]
        if cell["cell_type"] == "code"
        for line in "".join(cell["source"]).splitlines()
    ]
    allowed = (
        "!ohlora ",
        "!pip install -q -e .",
        "!test -d ohlora",
        "%cd ohlora",
        "#",
        "REPOSITORY",
    )
    assert [line for line in lines if line and not line.startswith(allowed)] == []
    assert all(cell.get("outputs") == [] for cell in notebook["cells"] if "outputs" in cell)


def test_every_endpoint_for_graders_is_documented() -> None:
    words = (ROOT / "docs" / "grading.md").read_text()
    for name in ("grade_start", "grade_screen", "grade_submit", "/healthz"):
        assert name in words
