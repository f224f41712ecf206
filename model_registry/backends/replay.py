"""Backend that replays a run's recorded replies, without a model or a network.

A transcript is a run folder, or any folder with its `run.json` and `replies.jsonl`: what was
asked, of whom, what came back and how long it took. Times are those of the recording.
"""

from __future__ import annotations

from collections.abc import Generator, Sequence
from dataclasses import dataclass
from functools import cache
from pathlib import Path

from model_registry.backends.backend import Answer, GenerationSettings
from model_registry.backends.remote.failures import AskError
from model_registry.candidate import Candidate
from model_registry.errors import LoadError, OhloraError
from model_registry.prompting.chat_template import Message
from model_registry.records import Reply, read_rows
from model_registry.statuses import STATUSES


@dataclass(frozen=True, slots=True)
class Transcript:
    """A run's recorded replies."""

    path: Path
    replies: tuple[Reply, ...]

    @property
    def tuned(self) -> tuple[int, ...]:
        """The LoRA ranks whose tuned replies were recorded."""
        return tuple(sorted({r.tuned for r in self.replies if r.tuned is not None}))

    def has(self, name: str, tuned: int | None) -> bool:
        """Whether a candidate was asked, before its tune or after the one at this rank."""
        return any(r.candidate == name and r.tuned == tuned for r in self.replies)


def read_transcript(path: Path) -> Transcript:
    """A transcript from its folder.

    Raises:
        OhloraError: there is none.
        BadFile: its replies can't be read.
    """
    replies = path / "replies.jsonl"
    if not (path / "run.json").exists() or not replies.exists():
        raise OhloraError(
            f"{path} holds no transcript: it needs run.json and replies.jsonl.",
            f"{path}에 기록이 없습니다. run.json과 replies.jsonl이 필요합니다.",
        )
    return Transcript(path, tuple(read_rows(replies, Reply)))


@cache
def _kept(path: Path) -> Transcript:
    """A transcript read once a process: its file is never rewritten."""
    return read_transcript(path)


class ReplayBackend:
    """Replays one candidate's recorded answers; needs no network and no key."""

    def __init__(self, transcript: Transcript, name: str, tuned: int | None = None) -> None:
        self.name = name
        self._greedy = {
            reply.prompt: reply
            for reply in transcript.replies
            if reply.candidate == name and reply.tuned == tuned and reply.pass_ == "greedy"
        }
        self._path = transcript.path

    @classmethod
    def open(cls, candidate: Candidate) -> ReplayBackend:
        """The recording that a candidate's endpoint names.

        Raises:
            LoadError: "unreachable", where there is none of this candidate.
        """
        path = str(candidate.endpoint.get("transcript", ""))
        if not path:
            raise LoadError.of("no_transcript_named", name=candidate.name)
        try:
            transcript = _kept(Path(path))
        except OhloraError as error:
            raise LoadError("unreachable", str(error), error.korean) from error
        tuned = candidate.endpoint.get("tuned")
        name = str(candidate.endpoint.get("recorded_as", candidate.name))
        if not isinstance(tuned, int | None) or not transcript.has(name, tuned):
            raise LoadError.of("no_recorded_replies", path=path, name=name)
        return cls(transcript, name, tuned)

    def reply(self, messages: Sequence[Message], settings: GenerationSettings) -> Answer:
        """The recorded answer to the last question; its times are the recording's.

        Raises:
            AskError: it was never asked this, or gave no answer then either.
        """
        asked = messages[-1]["content"]
        reply = self._greedy.get(asked)
        if reply is None:
            raise AskError(
                "unreachable",
                f"{self._path} holds no answer of {self.name} to this.",
                f"{self._path}에 이 질문에 대한 {self.name}의 답변이 없습니다.",
            )
        answer = Answer(
            reply.reply, reply.new_tokens, reply.finish_reason, reply.seconds,
            reply.first_token_seconds, reply.problems, reply.connect_seconds,
            reply.thinking, reply.thinking_tokens, reply.thinking_seconds,
        )  # fmt: skip
        if reply.finish_reason == "error":
            status = next((p for p in reply.problems if p in STATUSES), "error")
            raise AskError(
                status,
                "it failed when this was recorded",
                "기록할 때 실패한 답변입니다",
                answer=answer,
            )
        return answer

    def stream(
        self, messages: Sequence[Message], settings: GenerationSettings
    ) -> Generator[str, None, Answer]:
        """The recorded answer, in one piece and at once."""
        answer = self.reply(messages, settings)
        if answer.text:
            yield answer.text
        return answer

    def close(self) -> None:
        """Nothing is held."""
