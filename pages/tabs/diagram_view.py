"""What the Diagram tab shows: its progress, its ranking, and each picture with scores and files."""

from __future__ import annotations

import base64
import html
from collections.abc import Sequence
from dataclasses import dataclass

from diagrams.draw import png, svg
from diagrams.parse import ParsedReply, parse
from diagrams.scoring.recommend import Ranking, Recommendation
from model_registry.backends.partial_answers import PartialAnswer
from model_registry.language import text


@dataclass(frozen=True, slots=True)
class Progress:
    """How far the drawing of several diagrams is."""

    answers: Sequence[PartialAnswer]
    seconds: float  # since it began
    asked_nodes: int | None

    @property
    def made(self) -> int:
        return sum(answer.ended for answer in self.answers)

    @property
    def seconds_left(self) -> float | None:
        """By the nodes written so far; None while nobody knows how many it will be.

        A diagram has as many as were asked for, else as those that are made have on average.
        """
        nodes = [len(parse(answer.text).diagram.nodes) for answer in self.answers]
        made = [count for count, answer in zip(nodes, self.answers, strict=True) if answer.ended]
        each = self.asked_nodes or (sum(made) / len(made) if made else 0)
        written = sum(nodes)
        if not each or not written:
            return None
        left = sum(
            max(1.0, each - count)
            for count, answer in zip(nodes, self.answers, strict=True)
            if not answer.ended
        )
        return self.seconds * left / written

    def told(self) -> str:
        """Such as "3 of 6 drawn · about 4 s left"."""
        of, left = len(self.answers), self.seconds_left
        told = (
            text(f"Drawing {of} together", f"{of}개를 함께 그리는 중이에요")
            if self.made == 0 and of > 1 and all(answer.text for answer in self.answers)
            else text(f"{self.made} of {of} drawn", f"{of}개 중 {self.made}개를 그렸어요")
        )
        if left is None or self.made == of:
            return told
        # Coarse where it is far off: it is read out whenever it changes.
        seconds = max(1, round(left)) if left < 10 else 5 * round(left / 5)
        return f"{told} · " + text(f"about {seconds} s left", f"약 {seconds}초 남았어요")


def lines(*said: str) -> str:
    """Quiet lines of text."""
    return "".join(f'<p class="quiet">{html.escape(one)}</p>' for one in said if one)


def ranking_told(ranking: Ranking, parsed: Sequence[ParsedReply], stopped_of: int) -> list[str]:
    """How many are there, how many are as they should be, and the ranking's own notes.

    `stopped_of` is how many had been asked for where the drawing was stopped, else 0.
    """
    if stopped_of and not parsed:
        return [text("Stopped. Nothing is drawn yet.", "멈췄어요. 아직 그린 다이어그램이 없어요.")]
    made, kept = len(parsed), sum(reply.format_kept for reply in parsed)
    told = []
    if stopped_of:
        told.append(
            text(f"Stopped: {made} of {stopped_of}.", f"멈췄어요: {stopped_of}개 중 {made}개.")
        )
    told.append(text(f"{made} drawn, {kept} of {made} kept the format.",
                     f"{made}개 중 {kept}개가 형식을 지켰어요."))  # fmt: skip
    return [*told, *ranking.notes]


def picture(place: int, reply: ParsedReply, found: Recommendation, written: str) -> str:
    """The drawn diagram at the width of the page, its scores and its files.

    Args:
        place: on the page, from 0.
        reply: as parsed.
        found: its scores.
        written: what the model wrote.
    """
    drawing = svg(reply.diagram)
    counts = len(reply.diagram.nodes), len(set(reply.diagram.links))
    name = text(
        f"Picture {place + 1}: {counts[0]} nodes, {counts[1]} lines",
        f"그림 {place + 1}: 노드 {counts[0]}개, 선 {counts[1]}개",
    )
    large = drawing.replace(
        'width="1000" height="600"',
        f'role="img" aria-label="{html.escape(name)}" style="width:100%;height:auto"',
        1,
    )
    files = (
        ("PNG", "image/png", png(reply.diagram)),
        ("SVG", "image/svg+xml", drawing.encode()),
        ("TXT", "text/plain;charset=utf-8", written.encode(errors="replace")),
    )
    links = " · ".join(
        f'<a download="diagram.{kind.lower()}" href="data:{media};base64,'
        f'{base64.b64encode(content).decode()}">{kind}</a>'
        for kind, media, content in files
    )
    return (
        f'<figure style="margin:0">{large}<figcaption class="quiet">'
        f"{html.escape(scores_told(found))} — {links}</figcaption></figure>"
    )


def scores_told(found: Recommendation) -> str:
    """The final score and its three parts; no final one where the request can't be checked."""
    unchecked = found.faithfulness.value is None
    final = "—" if unchecked else f"{found.final:.1f}"
    taste = "—" if found.taste is None else f"{found.taste:.1f}"
    return " · ".join(
        (
            f"{text('score', '점수')} {final}",
            f"{text('readability', '가독성')} {found.readability:.1f}",
            f"{text('taste', '취향')} {taste}",
            found.faithfulness.told(),
        )
    )
