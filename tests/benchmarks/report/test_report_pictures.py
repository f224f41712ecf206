"""The pictures: Korean has glyphs, failures stand in words, the same run gives the same bytes."""

from __future__ import annotations

import logging
import os
import random
import subprocess
import sys
import warnings
from xml.etree import ElementTree

import pytest

from benchmarks.report.evidence import Evidence
from benchmarks.report.pictures.all_pictures import pictures
from benchmarks.report.pictures.point_labels import Label, place_labels
from tests.support.report_fixtures import make_run
from tests.test_house import ROOT


@pytest.fixture(scope="module")
def evidence(tmp_path_factory) -> Evidence:
    names = ("beta-1.3b", "한국-모델-0.5b", "epsilon-1.5b", "zeta-1.0b")
    return Evidence.read(make_run(tmp_path_factory.mktemp("run"), candidates=names))


@pytest.fixture(scope="module")
def drawn(evidence):
    return {picture.name: picture for picture in pictures(evidence)}


def test_there_is_a_picture_of_cost_of_ranks_of_losses_and_of_scores(drawn):
    assert list(drawn) == ["cost_quality", "costs", "losses", "before_after"]


def test_each_is_an_svg_element_with_a_name_and_a_png(drawn):
    for picture in drawn.values():
        root = ElementTree.fromstring(picture.svg)
        assert root.tag.endswith("svg")
        assert root.get("aria-label") == picture.title
        assert picture.png.startswith(b"\x89PNG")


def test_korean_is_drawn_without_a_missing_glyph_or_a_font_warning(evidence, monkeypatch, caplog):
    import matplotlib.font_manager  # noqa: F401 - its first list of fonts, a slow one says so

    monkeypatch.setenv("OHLORA_LANG", "ko")
    with warnings.catch_warnings(), caplog.at_level(logging.WARNING, logger="matplotlib"):
        warnings.simplefilter("error")
        drawn = pictures(evidence)
    assert not caplog.records
    assert "비용과 품질" in [picture.title for picture in drawn]
    # Letters are outlines of the font we bring: no font of the reader's is asked for.
    assert "NanumGothic" in drawn[0].svg
    assert "<text" not in drawn[0].svg


def test_the_same_run_gives_the_same_bytes(evidence, drawn):
    again = {picture.name: picture for picture in pictures(evidence)}
    assert again == drawn


def test_the_ids_of_two_pictures_on_one_page_do_not_meet(drawn):
    ids: list[set[str]] = []
    for picture in drawn.values():
        root = ElementTree.fromstring(picture.svg)
        ids.append({element.get("id", "") for element in root.iter()} - {""})
    assert all(one.isdisjoint(other) for i, one in enumerate(ids) for other in ids[i + 1 :])


def test_colours_follow_the_page(drawn):
    assert "var(--ink)" in drawn["costs"].svg
    assert "#1f2328" not in drawn["costs"].svg


def test_the_caption_names_who_could_not_be_drawn_and_why(drawn):
    assert "zeta-1.0b (unreachable)" in drawn["cost_quality"].caption
    assert "epsilon-1.5b (oom_training)" in drawn["cost_quality"].caption


def test_a_name_that_looks_like_a_formula_is_drawn_as_it_stands(tmp_path):
    run = make_run(tmp_path, candidates=("beta-1.3b",))
    for file in run.path.iterdir():
        text = file.read_text(encoding="utf-8").replace("beta-1.3b", "a$_x$b^{-<&")
        file.write_text(text, encoding="utf-8")
    for picture in pictures(Evidence.read(run)):
        ElementTree.fromstring(picture.svg)


def test_random_weights_have_no_picture_of_quality(tmp_path):
    run = make_run(tmp_path, weights="random", candidates=("beta-1.3b",))
    drawn = pictures(Evidence.read(run))
    assert [picture.name for picture in drawn] == ["costs", "losses"]


def test_a_run_without_results_has_no_pictures(tmp_path):
    assert pictures(Evidence.read(make_run(tmp_path, candidates=()))) == []


def test_no_name_lies_over_another_in_a_picture_of_fifty():
    from matplotlib.figure import Figure

    chance = random.Random(3)
    labels = [
        Label(f"korean-model-{n}b", chance.uniform(1, 80), chance.uniform(0, 1)) for n in range(50)
    ]
    figure = Figure(figsize=(5.8, 4.3))
    axes = figure.subplots()
    axes.plot([each.x for each in labels], [each.y for each in labels], "o")
    figure.draw_without_rendering()
    left_out = place_labels(axes, labels)
    boxes = [note.get_window_extent() for note in axes.texts]
    assert len(boxes) + len(left_out) == 50
    assert len(boxes) > 8
    assert not [1 for i, one in enumerate(boxes) for other in boxes[i + 1 :] if one.overlaps(other)]
    marks = [axes.transData.transform((each.x, each.y)) for each in labels]
    assert not [1 for box in boxes for x, y in marks if box.contains(x, y)]
    room = axes.get_window_extent()
    assert all(box.x0 >= room.x0 - 5 and box.x1 <= room.x1 + 5 for box in boxes)


def test_a_few_names_all_stand_in_the_picture(evidence, monkeypatch):
    written = []

    def place(axes, labels):
        left_out = place_labels(axes, labels)
        written.append(({note.get_text() for note in axes.texts}, left_out))
        return left_out

    monkeypatch.setattr("benchmarks.report.pictures.cost_pictures.place_labels", place)
    pictures(evidence)
    assert written
    for names, left_out in written:
        assert not left_out
        assert {"beta-1.3b", "한국-모델-0.5b"} <= names


def test_a_notebook_s_way_to_show_pictures_does_not_keep_a_command_from_drawing() -> None:
    """Its kernel leaves MPLBACKEND to all that it calls: a module that may not be there."""
    program = (
        "from benchmarks.report.pictures.drawing import draw\n"
        "assert draw('name', 'title', 'caption', (2, 2), lambda figure: None).svg\n"
    )
    done = subprocess.run(
        [sys.executable, "-c", program],
        cwd=ROOT,
        env={**os.environ, "MPLBACKEND": "of a notebook"},
        capture_output=True,
        text=True,
    )
    assert done.returncode == 0, done.stderr
