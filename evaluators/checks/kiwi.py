"""Well-formedness by the morphological analyser kiwipiepy, if the extra `korean` is installed.

Its analysis knows far more Korean than our own table does, and takes 0.6 GB of memory: it is an
evaluator beside `well_formed`, and never part of `quality`, which is the same on every machine.
"""

from __future__ import annotations

import importlib.util
import math
from collections.abc import Callable
from functools import cache
from typing import TYPE_CHECKING

from evaluators.checks.fluency import FEWEST, SYLLABLES, plain
from evaluators.evaluator import EachText, Evaluator
from model_registry.hookspecs import hookimpl
from model_registry.records import Score

if TYPE_CHECKING:
    from kiwipiepy import Kiwi

#: Of the mean log probability a syllable: half-way between our own texts (-2.3 to -3.6) and the
#: same texts scrambled (-4.7 to -6.1), and how steep it is there.
MIDDLE, SPREAD = -4.2, 0.35


def kiwi_well_formed(reply: str) -> Score:
    """How much the Korean of the reply reads like Korean, by a morphological analyser.

    Range: 0 to 1; high is better. None for fewer than four Hangul syllables.
    Source: the log probability that kiwipiepy gives its best analysis, a syllable, on a logistic
    curve whose middle lies between our own texts and the same texts scrambled.
    Limits: needs the extra `korean` and 0.6 GB of memory; slang and spoken endings lower it. The
    first 1,000 characters count; Latin words are passed over.
    """
    text = plain(reply).strip()
    syllables = len(SYLLABLES.findall(text))
    if syllables < FEWEST:
        return Score(None, "too little Korean to judge")
    _, log_probability = _analyser().analyze(text, top_n=1)[0]
    distance = (log_probability / syllables - MIDDLE) / SPREAD
    return Score(1 / (1 + math.exp(-max(-50.0, distance))))


@cache
def _analyser() -> Kiwi:
    from kiwipiepy import Kiwi

    return Kiwi(num_workers=1)


KIWI_WELL_FORMED = EachText(
    "kiwi_well_formed",
    kiwi_well_formed,
    label_en="well-formed (kiwi)",
    label_ko="자연스러움 (kiwi)",
)


@hookimpl
def register_evaluators(register: Callable[[Evaluator], None]) -> None:
    """Offer the evaluator of this file, where kiwipiepy is installed."""
    if importlib.util.find_spec("kiwipiepy") is not None:
        register(KIWI_WELL_FORMED)
