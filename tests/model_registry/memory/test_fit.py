"""Whether a candidate fits is told from its architecture alone, and agrees with a real trace."""

from __future__ import annotations

import json
import subprocess
import sys
from dataclasses import replace
from pathlib import Path

import pytest

from model_registry.architectures.chunked_head import way_of
from model_registry.candidate import Candidate, License
from model_registry.catalog import CATALOGS
from model_registry.errors import LoadError, OhloraError
from model_registry.memory import coefficients, correction
from model_registry.memory.correction import fitted
from model_registry.memory.fit import (
    Correction,
    Estimate,
    Work,
    features,
    is_quick,
    predict,
    weight_bytes,
)
from model_registry.memory.fit_report import (
    Budget,
    card_budget,
    columns,
    document,
    fit_row,
    fit_rows,
)
from model_registry.memory.verdict import (
    CARD_RESERVE,
    Change,
    changes,
    fits,
    margin,
    smallest_change,
)
from model_registry.registry import Registry

GIB = 2**30
TINY = {
    "model_type": "llama", "vocab_size": 512, "hidden_size": 64, "intermediate_size": 128,
    "num_hidden_layers": 3, "num_attention_heads": 4, "num_key_value_heads": 2, "head_dim": 16,
    "max_position_embeddings": 512, "tie_word_embeddings": True,
}  # fmt: skip


@pytest.fixture(scope="module")
def architecture():
    return Registry().candidate("llama1B").architecture


def test_weights_are_the_counted_parameters_in_the_dtype(architecture):
    parameters = 1_235_814_400
    for dtype, itemsize in (("float32", 4), ("bfloat16", 2), ("float16", 2)):
        estimate = predict(architecture, Work(kind="load", dtype=dtype, device="cpu"))
        assert estimate.terms["weights"] == pytest.approx(parameters * itemsize, rel=1e-3)


def test_every_kind_of_work_says_what_it_is_made_of(architecture):
    card = {"dtype": "bfloat16", "device": "cuda"}
    answering = predict(architecture, Work(kind="inference", **card))
    tuning = predict(architecture, Work(kind="lora", rank=16, batch=4, **card))
    full = predict(architecture, Work(kind="full", batch=4, **card))
    assert answering.terms["kv_cache"] > 0
    assert tuning.terms["adapter"] > 0
    assert tuning.terms["optimiser"] == pytest.approx(2 * tuning.terms["adapter"], rel=1e-4)
    assert full.terms["optimiser"] == pytest.approx(2 * full.terms["weights"], rel=1e-3)
    assert full.predicted_bytes > tuning.predicted_bytes > answering.predicted_bytes


def test_more_rank_length_or_batch_never_needs_less(architecture):
    work = Work(kind="lora", rank=16, batch=4, length=64, dtype="bfloat16", device="cuda")
    least = predict(architecture, work).predicted_bytes
    for more in (replace(work, rank=64), replace(work, length=128), replace(work, batch=8)):
        assert predict(architecture, more).predicted_bytes > least


def test_rows_of_one_length_need_no_mask(architecture):
    """A layer keeps a copy of rows × length² numbers where a batch is padded, and keys and values
    for each of 32 heads instead of 8, 64 numbers wide."""
    work = Work(kind="lora", rank=16, batch=4, length=512, dtype="bfloat16", device="cuda")
    repeated = 2 * (32 - 8) * 64
    padded = predict(architecture, work).terms["activations"]
    alike = predict(architecture, replace(work, padded=False)).terms["activations"]
    assert padded - alike == pytest.approx(16 * 4 * 512 * 2 * (512 + repeated), rel=0.1)
    one = replace(work, batch=1)
    assert predict(architecture, one) == predict(architecture, replace(one, padded=False))
    packed = predict(architecture, replace(one, packed=True)).terms["activations"]
    alone = predict(architecture, one).terms["activations"]
    assert packed - alone == pytest.approx(16 * 512 * 2 * (512 + repeated), rel=0.1)


def test_checkpointing_keeps_less_and_orpo_needs_more(architecture):
    work = Work(kind="lora", rank=16, batch=4, length=256, dtype="bfloat16", device="cuda")
    plain = predict(architecture, work).predicted_bytes
    assert predict(architecture, replace(work, checkpointing=True)).predicted_bytes < plain
    assert predict(architecture, replace(work, kind="orpo")).predicted_bytes > plain


def test_logits_are_counted_for_the_kept_positions_only(architecture):
    work = Work(kind="lora", rank=16, batch=4, length=256, dtype="bfloat16", device="cuda")
    assert (
        predict(architecture, replace(work, kept=16)).predicted_bytes
        < predict(architecture, work).predicted_bytes
    )


@pytest.mark.parametrize(
    ("capability", "each"), [("9.0", 32 * 2**20), ("7.5", 8519680), (None, 8519680)]
)
def test_libraries_hold_a_workspace_for_each_thread_that_multiplies_on_a_card(
    architecture, capability, each
):
    """Measured on an H200: 32 MiB after the first product, as much again after a backward pass."""

    def libraries(**work):
        return predict(architecture, Work(**work, capability=capability)).terms.get("libraries", 0)

    assert libraries(kind="inference") == each
    assert libraries(kind="lora", rank=16) == 2 * each
    assert libraries(kind="load") == 0
    assert libraries(kind="inference", device="cpu", dtype="float32") == 0


def test_a_hopper_card_is_known_as_one_by_its_name():
    assert card_budget("H200").capability == "9.0"
    assert card_budget("T4").capability is card_budget("12GB").capability is None


def test_quantised_weights_are_counted_by_their_format():
    counts = {
        "parameters": 1_000_000, "linear_parameters": 800_000, "linear_outputs": 1_000,
        "largest_linear": 10_000, "buffer_bytes": 0,
    }  # fmt: skip
    plain = weight_bytes(counts, Work())
    assert plain == 2_000_000
    int8 = weight_bytes(counts, Work(quantization="int8"))
    assert int8 == 800_000 + 4_000 + 400_000
    nf4 = weight_bytes(counts, Work(quantization="nf4"))
    assert 400_000 + 400_000 < nf4 < int8
    with pytest.raises(OhloraError, match="Did you mean int8"):
        weight_bytes(counts, Work(quantization="int3"))


@pytest.mark.slow
@pytest.mark.timeout(1200)
@pytest.mark.parametrize("kind", ["inference", "lora", "full"])
def test_a_prediction_agrees_with_following_the_very_case(kind):
    from model_registry.memory import steps, trace
    from model_registry.memory.steps import Shape

    work = Work(kind=kind, batch=3, length=40, kept=20, rank=12)
    coefficients = trace.trace_architecture(TINY, kind)
    shape = Shape(3, 40, 20, 12) if kind != "inference" else Shape(3, 40)
    doer = (
        steps.Inference()
        if kind == "inference"
        else steps.Training(kind, "cpu", "all-linear", 0.05, way_of(TINY["model_type"]))
    )
    import torch

    seen = doer.trace(trace.on_meta(TINY, torch.float32), shape)
    sizes = features(work.batch, work.length, shape.kept, shape.rank)
    assert shape.features() == sizes
    windows = {window: row for window, row in coefficients.items() if window in seen}
    assert windows
    for window, row in windows.items():
        per_feature = [f + 3 * each for f, each in zip(row["fixed"], row["per_layer"], strict=True)]
        predicted = sum(c * s for c, s in zip(per_feature, sizes, strict=True))
        assert predicted == pytest.approx(seen[window], rel=0.03, abs=20_000), window


@pytest.mark.slow
@pytest.mark.timeout(1200)
@pytest.mark.parametrize(("masked", "dropout"), [(False, 0.05), (True, 0.0)])
def test_what_a_mask_and_dropout_add_is_what_a_step_holds_less_without(masked, dropout):
    import torch

    from model_registry.memory import steps, trace

    found = trace.trace_architecture(TINY, "lora")
    shape = steps.Shape(3, 80, 20, 12)
    way = way_of(TINY["model_type"])
    other = steps.Training("lora", "cpu", "all-linear", dropout, way, masked=masked)
    seen = other.trace(trace.on_meta(TINY, torch.float32), shape)["head"]
    absent = found["dropout" if masked else "masked"]
    sizes = list(shape.features())
    if not masked:
        sizes[3] = 0  # the mask's own copies
    rows = zip(found["head"].items(), absent.items(), strict=True)
    left = {
        name: [a - b for a, b in zip(all_, less, strict=True)] for (name, all_), (_, less) in rows
    }
    told = sum(
        (fixed + 3 * each) * size
        for fixed, each, size in zip(left["fixed"], left["per_layer"], sizes, strict=True)
    )
    assert told == pytest.approx(seen, rel=0.03)
    assert absent["per_layer"][2] > 0


@pytest.mark.parametrize("kind", ["lora", "full"])
def test_the_count_of_live_tensors_is_what_torch_really_holds(kind):
    """A trace without data and a real step, counted by the same tracker, are the same bytes."""
    import torch

    from model_registry.architectures.model_config import build_config
    from model_registry.memory import live_tensors, steps, trace
    from model_registry.weights.loading import random_model

    work, shape = (
        steps.Training(kind, "cpu", "all-linear", 0.0),
        steps.Shape(2, 24, 12, 4),
    )
    fake = work.trace(trace.on_meta(TINY, torch.float32), shape)
    model = random_model(build_config(TINY), "cpu", torch.float32, 0).train()
    if kind == "lora":
        model = work._with_lora(model, shape.rank)
    tracker = live_tensors.Tracker()
    with tracker:
        for tensor in (*model.parameters(), *model.buffers()):
            tracker.see(tensor)
        trained = [p for p in model.parameters() if p.requires_grad]
        optimiser = torch.optim.AdamW(trained, lr=1e-4, weight_decay=0.0, foreach=False)
        work._step(model, shape, trained, optimiser, tracker)
        tracker.peaks.clear()
        resident = tracker.live
        work._step(model, shape, trained, optimiser, tracker)
    held = {window: peak - resident for window, peak in tracker.peaks.items()}
    windows = {"loss", "head", "last layer", "first layer", "step"} & set(fake)
    assert {name: held[name] for name in windows} == {name: fake[name] for name in windows}
    assert len(windows) == 5


def test_every_shipped_tune_says_what_a_mask_and_lora_s_dropout_add_to_it():
    table = json.loads(coefficients.TABLE.read_text(encoding="utf-8"))
    lacking = {
        f"{key} {name}": sorted(parts - set(traces))
        for key, row in table.items()
        for name, traces in row.items()
        if isinstance(traces, dict)  # not the reason why there is none
        and (parts := {"lora": {"masked", "dropout"}, "full": {"masked"}}.get(name.split("/")[0]))
        and not parts <= set(traces)
    }
    assert lacking == {}


def test_what_can_not_be_counted_is_unknown_with_its_reason():
    moe = Registry().candidate("deepseek-moe-16b-chat")
    row = fit_row(moe, Work(), card_budget("T4"))
    assert row.predicted_bytes is None
    assert row.fits is None
    assert row.reason and "publisher" in row.reason.english


def test_what_there_is_no_time_to_follow_is_refused_with_the_command_that_does():
    unknown = Candidate("one model", License("x", "yes"), architecture=TINY)
    rows = fit_rows([unknown], card_budget("T4"), length=512, trace_seconds=0)
    assert {row.predicted_bytes for row in rows} == {None}
    assert all("`ohlora fit 'one model' --trace`" in str(row.to_json()["reason"]) for row in rows)


def test_an_unknown_model_type_is_an_unsupported_architecture():
    with pytest.raises(LoadError) as caught:
        predict({"model_type": "no-such-model"}, Work())
    assert caught.value.status == "unsupported_architecture"


def test_a_card_is_known_by_name_and_memory_by_its_amount():
    assert card_budget("t4").dtype == "float16"
    assert card_budget("T4").bytes == pytest.approx(14.7 * GIB)
    assert card_budget("a100-80gb").bytes > 79 * GIB
    assert card_budget("12GB").bytes == 12 * GIB
    with pytest.raises(OhloraError, match="T4"):
        card_budget("a big one")


def test_what_a_card_s_context_takes_must_fit_too():
    estimate = Estimate({"weights": 10 * GIB}, 0, "load")
    assert fits(estimate, 10 * GIB, "cpu")
    assert not fits(estimate, 10 * GIB, "cuda")
    assert margin(estimate, 12 * GIB, "cuda") == 2 * GIB - CARD_RESERVE


def test_the_smallest_change_that_fits_is_the_first_of_its_ladder(architecture):
    work = Work(kind="lora", rank=16, batch=8, length=256, dtype="bfloat16", device="cuda")
    first, *_ = changes(work)
    needed = predict(architecture, first.work).predicted_bytes
    found = smallest_change(architecture, work, needed + CARD_RESERVE)
    assert found == first
    assert found.study == "[contract] batch_size = 4"
    assert smallest_change(architecture, work, CARD_RESERVE + 1) is None


def test_full_tuning_that_does_not_fit_is_told_of_lora(architecture):
    work = Work(kind="full", batch=1, length=64, dtype="bfloat16", device="cuda")
    lora = predict(architecture, replace(work, kind="lora", rank=16)).predicted_bytes
    change = smallest_change(architecture, work, lora + CARD_RESERVE + 100_000)
    assert change is not None
    assert change.work.kind == "lora"
    assert 'tuning = "lora"' in change.study


def every_change() -> list[Change]:
    found = []
    for kind in ("load", "inference", "lora", "full", "orpo"):
        for dtype, device in (("bfloat16", "cuda"), ("float32", "cpu")):
            for batch in (1, 4, 16):
                work = Work(kind=kind, rank=64, batch=batch, dtype=dtype, device=device)
                levers = {"targets": ("q_proj", "v_proj"), "dora": True, "accumulation": 3}
                found += changes(work)
                found += changes(replace(work, optimizer="paged_adamw_8bit", **levers))
    return found


def test_every_change_is_a_line_that_a_study_takes():
    from benchmarks.study.study_files import parse_study

    head = 'name = "x"\n[candidates]\ncatalog = "bundled"\n'
    for change in every_change():
        for part in change.study.split("; "):
            table, _, lines = part.rpartition("] ")
            named = 'name = "v"\n' if "variants" in table else ""
            parse_study(f"{head}{table}]\n{named}" + lines.replace(", ", "\n"), Path("s.toml"))


def test_every_command_that_fit_proposes_is_one_that_the_command_line_takes():
    import ohlora_cli

    tune = ohlora_cli.COMMANDS["tune"].load("tune")
    proposed = {change.tune for change in every_change() if change.tune}
    assert len(proposed) > 20
    for options in proposed:
        asked = ["one", *options.split(), "--data", __file__, "--out", "somewhere"]
        assert tune.make_context("tune", asked).params["name"] == "one"


def test_what_fit_proposes_is_a_command_to_paste(architecture):
    candidate = Candidate("one model", License("x", "yes"), architecture=architecture)
    work = Work(kind="lora", rank=64, batch=4, length=128, dtype="bfloat16", device="cuda")
    needed = predict(architecture, replace(work, batch=2)).predicted_bytes
    small = predict(architecture, replace(work, rank=8)).predicted_bytes
    budget = Budget("card", max(needed, small) + CARD_RESERVE)
    proposed = fit_row(candidate, work, budget).smallest_change
    assert proposed in (
        "ohlora tune 'one model' --rank 64 --batch-size 2 --gradient-accumulation 2 "
        "--data FILE --out DIR",
        "ohlora tune 'one model' --rank 64 --gradient-checkpointing --data FILE --out DIR",
    )  # fmt: skip
    full = replace(work, kind="full", batch=4, rank=None)
    lora = predict(architecture, replace(work, rank=16)).predicted_bytes
    row = fit_row(candidate, full, Budget("card", lora + CARD_RESERVE))
    assert row.smallest_change == "ohlora tune 'one model' --rank 16 --data FILE --out DIR"


def test_a_candidate_of_a_catalog_of_one_s_own_is_found_there(tmp_path, ohlora):
    shipped = (CATALOGS / "korean-small.toml").read_text("utf-8")
    traced_before = shipped[shipped.index("[architectures.gemma-2b]") :].split("\n\n")[0]
    catalog = tmp_path / "mine.toml"
    catalog.write_text(
        f'[licenses.MIT]\nfree = "yes"\n{traced_before}\n'
        '[[candidates]]\nname = "my-own"\nlicense = "MIT"\narchitecture = "gemma-2b"\n'
    )
    code, out, err = ohlora("fit", "my-own", "--catalog", catalog, "--gpu", "T4", "--json")
    assert (code, err) == (0, "")
    assert {row["name"] for row in json.loads(out)["rows"]} == {"my-own"}
    code, _, err = ohlora("fit", "llama1B", "--catalog", catalog, "--gpu", "T4")
    assert code == 1
    assert "No candidate is called llama1B" in err


MIB = 2**20


def made_up_pairs(overhead: int, more: int, share: float = 0.5) -> list[tuple[Estimate, int]]:
    """Loads and tunes of a machine whose process takes so much beyond the count."""
    pairs = []
    for size in (100, 200, 300):
        plain = Estimate({"weights": size * MIB}, 0, "load")
        pairs.append((plain, plain.predicted_bytes + overhead))
        tuned = Estimate({"weights": size * MIB, "optimiser": 50}, size * MIB, "loss")
        measured = tuned.predicted_bytes + overhead + more + round(share * size * MIB)
        pairs.append((tuned, measured))
    return pairs


def test_a_correction_finds_its_sums_and_the_heap_s_share_again():
    found = fitted(made_up_pairs(27 * MIB, 40 * MIB, 0.5))
    assert (found.overhead_bytes, found.tuning_bytes) == (27 * MIB, 40 * MIB)
    assert found.kept_share == pytest.approx(0.5)


def test_what_answering_takes_is_found_beside_what_every_process_takes():
    pairs = made_up_pairs(27 * MIB, 40 * MIB)
    answered = [
        (replace(e, moment="prefill", kind="inference"), m + 9 * MIB) for e, m in pairs[::2]
    ]
    found = fitted([*pairs, *answered])
    assert (found.overhead_bytes, found.answering_bytes) == (27 * MIB, 9 * MIB)


def test_what_trl_takes_is_found_beside_what_every_tune_takes():
    pairs = made_up_pairs(27 * MIB, 40 * MIB)
    by_trl = [(replace(e, kind="orpo"), m + 95 * MIB) for e, m in pairs if e.is_tuning]
    found = fitted([*pairs, *by_trl])
    assert (found.tuning_bytes, found.orpo_bytes) == (40 * MIB, 95 * MIB)


def test_one_disturbed_measurement_moves_no_correction():
    pairs = made_up_pairs(27 * MIB, 40 * MIB)
    pairs.append((Estimate({"weights": 1}, 0, "load"), 10**12))
    assert fitted(pairs).overhead_bytes < 30 * MIB


def test_what_a_tune_adds_is_enough_for_more_than_half_of_the_tunes():
    """What is predicted too low ends out of memory."""
    plain = Estimate({"weights": 100 * MIB, "optimiser": 50}, 0, "loss")
    tuned = [(plain, plain.predicted_bytes + more * MIB) for more in range(40, 51)]
    assert fitted(tuned).tuning_bytes == 46 * MIB
    three = [*tuned[:2], (plain, 10**12)]
    assert fitted(three).tuning_bytes == 41 * MIB, "one disturbed measurement moved it"


def test_a_heap_is_never_said_to_save_memory():
    assert fitted(made_up_pairs(27 * MIB, 400 * MIB, -0.5)).kept_share == 0


def test_too_few_cases_correct_nothing():
    assert fitted(made_up_pairs(27 * MIB, 40 * MIB)[:2]) == Correction(cases=2)


def test_a_machine_s_own_cases_are_kept_and_said(tmp_path):
    path = tmp_path / "measured.jsonl"
    for number, (estimate, measured) in enumerate(made_up_pairs(27 * MIB, 40 * MIB)):
        correction.remember("box", "cpu", f"case {number}", estimate, measured, path)
    with path.open("a") as file:
        file.write('{"machine": "box", "dev')  # a kill tore the last line
    found = correction.correction_for("box", "cpu", path)
    assert found.overhead_bytes == 27 * MIB
    assert "6 cases measured on this machine" in found.source
    assert "this machine" not in correction.correction_for("other", "cpu", path).source


def test_cases_left_out_where_nothing_is_shipped_are_a_sentence_of_their_own(tmp_path, monkeypatch):
    monkeypatch.setattr(correction, "_SHIPPED", tmp_path / "none.json")
    path = tmp_path / "measured.jsonl"
    row = {"machine": "box", "device": "cpu", "case": "a", "measured_bytes": 9, "estimate": {}}
    path.write_text(json.dumps(row) + "\n")
    assert correction.correction_for("box", "cpu", path).source.startswith("1 cases measured")


def test_a_process_is_never_said_to_take_less_than_its_tensors():
    found = fitted(made_up_pairs(-27 * MIB, -40 * MIB))
    assert (found.overhead_bytes, found.tuning_bytes) == (0, 0)
    assert fitted(made_up_pairs(0, -40 * MIB, 0.5)).tuning_bytes == 0


@pytest.mark.parametrize("device", ["cpu", "cuda"])
def test_cases_beside_the_prediction_of_an_earlier_version_are_left_out_and_said(tmp_path, device):
    path = tmp_path / "measured.jsonl"
    for number, (estimate, measured) in enumerate(made_up_pairs(27 * MIB, 40 * MIB)):
        correction.remember("box", device, f"case {number}", estimate, measured, path)
    now, before_dropout_was_counted_apart = f'"form": {correction._FORM}', '"form": 2'
    path.write_text(path.read_text().replace(now, before_dropout_was_counted_apart))
    found = correction.correction_for("box", device, path)
    shipped = correction.correction_for("other", device, path)
    assert replace(found, source="") == replace(shipped, source="")
    assert "6 cases measured on this machine before are left out" in found.source


@pytest.mark.parametrize("kind", ["loading", "tuning"])
def test_what_a_machine_has_not_measured_keeps_the_shipped_figure(tmp_path, kind):
    path = tmp_path / "measured.jsonl"
    wanted = kind == "tuning"
    measured = [pair for pair in made_up_pairs(27 * MIB, 99 * MIB) if pair[0].is_tuning == wanted]
    for number in range(6):
        estimate, bytes_ = measured[number % 3]
        correction.remember("box", "cpu", f"case {number}", estimate, bytes_, path)
    shipped = correction.correction_for("other", "cpu", path)
    found = correction.correction_for("box", "cpu", path)
    if kind == "loading":
        assert found.overhead_bytes == 27 * MIB
        assert (found.tuning_bytes, found.kept_share) == (shipped.tuning_bytes, shipped.kept_share)
        assert "; answering, tuning: corrected by" in found.source
    else:
        assert found.overhead_bytes == shipped.overhead_bytes > 0
        assert found.kept_share == pytest.approx(0.5)
        assert "; loading, answering: corrected by" in found.source
    assert "6 cases measured on this machine" in found.source


def test_a_card_that_measured_answering_only_has_no_figure_of_a_processor(tmp_path):
    path = tmp_path / "measured.jsonl"
    for number, (estimate, bytes_) in enumerate(made_up_pairs(27 * MIB, 0)[::2] * 2):
        correction.remember("box", "cuda", f"case {number}", estimate, bytes_, path)
    found = correction.correction_for("box", "cuda", path)
    assert (found.tuning_bytes, found.kept_share, found.orpo_bytes) == (0, 0, 0)


def test_a_corrected_prediction_shows_its_correction_as_a_term(architecture):
    work = Work(kind="lora", rank=16, batch=1, length=16, dtype="float32", device="cpu")
    plain = predict(architecture, work)
    assert plain.small_bytes > 0
    corrected = predict(architecture, work, Correction(1_000_000, 500_000, 0.5, 90, 9, "here"))
    assert corrected.terms["machine"] == 1_500_000 + round(0.5 * plain.small_bytes)
    loaded = predict(architecture, replace(work, kind="load"), Correction(7, 500_000, 0.5))
    assert loaded.terms["machine"] == 7


def test_only_small_pieces_are_kept_by_the_c_library(architecture):
    """Hidden states of 2,048 numbers in float32: 128 rows of them are 1 MiB."""
    work = Work(kind="lora", rank=16, batch=1, length=128, dtype="float32", device="cpu")
    at_1_mib = predict(architecture, work)  # keys are narrower, and what is as wide as the rank
    assert 0 < at_1_mib.small_bytes < 0.25 * at_1_mib.terms["activations"]
    below = predict(architecture, replace(work, length=127))
    all_of_them = predict(architecture, replace(work, length=16))
    assert below.small_bytes == pytest.approx(0.6 * below.terms["activations"], rel=0.2)
    checkpointed = predict(architecture, replace(work, length=127, checkpointing=True))
    assert checkpointed.small_bytes == below.small_bytes  # every layer's go through the heap
    assert all_of_them.small_bytes == pytest.approx(all_of_them.terms["activations"], rel=0.2)


#: Large pieces with a small one that stays after each: a heap can't shrink below the last of them.
_FREES = """
import sys
from model_registry.memory.allocator import give_back_what_is_freed
if sys.argv[1] == "given back" and not give_back_what_is_freed():
    sys.exit("another C library")
import torch
warm = torch.ones(4 * 2**20); del warm
large, small = [], []
for _ in range(8):
    large.append(torch.ones(2**20)); small.append(torch.ones(2**10))
del large
# Not what is mapped of files: the kernel takes and gives that as it likes.
held = dict(line.split(":") for line in open("/proc/self/status"))
print(sum(int(held[name].split()[0]) for name in ("RssAnon", "VmSwap")) * 1024)
"""


@pytest.mark.slow
def test_a_process_gives_back_what_torch_frees():
    held = {}
    for how in ("given back", "kept"):
        done = subprocess.run([sys.executable, "-c", _FREES, how], capture_output=True, text=True)
        if done.returncode:
            pytest.skip(done.stderr.strip().splitlines()[-1])
        held[how] = int(done.stdout)
    assert held["kept"] - held["given back"] >= 20 * MIB


def test_the_document_has_the_promised_keys(architecture):
    candidate = Candidate("one", License("x", "yes"), architecture=architecture)
    budget = card_budget("12GB")
    rows = fit_rows([candidate], budget, length=512)
    document_ = json.loads(json.dumps(document(budget, rows, Correction())))
    assert document_["budget_bytes"] == 12 * GIB
    promised = {"name", "workload", "rank", "quantization", "predicted_bytes", "fits",
                "smallest_change"}  # fmt: skip
    assert all(promised <= set(row) for row in document_["rows"])
    kinds = {(row["workload"], row["quantization"]) for row in document_["rows"]}
    assert {("load", "gptq"), ("inference", "int8"), ("lora", "nf4"), ("full", "none"),
            ("orpo", "none")} <= kinds  # fmt: skip
    table = columns(rows, "candidate")
    assert all(len(line) == len(table[0]) for line in table)


@pytest.mark.parametrize(
    "catalog", ["bundled", "diagram", "korean-small", "korean-2026", "lightweighting", "deepseek"]
)
@pytest.mark.parametrize(("dtype", "device"), [("bfloat16", "cuda"), ("float32", "cpu")])
def test_nothing_of_a_catalog_has_to_be_traced_when_a_user_asks(catalog, dtype, device):
    for candidate in Registry().candidates(catalog):
        for kind in ("load", "inference", "lora", "full", "orpo") if candidate.shapes else ():
            work = Work(kind=kind, dtype=dtype, device=device)
            assert is_quick(candidate.shapes, work), f"{candidate.name}: {kind}"


@pytest.mark.parametrize("device", ["cpu", "cuda"])
def test_what_lightweighting_does_after_is_predicted_at_once(device):
    for candidate in Registry().candidates("lightweighting"):
        work = Work(kind="lora", rank=8, device=device, targets=("q_proj", "v_proj"))
        assert is_quick(candidate.architecture, work)


def test_a_trace_is_remembered_for_the_next_time(tmp_path, monkeypatch):
    calls = []

    def trace_once(values, kind, *rest):
        calls.append(kind)
        return {"prefill": {"fixed": [0.0] * 7, "per_layer": [0.0] * 7}}

    monkeypatch.setattr(coefficients, "_trace", trace_once)
    for _ in range(2):
        coefficients.coefficients_of(TINY, "inference", dtype="float32", device="cpu")
        coefficients._tables.cache_clear()
    assert calls == ["inference"]


def test_what_another_process_traced_meanwhile_stays_remembered(monkeypatch):
    found = {"prefill": {"fixed": [0.0] * 7, "per_layer": [0.0] * 7}}
    monkeypatch.setattr(coefficients, "_trace", lambda *_: found)
    coefficients.coefficients_of(TINY, "inference", dtype="float32", device="cpu")
    path, mine = coefficients._own_table(), coefficients.architecture_key(TINY)
    kept = json.loads(path.read_text())
    kept[mine]["theirs"] = kept["theirs"] = {"model_type": "other"}
    path.write_text(json.dumps(kept))
    coefficients.coefficients_of(TINY, "full", dtype="float32", device="cpu")
    now = json.loads(path.read_text())
    assert now["theirs"] == now[mine]["theirs"] == {"model_type": "other"}
    assert {"inference/float32/any", "full/float32/cpu"} <= set(now[mine])


@pytest.mark.parametrize("catalog", ["korean-small", "korean-2026"])
def test_the_table_holds_every_architecture_of_the_shortlist(catalog):
    for candidate in Registry().candidates(catalog):
        for kind in ("inference", "lora", "full"):
            assert coefficients.is_known(candidate.shapes, kind, dtype="bfloat16", device="cuda"), (
                candidate.name,
                kind,
            )


@pytest.mark.parametrize("catalog", ["korean-small", "korean-2026"])
def test_counts_in_the_table_are_the_catalog_s_own(catalog):
    for candidate in Registry().candidates(catalog):
        counts = coefficients.skeleton_of(candidate.shapes)
        assert counts["parameters"] == candidate.parameters, candidate.name


def test_every_candidate_of_2026_has_a_verdict_at_12_gb():
    rows = fit_rows(Registry().candidates("korean-2026"), card_budget("12GB"), length=512)
    assert all(row.reason is None for row in rows)
    tuned = {row.name: row for row in rows if (row.work.kind, row.work.rank) == ("lora", 16)}
    assert len({row.name for row in rows}) >= 16
    for row in rows:
        assert row.fits or row.smallest_change, f"{row.name} {row.work}"
    assert tuned["gemma-3-270m-it"].fits
    plain = [row for row in rows if row.work.kind == "lora" and row.work.quantization == "none"]
    assert {row.fits for row in plain} == {True, False}


def test_fit_never_loads_torch():
    import subprocess
    import sys

    code = (
        "import sys; from commands.fitting import FitOptions, fit; "
        "fit(FitOptions(names=['llama1B'], gpu='12GB')); "
        "assert 'torch' not in sys.modules"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, timeout=280)
    assert done.returncode == 0, done.stderr


PER_TOKEN = 2 * 16 * 8 * 64 * 2  # keys and values: layers × heads × width × bytes of bf16


@pytest.mark.parametrize(("batch", "length", "new"), [(1, 160, 80), (1, 1000, 900), (4, 300, 290)])
def test_the_cache_holds_prompt_and_answer_of_every_row(architecture, batch, length, new):
    work = Work(batch=batch, length=length, new_tokens=new, dtype="bfloat16", device="cuda")
    estimate = predict(architecture, work)
    held = length if estimate.moment == "decode" else length - new
    assert estimate.terms["kv_cache"] == pytest.approx(PER_TOKEN * batch * held, rel=0.02)


def test_an_answer_s_last_token_is_the_peak_where_the_prompt_is_short(architecture):
    work = Work(length=1000, new_tokens=990, dtype="bfloat16", device="cuda")
    assert predict(architecture, work).moment == "decode"


def test_memory_is_linear_in_these_seven_quantities():
    from model_registry.memory.steps import Shape

    assert features(3, 40, 20, 12) == (1, 3, 120, 4800, 60, 12, 1440)
    assert features(3, 40, 20, 12) == tuple(Shape(3, 40, 20, 12).features())


def given(monkeypatch, **windows: list[float]) -> None:
    """Coefficients of a made-up architecture: each window's own, a layer, and 4 layers in all."""
    nothing = [0.0] * 7
    rows = {name: {"fixed": nothing, "per_layer": each} for name, each in windows.items()}
    counts = {
        "parameters": 1000, "linear_parameters": 800, "linear_outputs": 10, "largest_linear": 100,
        "buffer_bytes": 0, "layers": 4, "hidden": 8, "vocabulary": 50,
    }  # fmt: skip
    monkeypatch.setattr("model_registry.memory.fit.skeleton_of", lambda values: counts)
    monkeypatch.setattr("model_registry.memory.fit.coefficients_of", lambda values, kind, **_: rows)
    # What libraries hold is asked of real architectures: it would hide these few bytes.
    monkeypatch.setattr("model_registry.memory.fit._WORKSPACE_OF_OTHERS", 0)


TRAINED = {"trained": [0.0] * 7, "moments": [0.0] * 7}
_TOKENS_OF = [0.0, 0.0, 1.0, 0.0, 0.0, 0.0, 0.0]


def test_what_has_no_dropout_or_no_mask_holds_less_of_every_token(monkeypatch):
    loss = [0.0, 0.0, 100.0, 0.0, 0.0, 0.0, 0.0]
    parts = {"dropout": [40 * c for c in _TOKENS_OF], "masked": [7 * c for c in _TOKENS_OF]}
    given(monkeypatch, **TRAINED, loss=loss, **parts)
    work = Work(kind="lora", batch=3, length=40, rank=12)

    def each(work: Work) -> float:
        """Bytes a token and layer."""
        return (predict({}, work).predicted_bytes - 2000) / 4 / 40 / work.batch

    assert each(work) == 100
    assert each(replace(work, dropout=False)) == 60
    assert each(replace(work, padded=False)) == 93
    assert each(replace(work, batch=1)) == 93
    assert each(replace(work, kind="orpo")) == 2 * 60  # TRL takes dropout out


def test_a_layer_that_sees_a_window_needs_its_mask_where_rows_are_longer(monkeypatch):
    parts = {"masked": [7 * c for c in _TOKENS_OF]}
    given(monkeypatch, **TRAINED, loss=[100 * c for c in _TOKENS_OF], **parts)
    work = Work(kind="lora", batch=1, length=40)
    short = predict({"sliding_window": 41}, work).predicted_bytes
    assert predict({"sliding_window": 40}, work).predicted_bytes - short == 4 * 40 * 7


@pytest.mark.parametrize("index", range(7))
def test_every_quantity_counts_in_a_training_step(monkeypatch, index):
    each = [0.0] * 7
    each[index] = 1.0
    given(monkeypatch, **TRAINED, loss=each)
    work = Work(kind="lora", batch=3, length=40, kept=20, rank=12)
    without = 1000 * 2
    expected = 4 * features(3, 40, 20, 12)[index]
    assert predict({}, work).predicted_bytes == without + expected


@pytest.mark.parametrize("window", ["loss", "head", "last layer", "first layer", "step"])
def test_checkpointing_keeps_a_layer_s_input_until_its_turn_comes(monkeypatch, window):
    each = [0.0, 0.0, 100.0, 0.0, 0.0, 0.0, 0.0]  # bytes a token and layer
    given(monkeypatch, **TRAINED, **{window: each})
    work = Work(kind="lora", batch=3, length=40, rank=12)
    # four layers' inputs and the last one's output × tokens × hidden × bytes of bf16
    tokens, inputs = 120, 5 * 120 * 8 * 2
    held = {"loss": inputs, "head": inputs, "last layer": inputs + 100 * tokens}
    plain = predict({}, work).predicted_bytes
    assert plain == 2000 + 4 * 100 * tokens
    found = predict({}, replace(work, checkpointing=True)).predicted_bytes
    assert found == 2000 + held.get(window, 4 * 100 * tokens)


def test_the_formats_of_quantised_weights_are_counted_to_the_byte():
    counts = {
        "parameters": 1_000_000, "linear_parameters": 800_000, "linear_outputs": 1_000,
        "largest_linear": 10_000, "buffer_bytes": 64,
    }  # fmt: skip
    rest = 200_000 * 2 + 64
    found = {q: weight_bytes(counts, Work(quantization=q)) for q in ("int8", "nf4", "gptq")}
    assert found["int8"] == 800_000 + 4 * 1_000 + rest
    assert found["nf4"] == round(800_000 * (0.5 + 1 / 64 + 4 / (64 * 256))) + rest
    assert found["gptq"] == round(800_000 * (0.5 + 2.5 / 128)) + rest


def test_buffers_lie_beside_weights_of_any_format():
    counts = dict.fromkeys(("linear_parameters", "linear_outputs", "largest_linear"), 0)
    counts |= {"parameters": 1_000, "buffer_bytes": 64}
    assert {weight_bytes(counts, Work(quantization=q)) for q in ("none", "nf4")} == {2_064}


def test_a_rounding_of_the_fit_is_no_gradient_below_nothing(monkeypatch):
    given(monkeypatch, **TRAINED, loss=[-50.0, 0.0, 100.0, 0.0, 0.0, 0.0, 0.0])
    terms = predict({}, Work(kind="lora", batch=3, length=40, rank=12)).terms
    assert (terms["gradients"], terms["activations"]) == (0, 4 * (100 * 120 - 50))


@pytest.mark.parametrize("tied", [True, False])
def test_embeddings_and_head_stay_as_they_are_when_weights_are_quantised(tied):
    from model_registry.memory.trace import skeleton

    counts = skeleton(TINY | {"tie_word_embeddings": tied})
    layer = 2 * 64 * 64 + 2 * 64 * 32 + 3 * 64 * 128
    assert counts["linear_parameters"] == 3 * layer
    embeddings = 512 * 64 * (1 if tied else 2)
    assert counts["parameters"] == 3 * (layer + 2 * 64) + 64 + embeddings
    assert counts["largest_linear"] == 64 * 128


def test_quantised_weights_are_unpacked_one_matrix_at_a_time(monkeypatch):
    given(monkeypatch, prefill=[0.0] * 7, decode=[0.0] * 7, kept=[0.0] * 7)
    plain = predict({}, Work()).predicted_bytes
    packed = predict({}, Work(quantization="int8"))
    assert plain == 2000
    assert packed.terms["unpacked"] == 100 * 2
    assert packed.predicted_bytes == 800 + 4 * 10 + 200 * 2 + 200


def test_a_tune_on_quantised_weights_unpacks_them_too(monkeypatch):
    given(monkeypatch, **TRAINED, loss=[0.0] * 7)
    packed = predict({}, Work(kind="lora", rank=12, quantization="int8"))
    assert packed.terms["unpacked"] == 100 * 2
    assert packed.predicted_bytes == 800 + 4 * 10 + 200 * 2 + 200


def test_orpo_takes_twice_the_rows_and_every_position(monkeypatch):
    each = [0.0, 1.0, 0.0, 0.0, 1.0, 0.0, 0.0]
    given(monkeypatch, **TRAINED, loss=each)
    work = Work(kind="orpo", batch=3, length=40, kept=20, rank=12)
    assert predict({}, work).predicted_bytes == 2000 + 4 * (6 + 6 * 40)


def test_adapter_and_optimiser_are_there_throughout(monkeypatch):
    rank = [0.0, 0.0, 0.0, 0.0, 0.0, 1.0, 0.0]
    given(monkeypatch, trained=rank, moments=[2 * each for each in rank], loss=[0.0] * 7)
    terms = predict({}, Work(kind="lora", rank=12)).terms
    assert (terms["adapter"], terms["optimiser"]) == (48, 96)


def test_a_change_names_all_that_it_takes():
    work = Work(kind="lora", rank=64, batch=4, dtype="float32", device="cpu")
    for change in changes(work):
        assert change.work.dtype == "bfloat16"
        assert 'dtype = "bfloat16"' in change.study
        assert change.tune is None or "--dtype bfloat16" in change.tune
    (ranked,) = [c for c in changes(work) if c.work.rank == 8]
    assert ranked.tune == "--dtype bfloat16 --rank 8"
    assert ranked.study == '[contract] dtype = "bfloat16"; [work] ranks = [8]'


def test_a_tune_without_a_rank_is_predicted_at_sixteen(architecture):
    work = Work(kind="lora", dtype="bfloat16", device="cuda")
    assert predict(architecture, work) == predict(architecture, replace(work, rank=16))
    assert predict(architecture, work) != predict(architecture, replace(work, rank=8))


def test_a_trace_at_two_depths_tells_what_each_layer_takes():
    import numpy as np

    from model_registry.memory.trace import DEPTHS, TRAINED_AT, _by_depth

    rows = np.array([shape.features() for shape in TRAINED_AT], dtype=float)
    fixed, each = np.arange(1.0, 8.0), np.arange(10.0, 80.0, 10.0)
    peaks = {depth: list(rows @ (fixed + depth * each)) for depth in DEPTHS}
    found = _by_depth(rows, peaks)
    assert found["fixed"] == pytest.approx(list(fixed), abs=1e-2)
    assert found["per_layer"] == pytest.approx(list(each), abs=1e-2)


def test_an_architecture_is_traced_with_so_many_layers_whatever_it_calls_them():
    from model_registry.memory.trace import DEPTHS, at_depth

    neo = {"num_layers": 12, "attention_types": [[["global", "local"], 6]]}
    for depth in DEPTHS:
        assert at_depth(TINY, depth) == TINY | {"num_hidden_layers": depth}
        ((pattern, times),) = at_depth(neo, depth)["attention_types"]
        assert at_depth(neo, depth)["num_layers"] == len(pattern) * times == depth
    assert TINY["num_hidden_layers"] == 3


def test_a_model_with_layers_of_several_kinds_is_traced_where_each_has_its_share():
    from model_registry.memory.trace import DEPTHS, depths_of

    known = Registry().candidate
    assert depths_of(known("Qwen3.5-0.8B").shapes) == (4, 8)  # one round and two
    assert depths_of(known("LFM2.5-1.2B-Instruct").shapes) == (8, 16)  # no round: half and all
    assert depths_of(known("Qwen3-0.6B").shapes) == DEPTHS
