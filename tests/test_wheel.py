"""What is installed from a wheel works as the clone does, from any folder."""

from __future__ import annotations

import os
import re
import shutil
import subprocess
import sys
import sysconfig
import tomllib
import venv
import zipfile
from pathlib import Path

import pytest
from packaging.requirements import Requirement
from packaging.version import Version

from model_registry.files.shipped_data import DATASETS, find_datasets
from tests.test_house import LAYERS, ROOT, tracked_files

PROJECT = tomllib.loads((ROOT / "pyproject.toml").read_text(encoding="utf-8"))
SHARE = "share/ohlora/"


def inside(room: str) -> list[str]:
    """The project's files in one of its folders, as paths from its root."""
    files = (path.relative_to(ROOT).as_posix() for path in tracked_files())
    return [file for file in files if file.startswith(f"{room}/")]


def test_a_clone_finds_its_own_data():
    assert DATASETS == ROOT / "datasets"


def test_a_package_called_datasets_is_not_taken_for_our_data(tmp_path, monkeypatch):
    """In site-packages a folder `datasets` beside the code is Hugging Face's."""
    site = tmp_path / "lib" / "site-packages"
    (site / "datasets").mkdir(parents=True)
    (site / "datasets" / "__init__.py").touch()
    ours = tmp_path / "share" / "ohlora" / "datasets" / "persona"
    ours.mkdir(parents=True)
    (ours / "train.jsonl").touch()
    info = site / "ohlora-9.9.dist-info"
    info.mkdir()
    (info / "METADATA").write_text("Metadata-Version: 2.1\nName: ohlora\nVersion: 9.9\n")
    (info / "RECORD").write_text("../../share/ohlora/datasets/persona/train.jsonl,,\n")
    monkeypatch.syspath_prepend(str(site))
    assert find_datasets(site / "datasets") == ours.parent


def test_every_package_and_every_file_of_data_is_listed_for_the_wheel():
    setup = PROJECT["tool"]["setuptools"]
    packages = {
        Path(file).parent.as_posix().replace("/", ".")
        for room in LAYERS for file in inside(room) if file.endswith(".py")
    }  # fmt: skip
    assert packages == set(setup["packages"])
    listed = {
        path.relative_to(ROOT).as_posix()
        for patterns in setup["data-files"].values()
        for pattern in patterns
        for path in ROOT.glob(pattern)
    }
    assert set(inside("datasets")) <= listed


def test_typer_is_installed_as_it_was_tested_for_its_inner_modules_are_used():
    """They change with each minor version: 0.29 has no `TyperPath`, 0.25 no `_click`."""
    asked = next(
        one.specifier for one in map(Requirement, PROJECT["project"]["dependencies"])
        if one.name == "typer"
    )  # fmt: skip
    pinned = (ROOT / "constraints.txt").read_text(encoding="utf-8").split()
    tested = Version(next(one for one in pinned if one.startswith("typer=="))[len("typer==") :])
    assert asked.contains(tested)
    assert not asked.contains(f"{tested.major}.{tested.minor + 1}.0")
    assert not asked.contains("0.25.1")


def test_what_is_said_to_install_is_an_extra_of_the_clone_for_no_index_has_ohlora():
    said = [
        line
        for room in LAYERS for file in inside(room) if file.endswith((".py", ".toml"))
        for line in (ROOT / file).read_text(encoding="utf-8").splitlines() if "pip install" in line
    ]  # fmt: skip
    assert [line for line in said if re.search(r"pip install.*ohlora", line)] == []
    extras = {extra for line in said for extra in re.findall(r"\.\[(\w+)\]", line)}
    assert {"quant", "postgres", "preference"} <= extras
    assert extras <= set(PROJECT["project"]["optional-dependencies"])


@pytest.fixture(scope="module")
def wheel(tmp_path_factory) -> Path:
    """A wheel of the files that belong to the project, built as anybody would."""
    source = tmp_path_factory.mktemp("source")
    for path in tracked_files():
        target = source / path.relative_to(ROOT)
        target.parent.mkdir(parents=True, exist_ok=True)
        shutil.copy(path, target)
    out = tmp_path_factory.mktemp("wheels")
    subprocess.run(
        [sys.executable, "-m", "pip", "wheel", "--no-deps", "--no-build-isolation", "--no-index",
         "--wheel-dir", str(out), str(source)],
        check=True, capture_output=True, timeout=300,
    )  # fmt: skip
    return next(out.glob("ohlora-*.whl"))


@pytest.mark.slow
def test_a_wheel_holds_every_file_that_the_product_reads_and_no_package_called_datasets(wheel):
    names = zipfile.ZipFile(wheel).namelist()
    wanted = {file for room in LAYERS for file in inside(room) if not file.endswith((".mako",))}
    # A model's card is read by users; a README of modules is for who reads the code.
    wanted -= {f for f in wanted if f.endswith("README.md") and "bundled/weights/" not in f}
    assert wanted - set(names) == set()
    data = {name.partition(SHARE)[2] for name in names if SHARE in name}
    assert data == set(inside("datasets"))
    assert not [name for name in names if name.startswith(("datasets/", "tests/"))]


@pytest.mark.slow
@pytest.mark.timeout(900)
def test_what_a_wheel_installs_runs_the_demo_from_another_folder(wheel, tmp_path):
    place = tmp_path / "bare"
    venv.create(place, symlinks=True)
    python = place / "bin" / "python"
    subprocess.run(
        [sys.executable, "-m", "pip", "--python", str(python), "install", "--no-deps",
         "--no-index", str(wheel)],
        check=True, capture_output=True, timeout=300,
    )  # fmt: skip
    libraries = sysconfig.get_paths()["purelib"]  # what the project needs, but not the project
    site = next((place / "lib").glob("python*/site-packages"))
    (site / "libraries.pth").write_text(f"{libraries}\n")
    environment = {k: v for k, v in os.environ.items() if k != "PYTHONPATH"}
    environment |= {"OHLORA_LANG": "en", "COLUMNS": "200", "HF_HUB_OFFLINE": "1"}
    elsewhere = tmp_path / "elsewhere"
    elsewhere.mkdir()

    def run(*words: str) -> str:
        done = subprocess.run(
            [str(python), *words], cwd=elsewhere, env=environment, capture_output=True,
            text=True, timeout=600, check=False,
        )  # fmt: skip
        assert done.returncode == 0, done.stdout[-2000:] + done.stderr[-2000:]
        return done.stdout

    where = run("-c", "import benchmarks, model_registry.files.shipped_data as s; "
                      "print(benchmarks.__file__); print(s.DATASETS)")  # fmt: skip
    assert all(line.startswith(str(place)) for line in where.splitlines()), where
    run("-c", "import datasets; assert datasets.Dataset")  # Hugging Face's is whole
    printed = run(
        "-m", "ohlora_cli", "run", "korean-small", "--weights", "bundled", "--ranks", "16",
        "--only", "bundled-neox-0.4m", "--out", "run",
    )  # fmt: skip
    assert "report" in printed
    assert (elsewhere / "run" / "report" / "report.html").stat().st_size > 300
    scores = (elsewhere / "run" / "scores.jsonl").read_text(encoding="utf-8")
    assert "facts are not installed" not in scores
