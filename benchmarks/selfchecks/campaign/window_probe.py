"""Finds the moment of a step at which a memory prediction errs.

The moments are those that `ohlora fit` tells apart (`model_registry.memory.steps`): the loss, and
the backward pass through head, last layer, first layer and embedding, and the optimiser's step.
"""

from __future__ import annotations

from dataclasses import dataclass, field

from benchmarks.selfchecks.campaign import card_cases
from benchmarks.workloads.answer_loss import answer_loss
from benchmarks.workloads.fine_tune import add_lora, training_batches
from benchmarks.workloads.training_rows import encode_rows
from model_registry import cuda
from model_registry.memory.steps import marks
from model_registry.registry import Registry
from model_registry.weights.loading import load


@dataclass(slots=True)
class CardTracker:
    """Takes the allocator's peak whenever another moment begins."""

    window: str = ""
    peaks: dict[str, int] = field(default_factory=dict)

    def enter(self, window: str) -> None:
        """What was the peak until now belongs to the moment that ends."""
        peak = cuda.take_peak()
        self.peaks[self.window] = max(peak, self.peaks.get(self.window, 0))
        self.window = window


def windows(settings: card_cases.Settings, name: str, length: int, rank: int) -> dict[str, object]:
    """Bytes at the peak of each moment of a second step; nothing on a CPU, which has no such peak.

    `resident` is what was in use when the step began.
    """
    if settings.device != "cuda":
        return {"missing": ["a card"]}
    import torch

    candidate = Registry().candidate(name)
    contract = settings.contract(max_length=length)
    loaded = load(
        candidate, source="random", device="cuda", dtype=contract.dtype, scale=contract.scale
    )
    rows = encode_rows(
        loaded.candidate.prompting, loaded.tokenizer,
        card_cases.rows(2 * contract.batch_size, length), contract, "train",
    ).rows  # fmt: skip
    model = add_lora(loaded.model, rank, contract)
    batches = training_batches(rows, contract, loaded.tokenizer.pad_token_id, "cuda")
    trained = [p for p in model.parameters() if p.requires_grad]
    optimiser = torch.optim.AdamW(trained, lr=1e-4, weight_decay=0.0)
    tracker = CardTracker()
    resident = 0
    for batch in batches[:2]:
        cuda.reset_peaks()
        tracker.peaks.clear()
        resident = cuda.in_use()[0]
        tracker.window = "loss"
        with marks(model, tracker):
            loss = answer_loss(model, batch)
        loss.backward()
        del loss
        tracker.enter("step")
        torch.nn.utils.clip_grad_norm_(trained, 1.0)
        optimiser.step()
        optimiser.zero_grad(set_to_none=True)
        tracker.enter("end")
    return {
        "batch": list(batches[1].input_ids.shape),
        "resident": resident,
        "peaks": {name: peak for name, peak in tracker.peaks.items() if name != "end"},
    }
