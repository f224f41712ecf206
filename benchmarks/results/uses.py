"""Under which use of the chosen model a decision holds, and what another use would change.

The licences of a run's candidates are judged by the table of `model_registry.licenses`; a licence
that the study accepted on the record is accepted for every use.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import asdict, dataclass, replace

from benchmarks.results.decision import Decision, decide
from benchmarks.results.run import Run
from model_registry.files.json_values import JsonDict
from model_registry.language import text
from model_registry.licenses.license_uses import (
    USES,
    answer_words,
    clause_of,
    document_of,
    terms_of,
    use_words,
)


@dataclass(frozen=True, slots=True)
class UnderUse:
    """What would be chosen for one use.

    `not_allowed` were measured here and their licence does not allow the use; `unmeasured` are
    allowed and were left out of the run for the use that it was made for.
    """

    use: str
    chosen: str | None
    reserve: str | None
    not_allowed: tuple[str, ...]
    unmeasured: tuple[str, ...]


def under_each_use(run: Run) -> tuple[UnderUse, ...]:
    """What each use would have for its decision; rankings of the same candidates are made once."""
    made: dict[tuple[str, ...], tuple[str | None, str | None]] = {}
    found = []
    for use in USES:
        out = _not_allowed(run, use)
        if out not in made:
            ranking = decide(run, use=use).ranking
            made[out] = (ranking.chosen, ranking.reserve)
        found.append(UnderUse(use, *made[out], out, _unmeasured(run, use)))
    return tuple(found)


def _not_allowed(run: Run, use: str) -> tuple[str, ...]:
    accepted = {override.candidate for override in run.head.overrides}
    return tuple(
        c.name
        for c in run.head.candidates
        if c.name not in accepted and not clause_of(c.license, use).allows
    )


def _unmeasured(run: Run, use: str) -> tuple[str, ...]:
    """Candidates that nothing but their licence kept out of the run, and that this use allows."""
    found = []
    for refused in run.head.rejected:
        by_licence = all(_is_of_licence(reason.code) for reason in refused.reasons)
        names = {str(reason.values.get("license", "")) for reason in refused.reasons}
        if by_licence and names and all(clause_of(name, use).allows for name in names):
            found.append(refused.name)
    return tuple(found)


def _is_of_licence(code: str) -> bool:
    return code.startswith(("license_", "use_"))


def licence_document(run: Run) -> JsonDict:
    """The licences of a run's candidates and what each use would choose, for JSON."""
    accepted = {override.candidate for override in run.head.overrides}
    return {
        "licenses": [
            {
                "name": c.name,
                "license": c.license,
                "license_free": c.license_free,
                "overridden": c.name in accepted,
                "table": document_of(c.license),
            }
            for c in run.head.candidates
        ],
        "uses": [asdict(each) for each in under_each_use(run)],
    }


def licence_account(run: Run, decision: Decision) -> list[str]:
    """Under which use the decision holds, on which conditions, and what another would change."""
    return [*_holds(run, decision), *changes_of_use(run, decision)]


def _holds(run: Run, decision: Decision) -> Iterator[str]:
    use, chosen = decision.use, decision.ranking.chosen
    if use is None:
        yield text(
            "Licences were asked to be free, whatever for.",
            "용도를 정하지 않고 라이선스가 자유 이용인지만 보고 걸렀습니다.",
        )
    else:
        yield text(f"It holds for: {use_words(use)}.", f"이 결정의 용도: {use_words(use)}.")
    if chosen is None or use is None or chosen not in run.candidates:
        return
    license_ = run.candidates[chosen].license
    clause, terms = clause_of(license_, use), terms_of(license_)
    yield f"{chosen}: {license_}, {answer_words(clause.answer)}. {clause.words}"
    if terms is not None and terms.attribution is not None:
        yield text("To show: ", "표시: ") + terms.attribution.words
        yield f"{terms.source} ({terms.reading_words}, {terms.read_on})"


def changes_of_use(run: Run, decision: Decision) -> list[str]:
    """One line for each thing that another use would change; uses of one effect share a line."""
    same: dict[UnderUse, list[str]] = {}
    for each in under_each_use(run):
        if each.use != decision.use:
            same.setdefault(replace(each, use=""), []).append(use_words(each.use))
    lines = []
    for each, uses in same.items():
        unchanged = each.chosen == decision.ranking.chosen and not each.unmeasured
        if not unchanged:
            lines.append(_change(each, ", ".join(uses)))
    return lines


def _change(each: UnderUse, uses: str) -> str:
    nobody = text("nobody", "없음")
    line = text(
        f"For {uses}: {each.chosen or nobody} would be chosen",
        f"{uses} 용도라면 선택: {each.chosen or nobody}",
    )
    if each.not_allowed:
        names = ", ".join(each.not_allowed)
        line += text(f"; not allowed: {names}", f". 허용되지 않음: {names}")
    if each.unmeasured:
        names = ", ".join(each.unmeasured)
        line += text(f"; allowed, but not measured here: {names}",
                     f". 허용되지만 여기서 측정하지 않음: {names}")  # fmt: skip
    return line + "."
