"""Sequence packing with block-diagonal attention: fewer steps, hardly any padding.

Positions begin anew with each row, from which transformers makes a block-diagonal mask. What
carries a state from token to token (RWKV, linear attention) would let rows leak into one another:
whether a model keeps them apart is proven on a small input.
"""

from __future__ import annotations

import random
from collections.abc import Sequence
from typing import TYPE_CHECKING

from model_registry.errors import OhloraError
from model_registry.prompting.tokenization import IGNORED, EncodedRow

if TYPE_CHECKING:
    import torch
    from transformers import PreTrainedModel

_OPEN = 64  # packs that a row is tried in: more of them save little


def packed(rows: Sequence[EncodedRow], most: int, seed: int) -> tuple[EncodedRow, ...]:
    """Rows joined to rows of up to `most` tokens: first fit, in a seeded order.

    A longer one stays alone. The packs are the same in every epoch; their order is not.
    """
    order = list(rows)
    random.Random(seed).shuffle(order)
    done: list[list[EncodedRow]] = []
    opened: list[list[EncodedRow]] = []
    for row in order:
        for pack in opened:
            if sum(len(each.input_ids) for each in pack) + len(row.input_ids) <= most:
                pack.append(row)
                break
        else:
            opened.append([row])
            if len(opened) > _OPEN:
                done.append(opened.pop(0))
    return tuple(_joined(pack) for pack in (*done, *opened))


def _joined(rows: Sequence[EncodedRow]) -> EncodedRow:
    """Rows end to end; the last token of one does not learn the first of the next."""
    labels = (label for row in rows for label in (IGNORED, *row.labels[1:]))
    return EncodedRow(
        tuple(token for row in rows for token in row.input_ids),
        tuple(labels),
        tuple(len(row.input_ids) for row in rows),
    )


def positions(row: EncodedRow, width: int) -> list[int]:
    """Position ids of a row, which begin anew with each row in it and with the padding."""
    lengths = row.lengths or (len(row.input_ids),)
    padding = width - len(row.input_ids)
    return [place for length in (*lengths, padding) for place in range(length)]


def check_packs(model: PreTrainedModel, batch: int = 2) -> None:
    """Whether rows that are packed give what they give alone, in batches of so many packs.

    Under flash attention transformers tells them apart in batches of one pack only.

    Raises:
        OhloraError: they do not.
    """
    kind = model.config.model_type
    if not _are_apart(model, 1):
        raise OhloraError(
            f"Rows packed into one would leak into one another in a model of type {kind}: "
            "leave --packing out.",
            f"{kind} 모델에서는 한데 묶은 행이 서로 섞입니다. --packing을 빼세요.",
        )
    if batch > 1 and not _are_apart(model, 2):
        raise OhloraError(
            f"Rows packed into one would leak into one another in a model of type {kind} with "
            "this attention in batches of more than one: use --batch-size 1, or --attention "
            "sdpa.",
            f"이 어텐션을 쓰는 {kind} 모델에서는 배치가 1보다 크면 한데 묶은 행이 서로 "
            "섞입니다. --batch-size 1이나 --attention sdpa를 쓰세요.",
        )


def _are_apart(model: PreTrainedModel, packs: int) -> bool:
    """Whether two rows in one give the logits that each gives alone, in each of so many packs."""
    import torch

    ids = torch.arange(3, 15, device=model.device) % model.config.get_text_config().vocab_size
    training = model.training
    model.eval()
    try:
        with torch.no_grad():
            alone = [model(input_ids=part[None], use_cache=False).logits for part in ids.split(6)]
            together = _together(model, ids, packs)
    finally:
        model.train(training)
    return together is not None and _is_close(torch.cat(alone, dim=1), together)


def _together(model: PreTrainedModel, ids: torch.Tensor, packs: int) -> torch.Tensor | None:
    """Logits of two rows in one, (packs, tokens, vocabulary): the same pack so many times."""
    import torch

    places = torch.arange(6, device=ids.device).repeat(2)
    try:
        logits: torch.Tensor = model(
            input_ids=ids.expand(packs, -1),
            position_ids=places.expand(packs, -1),
            use_cache=False,
        ).logits
    except (TypeError, ValueError):  # it takes no positions
        return None
    return logits


def _is_close(one: torch.Tensor, other: torch.Tensor) -> bool:
    import torch

    rounding = 1e-5 if one.dtype == torch.float32 else 2e-2
    most = rounding * max(float(one.float().abs().max()), 1e-3)
    return float((one.float() - other.float()).abs().max()) <= most
