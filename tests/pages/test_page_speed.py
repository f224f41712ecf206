"""The page is quick: its first text, its first page, and eight people at once."""

from __future__ import annotations

import json
import os
import statistics
import subprocess
import sys
import threading
import time
from collections.abc import Iterator
from pathlib import Path

import httpx
import pytest

from tests.pages.page_server import ROOT, Page, plugin, running_page, wait_until_up
from tests.support.fake_servers import free_port
from tests.support.tiny_models import make_tokenizer

pytestmark = [
    pytest.mark.slow,
    pytest.mark.skipif(
        not os.environ.get("OHLORA_TIMED"),
        reason="compares times: set OHLORA_TIMED=1 on a quiet machine",
    ),
]

TOKENS = 120

#: The plainest pages that Gradio makes; each is told its port.
CONSTANT = """
import sys, gradio as gr
from starlette.responses import PlainTextResponse
from starlette.routing import Route
def answer(message, history):
    yield [*history, {"role": "user", "content": message}, {"role": "assistant", "content": "text"}]
with gr.Blocks() as page:
    history = gr.Chatbot()
    message = gr.Textbox()
    message.submit(answer, [message, history], history, api_name="chat")
page.launch(server_port=int(sys.argv[1]), quiet=True,
            app_kwargs={"routes": [Route("/healthz", lambda r: PlainTextResponse("ok"))]})
"""
HELLO = """
import sys, gradio as gr
gr.Interface(lambda name: "Hello " + name, "text", "text").launch(
    server_port=int(sys.argv[1]), quiet=True)
"""


def make_speaking_model(folder: Path) -> Path:
    """A random Llama of two million parameters: as quick as a bundled one, and it never ends."""
    import torch
    from transformers import LlamaConfig, LlamaForCausalLM

    tokenizer = make_tokenizer()
    torch.manual_seed(0)
    config = LlamaConfig(
        vocab_size=len(tokenizer), hidden_size=224, intermediate_size=608, num_hidden_layers=3,
        num_attention_heads=4, num_key_value_heads=2, max_position_embeddings=1024,
        eos_token_id=tokenizer.eos_token_id, pad_token_id=tokenizer.pad_token_id, bos_token_id=None,
    )  # fmt: skip
    model = LlamaForCausalLM(config)
    with torch.no_grad():  # plain letters only: every token is a letter on the page
        model.lm_head.weight.zero_()
        letters = tokenizer.convert_tokens_to_ids(list("abcdefghijklmnop"))
        model.lm_head.weight[letters] = torch.randn(len(letters), config.hidden_size)
    model.save_pretrained(folder)
    tokenizer.save_pretrained(folder)
    return folder


def script(source: str, port: int) -> subprocess.Popen[str]:
    environment = {**os.environ, "GRADIO_ANALYTICS_ENABLED": "False", "HF_HUB_OFFLINE": "1"}
    command = [sys.executable, "-c", source, str(port)]
    return subprocess.Popen(command, env=environment, text=True, cwd=ROOT)


@pytest.fixture(scope="module")
def page(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Page]:
    folder = tmp_path_factory.mktemp("speed")
    models = folder / "models"
    make_speaking_model(models / "말하는-모델")
    with running_page(folder, *plugin(), environment={"OHLORA_TEST_MODELS": str(models)}) as page:
        chat(page, "준비")  # loads the model
        yield page


@pytest.fixture(scope="module")
def constant(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Page]:
    folder = tmp_path_factory.mktemp("constant")
    (folder / "page.log").write_text("")
    port = free_port()
    process = script(CONSTANT, port)
    page = Page(f"http://127.0.0.1:{port}", process, folder)
    try:
        wait_until_up(page)
        yield page
    finally:
        process.kill()
        process.wait()


def chat(
    page: Page, message: str, *, ours: bool = True, client: httpx.Client | None = None
) -> tuple[float, float, str]:
    """Seconds until the reply's first text, seconds until its end, and the reply."""
    settings = ["말하는-모델", "", 0.0, 1.0, TOKENS, 0] if ours else []
    begin, first, reply = time.perf_counter(), 0.0, ""
    for kind, data in page.stream("chat", message, [], *settings, client=client):
        assert kind != "error", data
        if kind not in ("generating", "complete") or data == "null":
            continue
        history = json.loads(data)[0]
        if len(history) > 1 and (said := text_of(history[-1])):
            first = first or time.perf_counter() - begin
            reply = said
    return first, time.perf_counter() - begin, reply


def text_of(message: dict) -> str:
    content = message["content"]
    return content if isinstance(content, str) else "".join(part["text"] for part in content)


@pytest.mark.timeout(300)
def test_the_first_text_comes_at_most_40_ms_after_a_constants(page: Page, constant: Page) -> None:
    chat(constant, "준비", ours=False)
    ours, theirs = [], []
    for _ in range(20):
        ours.append(chat(page, "안녕")[0])
        theirs.append(chat(constant, "안녕", ours=False)[0])
    late = statistics.median(ours) - statistics.median(theirs)
    print(
        f"first text: ours {statistics.median(ours) * 1000:.0f} ms, "
        f"a constant's {statistics.median(theirs) * 1000:.0f} ms, {late * 1000:+.0f} ms"
    )
    assert late <= 0.040


@pytest.mark.timeout(400)
def test_the_first_page_is_served_within_a_fifth_more_than_hello_world(tmp_path: Path) -> None:
    ours, theirs = [], []
    for _ in range(3):
        port = free_port()
        theirs.append(seconds_to_first_page(lambda p: script(HELLO, p), port))
        port = free_port()
        ours.append(seconds_to_first_page(lambda p: our_page(tmp_path, p), port))
    ratio = statistics.median(ours) / statistics.median(theirs)
    print(
        f"first page: ours {statistics.median(ours):.2f} s, "
        f"hello world's {statistics.median(theirs):.2f} s, {ratio:.2f} times"
    )
    assert ratio <= 1.2


def our_page(folder: Path, port: int) -> subprocess.Popen[str]:
    environment = {**os.environ, "OHLORA_DATA_DIR": str(folder), "HF_HUB_OFFLINE": "1"}
    command = [sys.executable, "ohlora_app.py", "--port", str(port)]
    return subprocess.Popen(
        command, env=environment, cwd=ROOT, text=True, stdout=subprocess.DEVNULL
    )


def seconds_to_first_page(start, port: int) -> float:
    begin = time.perf_counter()
    process = start(port)
    try:
        while time.perf_counter() - begin < 120:
            try:
                if httpx.get(f"http://127.0.0.1:{port}/", timeout=60).status_code == 200:
                    return time.perf_counter() - begin
            except httpx.TransportError:
                time.sleep(0.02)
        raise AssertionError("no page within two minutes")
    finally:
        process.kill()
        process.wait()


@pytest.mark.timeout(400)
def test_eight_people_at_once_get_as_much_together_as_one_alone(page: Page) -> None:
    def together(people: int) -> tuple[float, list[float]]:
        """Tokens a second of all together, and how long each waited for a whole answer."""
        waited = [0.0] * people
        ready = threading.Barrier(people + 1)

        def talk(number: int) -> None:
            with httpx.Client(base_url=page.base, timeout=120) as client:
                ready.wait()
                _, waited[number], reply = chat(page, f"나는 {number}번", client=client)
                assert len(reply) == TOKENS

        threads = [threading.Thread(target=talk, args=(i,)) for i in range(people)]
        for thread in threads:
            thread.start()
        ready.wait()
        begin = time.perf_counter()
        for thread in threads:
            thread.join()
        return people * TOKENS / (time.perf_counter() - begin), waited

    together(1)
    alone = statistics.median(together(1)[0] for _ in range(5))
    rounds = [together(8) for _ in range(3)]
    all_together = statistics.median(rate for rate, _ in rounds)
    spread = statistics.median(max(waited) / min(waited) for _, waited in rounds)
    print(
        f"alone {alone:.0f} tokens/s, eight together {all_together:.0f} "
        f"({all_together / alone:.2f}), the longest wait {spread:.2f} times the shortest"
    )
    assert all_together >= 0.8 * alone
    assert spread <= 2
