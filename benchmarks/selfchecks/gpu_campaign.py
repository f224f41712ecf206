"""The GPU campaign: memory, speed and failures of a card, measured in one go.

    python -m benchmarks.selfchecks.gpu_campaign --minutes 9 --out DIR

Does one item after another, the most valuable first, each in a process of its own, with what is
installed and without the network. DIR/items.jsonl takes each item when it ends: started again, the
campaign goes on with those that are missing, one campaign at a time in a folder. DIR/campaign.json
holds all figures at its end, and `--page` writes docs/gpu.md from such a file.
`--device cpu --scale tiny` goes the same way on a CPU, with shrunk models and short rows.
"""

from __future__ import annotations

import argparse
import json
import os
import time
from collections.abc import Iterator, Sequence
from pathlib import Path

from benchmarks.selfchecks.campaign import (
    campaign_page,
    card_cases,
    card_probes,
    precision_probes,
    reply_probes,
    step_peers,
    window_probe,
)
from benchmarks.selfchecks.campaign.campaign_figures import figures
from benchmarks.selfchecks.campaign.card_cases import Settings
from benchmarks.selfchecks.campaign.items import Item, Journal, Probe, Row, do
from model_registry import cuda, machine
from model_registry.errors import OhloraError
from model_registry.files.folder_lock import FolderLock

FIRST = "environment"
_LEAST_SECONDS = 3.0  # with less left no item is begun


def first_item(device: str) -> Item:
    """What all others are made from."""
    return Item(FIRST, 90.0, Probe(card_probes.environment, {"device": device}))


def settings_of(found: Row, device: str, scale: str) -> Settings:
    """What the first item found, as the others need it.

    Raises:
        OhloraError: it found nothing.
    """
    if found.status != "ok":
        raise OhloraError(
            f"This machine can't be described: {found.message}",
            f"이 장비의 정보를 읽을 수 없습니다: {found.message}",
        )
    facts, dtypes = found.found["machine"], found.found["dtypes"]
    cores = int(facts.get("cores") or machine.available_cores())
    return Settings(
        device, dtypes["auto"], dtypes["half"], scale,
        threads=1 if scale == "tiny" else cores, machine=str(facts["name"]),
    )  # fmt: skip


def items(settings: Settings) -> Iterator[Item]:
    """Everything but the first, in the order in which it is done."""
    device, dtype = {"device": settings.device}, {"dtype": settings.dtype}
    for method in ("forkserver", "spawn"):
        yield Item(f"start/{method}", 60, Probe(card_probes.forked, device, method))
    yield Item("accounts/libraries", 30, Probe(card_probes.libraries, device | dtype))
    yield Item("accounts/driver", 30, Probe(card_probes.accounts, device))
    yield from card_cases.short_rows(settings)
    yield from _peers(settings)
    yield from card_cases.long_rows(settings)
    yield from card_cases.too_little_memory(settings)
    yield from _windows(settings)
    yield from card_cases.quantised(settings)
    yield from _commands(settings)
    yield Item("precision/products", 30, Probe(precision_probes.products, device))
    yield from card_cases.precisions(settings)
    yield from card_cases.before_and_after(settings)
    leave: dict[str, object] = {"leave_mib": [2000, 1000, 500, 200, 50]}
    yield Item("full card/cases", 90, Probe(reply_probes.full_card, device | dtype | leave))
    yield Item("full card/context", 60, Probe(precision_probes.out_of_memory, device))
    yield from _replies(settings)
    yield from card_cases.larger_ranks(settings)
    yield from card_cases.shortlist(settings)


def _peers(settings: Settings) -> Iterator[Item]:
    job = step_peers.Job(settings.device, settings.dtype, settings.scale, threads=settings.threads)
    if settings.scale == "tiny":
        job = step_peers.short(job)
    for name in step_peers.SIDES:
        probe = Probe(step_peers.step, {"name": name, "job": job})
        yield Item(f"peers/{name}", 90, probe)


def _windows(settings: Settings) -> Iterator[Item]:
    for name, length in (("llama1B", 512), ("gemma-2-2b-it", 512), ("polyglot-ko-1.3b", 128)):
        what = {"settings": settings, "name": name, "length": length, "rank": 16}
        yield Item(f"windows/{name}/{length}", 60, Probe(window_probe.windows, what))


def _commands(settings: Settings) -> Iterator[Item]:
    device = {"device": settings.device}
    bundled = device | {"name": "bundled-llama-2.5m", "weights": "bundled"}
    yield Item("commands/bundled-llama-2.5m", 120, Probe(reply_probes.commands, bundled))


def _replies(settings: Settings) -> Iterator[Item]:
    same = {"device": settings.device, "dtype": settings.dtype, "scale": settings.scale}
    for name, source, count, new_tokens in (
        ("bundled-llama-2.5m", "bundled", 25, 80),
        ("llama1B", "random", 8, 40),
    ):
        what = {"name": name, "source": source, "count": count, "new_tokens": new_tokens}
        yield Item(f"replies/{name}", 90, Probe(reply_probes.replies, same | what))


def run(
    out: Path,
    device: str,
    scale: str,
    minutes: float,
    only: Sequence[str] = (),
) -> dict[str, Row]:
    """Do what is missing while there is time; all rows, those of earlier goes included.

    Args:
        out: folder of the campaign.
        device: "cpu" or "cuda".
        scale: of random weights, "full" or "tiny".
        minutes: after which nothing more is begun, and what is under way is cut.
        only: beginnings of names; all items where there are none.
    """
    journal, end = Journal(out), time.monotonic() + 60 * minutes
    done = journal.rows()
    if FIRST not in done:
        _do(first_item(device), device, journal, end)
    settings = settings_of(journal.rows()[FIRST], device, scale)
    for item in items(settings):
        if item.name in done or (only and not item.name.startswith(tuple(only))):
            continue
        if end - time.monotonic() < _LEAST_SECONDS:
            print("The time is over: the same command goes on with the rest.", flush=True)
            break
        _do(item, device, journal, end)
    return journal.rows()


def _do(item: Item, device: str, journal: Journal, end: float) -> None:
    row = do(item, device, end - time.monotonic())
    journal.add(row)
    print(f"{row.seconds:7.1f} s  {item.name}: {row.status} {row.message or ''}", flush=True)


def summarise(out: Path, scale: str, *, trace: bool = False, notes: Sequence[str] = ()) -> Path:
    """Write campaign.json from what is done: predictions are made now, by this version; `trace`
    follows architectures that are not in the table."""
    rows = Journal(out).rows()
    device = str(rows[FIRST].found["machine"]["device"])
    known = {item.name: item for item in items(settings_of(rows[FIRST], device, scale))}
    path = out / "campaign.json"
    found = figures(rows, known, trace=trace) | {"notes": list(notes)}
    path.write_text(json.dumps(found, ensure_ascii=False, indent=1) + "\n", encoding="utf-8")
    return path


def main(arguments: Sequence[str] | None = None) -> None:
    """Read the options, do the campaign, write its figures."""
    parser = argparse.ArgumentParser(description=(__doc__ or "").splitlines()[0])
    parser.add_argument("--out", type=Path, required=True, help="folder of the campaign")
    parser.add_argument("--minutes", type=float, default=9.0)
    parser.add_argument("--device", default="auto", choices=machine.DEVICES)
    parser.add_argument("--scale", default="full", choices=("full", "tiny"))
    parser.add_argument("--only", action="append", default=[], metavar="BEGINNING")
    parser.add_argument("--note", action="append", default=[], help="what a reader must know of it")
    parser.add_argument("--page", action="store_true", help="write docs/gpu.md from the figures")
    given = parser.parse_args(arguments)
    if given.page and given.scale == "tiny":
        parser.error("--page is for figures at full size")
    os.environ["HF_HUB_OFFLINE"] = "1"  # workers inherit it: nothing waits for a network
    if given.minutes > 0:
        device = _device(given.device)
        with FolderLock(given.out).acquire():
            run(given.out, device, given.scale, given.minutes, given.only)
    path = summarise(given.out, given.scale, trace=given.minutes == 0, notes=given.note)
    print(path)
    if given.page:
        print(campaign_page.write(json.loads(path.read_text(encoding="utf-8"))))


def _device(wanted: str) -> str:
    """Asked without opening the card in this process: it would keep a context on it."""
    if wanted != "auto":
        return wanted
    return "cuda" if cuda.has_driver() else "cpu"


if __name__ == "__main__":
    main()
