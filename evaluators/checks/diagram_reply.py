"""Scores of replies to requests for a diagram; other replies are not judged."""

from __future__ import annotations

from collections.abc import Callable
from functools import wraps

from diagrams.diagram import DiagramRefused
from diagrams.parse import ParsedReply, parse
from diagrams.requests.request_reading import Asked, read_request
from diagrams.scoring.faithfulness import faithfulness
from diagrams.scoring.geometry import geometric_score, measure
from diagrams.scoring.readability import readability
from evaluators.evaluator import EachReply
from model_registry.language import for_files
from model_registry.records import Reply, Score

NOT_ASKED = Score(None, "no diagram was asked for")
NO_NODES = "no node was found"


def asks_for_diagram(prompt: str) -> bool:
    """Whether a prompt asks for a list of nodes: it names a list, nodes and their shape."""
    words = prompt.lower()
    return all(word in words for word in ("list", "node", "shape"))


def _judged(check: Callable[[Reply, ParsedReply], Score]) -> Callable[[Reply], Score]:
    """`check` for replies that were asked for a diagram."""

    @wraps(check)  # the handbook reads what the check says of itself
    def judge(reply: Reply) -> Score:
        if not asks_for_diagram(reply.prompt):
            return NOT_ASKED
        if reply.finish_reason == "error":
            return Score(None, "the reply was not made")
        with for_files():
            return check(reply, parse(reply.reply, reply.prompt))

    return judge


def format_kept(reply: Reply, parsed: ParsedReply) -> Score:
    """1 where the reply keeps the asked-for format, else 0.

    Range: 0 or 1; high is better. None where no diagram was asked for.
    Source: docs/diagrams.md states the rule: at least three whole nodes.
    Limits: says nothing of what the diagram shows.
    """
    return Score(float(parsed.format_kept), "; ".join(parsed.problems)[:300])


def nodes_as_asked(reply: Reply, parsed: ParsedReply) -> Score:
    """1 where the diagram has exactly the number of nodes asked for, else 0.

    Range: 0 or 1; high is better. None where the request does not tell how many.
    Source: the nodes of the reference, where it has any; else the layers that the request names.
    Limits: counts nodes; whether they are joined as asked for is not looked at.
    """
    asked = _asked(reply).nodes
    if not asked:
        return Score(None, "the request does not say how many nodes")
    found = len(parsed.diagram.nodes)
    return Score(float(found == asked), f"{found} of {asked} nodes")


def as_asked(reply: Reply, parsed: ParsedReply) -> Score:
    """How far the diagram has the nodes, layers and lines asked for: its worst count.

    Range: 0 to 1; high is better. 1 where all are as asked, else at most 0.5. None where the
    request states no number.
    Source: the reference, where it has nodes; else what `diagrams.requests.request_reading` reads.
    Limits: it counts; words, colours and forms that were asked for are not looked at.
    """
    found = faithfulness(parsed.diagram, _asked(reply))
    return Score(found.value, found.told())


def _asked(reply: Reply) -> Asked:
    """What was asked for: a reference that is a diagram tells it, else the prompt as far as it is
    understood."""
    shown = parse(reply.reference or "").diagram
    return Asked.like(shown) if shown.nodes else read_request(reply.prompt)


def geometry(reply: Reply, parsed: ParsedReply) -> Score:
    """Readability counted: 5, less for overlaps, what is outside, lines through nodes and so on.

    Range: 0 to 5; high is better. None where there is nothing that can be drawn.
    Source: `diagrams.scoring.geometry.geometric_score`.
    Limits: boxes stand for all shapes.
    """
    return _drawn(parsed, lambda: geometric_score(measure(parsed.diagram)))


def chosen_readability(reply: Reply, parsed: ParsedReply) -> Score:
    """Readability: seen by small networks, counted, or the mean, as cross-validation chose.

    Range: 0 to 5; high is better. None where there is nothing that can be drawn.
    Source: `diagrams.scoring.readability`, trained on diagrams made and spoilt on purpose.
    Limits: docs/diagrams.md tells how well it agrees with people.
    """
    return _drawn(parsed, lambda: readability([parsed.diagram])[0])


def _drawn(parsed: ParsedReply, value: Callable[[], float]) -> Score:
    if not parsed.diagram.nodes or parsed.too_many:
        return Score(None, "more nodes than are drawn" if parsed.too_many else NO_NODES)
    try:
        return Score(value())
    except DiagramRefused as refused:
        return Score(None, str(refused))


DIAGRAM_FORMAT_KEPT = EachReply(
    "diagram_format_kept",
    _judged(format_kept),
    label_en="diagram format kept",
    label_ko="도표 형식 유지",
)
DIAGRAM_NODES_AS_ASKED = EachReply(
    "diagram_nodes_as_asked",
    _judged(nodes_as_asked),
    label_en="diagram nodes as asked",
    label_ko="요청한 노드 수",
)
DIAGRAM_AS_ASKED = EachReply(
    "diagram_as_asked", _judged(as_asked), label_en="diagram as asked", label_ko="요청과 일치"
)
DIAGRAM_GEOMETRY = EachReply(
    "diagram_geometry", _judged(geometry), label_en="diagram geometry", label_ko="도표 배치"
)
DIAGRAM_READABILITY = EachReply(
    "diagram_readability",
    _judged(chosen_readability),
    label_en="diagram readability",
    label_ko="도표 가독성",
)
