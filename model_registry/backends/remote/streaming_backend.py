"""Base of remote backends that stream: the whole answer is what a stream returns at its end."""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Generator, Sequence

from model_registry.backends.backend import Answer, GenerationSettings, collect_answer
from model_registry.prompting.chat_template import Message


class StreamingBackend(ABC):
    """One server, one model, one question at a time. Not shared between threads."""

    @abstractmethod
    def stream(
        self, messages: Sequence[Message], settings: GenerationSettings
    ) -> Generator[str, None, Answer]:
        """The answer piece by piece; closing the generator closes the connection.

        Raises:
            AskError: there is none, or it broke off; with the status of the case.
        """

    def reply(self, messages: Sequence[Message], settings: GenerationSettings) -> Answer:
        """The whole answer; raises what `stream` raises."""
        return collect_answer(self.stream(messages, settings))
