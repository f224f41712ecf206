"""The variance of the difference between two candidates, and which grade narrows it most."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from statistics import fmean

import numpy as np

from evaluators.grading.statistics.comparison import FEWEST_PROMPTS

#: Before anything is known: the variance of a difference, half of it the person's.
_PRIOR_VARIANCE = 1.5


@dataclass(frozen=True)
class Contrast:
    """The difference between two candidates, prompt by prompt.

    `people` is how many graded both at each prompt, `guess` the difference that raters see there;
    `prompt_variance` and `person_variance` are of the difference, in grades².
    """

    prompts: Sequence[str]
    people: np.ndarray
    guess: np.ndarray
    prompt_variance: float
    person_variance: float

    @classmethod
    def of(
        cls,
        prompts: Sequence[str],
        graded: Mapping[str, Sequence[int]],
        guess: Mapping[str, float],
    ) -> Contrast:
        """From people's differences and raters' guesses, both by prompt."""
        guesses = np.array([guess.get(prompt, 0.0) for prompt in prompts])
        people = np.array([len(graded.get(prompt, ())) for prompt in prompts], dtype=float)
        return cls(prompts, people, guesses, *_variances(graded))

    def variance(self, people: np.ndarray) -> float:
        """Of the mean difference, when so many people graded each prompt."""
        return float(self._variance(self._sums(people)))

    def _sums(self, people: np.ndarray) -> np.ndarray:
        """Over graded prompts: how many, the sum of 1 / people, of guesses and of their squares."""
        graded = people > 0
        guess = self.guess[graded]
        opinions = (1 / people[graded]).sum()
        return np.array([graded.sum(), opinions, guess.sum(), (guess**2).sum()])

    def _variance(self, sums: np.ndarray) -> np.ndarray:
        """From such sums, in the last axis.

        Grades of one prompt are averaged; the second factor is the price of graded prompts that
        differ, as raters see them, from the prompts on the whole (Cochran, Sampling Techniques,
        1977, section 7.4).
        """
        count, opinions, guesses, squares = np.moveaxis(sums, -1, 0)
        some = np.maximum(count, 1)
        plain = (count * self.prompt_variance + opinions * self.person_variance) / some**2
        mean, spread = guesses / some, squares - guesses**2 / some
        away = (mean - self.guess.mean()) ** 2 * count
        away /= spread + 2 * (float(self.guess.var()) or 1.0)
        nothing = 4 * (self.prompt_variance + self.person_variance)
        return np.where(count > 0, plain * (1 + away), nothing)

    def most_telling(self, count: int) -> list[tuple[int, float]]:
        """So many different prompts, each the best after those before: (place, variance saved)."""
        new = self.people == 0
        second = 1 / (self.people + 1) - np.where(new, 0, 1 / np.maximum(self.people, 1))
        adds = np.stack([new, second, new * self.guess, new * self.guess**2], axis=1)
        sums, free = self._sums(self.people), np.ones(len(self.people), dtype=bool)
        chosen: list[tuple[int, float]] = []
        for _ in range(min(count, len(adds))):
            saved = np.where(free, self._variance(sums) - self._variance(sums + adds), -np.inf)
            best = int(np.argmax(saved))
            chosen.append((best, float(saved[best])))
            sums, free[best] = sums + adds[best], False
        return chosen

    def further(self) -> np.ndarray:
        """People at each prompt after the grading that is left: every prompt once, or once more."""
        rest = self.people == 0
        return np.where(rest, 1, self.people) if rest.any() else self.people + 1


def _variances(graded: Mapping[str, Sequence[int]]) -> tuple[float, float]:
    """Of the difference: from prompt to prompt, and of one person's opinion.

    Where few prompts were graded twice, an opinion is taken to be half of the whole.
    """
    values = [fmean(one) for one in graded.values()]
    if len(values) < FEWEST_PROMPTS:
        return _PRIOR_VARIANCE / 2, _PRIOR_VARIANCE / 2
    whole = max(float(np.var(values, ddof=1)), 0.1)
    freedom = sum(len(one) - 1 for one in graded.values())
    apart = sum(float(np.var(one)) * len(one) for one in graded.values())
    person = (apart + whole) / (freedom + 2)
    shared = person * fmean(1 / len(one) for one in graded.values())
    return max(whole - shared, 0.1 * whole), person
