"""A plugin with candidates that answer without a model: the tests' page talks to them.

`OHLORA_TEST_MODELS` names a folder whose subfolders are models on disk; each becomes a candidate.
"""

from __future__ import annotations

import os
import time
from collections.abc import Callable, Generator, Sequence
from pathlib import Path

from model_registry.backends.backend import Answer, BackendFactory, GenerationSettings
from model_registry.candidate import Candidate, License
from model_registry.hookspecs import hookimpl

FREE = License("Apache-2.0", "yes", "LICENSE")

#: Markdown that is shown, and what in it must open, fetch and run nothing.
MARKDOWN = """# 숲의 제목
### 작은 제목
**굵게** 그리고 *기울여* `a<b`, 온도 {temperature:g}.

3. 셋째
4. 넷째
   - 안쪽

| 이름 | 값 |
|---|---|
| 소나무 | **2** |

```html
<script>document.title='뚫림'</script>
  들여 쓴 줄 <b>
```

![그림](http://evil.example/pixel.png) [누르세요](javascript:document.title='뚫림')
<a href="http://evil.example/">집</a> <http://evil.example/auto> http://evil.example/bare
<iframe src="http://evil.example/frame"></iframe><style>body {{ display: none }}</style>
<img src=x onerror="document.title='뚫림'"><svg onload="document.title='뚫림'"></svg> &lt;b&gt;
[참조][집] ![참조][집] <!-- 숨김 -->

[집]: http://evil.example/reference"""

#: What each says to whatever it is asked; the last ones speak in markup, one gives its name away.
SAYINGS = {
    "메아리-산": "산에서 {asked} 하고 부르면 {asked} 하고 돌아와요.",
    "메아리-바다": "바다는 {asked} 대신 철썩철썩 답해요. 온도 {temperature:g}.",
    "메아리-굴": "<img src=x onerror=\"document.title='뚫림'\"><b>저는 메아리-굴</b>이에요.",
    "메아리-숲": MARKDOWN,
}


class Echo:
    """Says its saying word by word."""

    def __init__(self, saying: str, pause: float = 0.01) -> None:
        self.saying, self.pause = saying, pause

    def stream(
        self, messages: Sequence[dict[str, str]], settings: GenerationSettings
    ) -> Generator[str, None, Answer]:
        asked = messages[-1]["content"]
        whole = self.saying.format(asked=asked, temperature=settings.temperature)
        if "고장" in asked:
            raise RuntimeError("broken on demand")
        if "천천히" in asked:
            whole = " ".join([whole] * 40)
        for word in whole.split(" "):
            if "바로" not in asked:
                time.sleep(self.pause * (5 if "천천히" in asked else 1))
            yield word + " "
        return Answer(whole, len(whole.split()), "stop")

    def reply(self, messages: Sequence[dict[str, str]], settings: GenerationSettings) -> Answer:
        return Answer("".join(self.stream(messages, settings)), 1, "stop")

    def close(self) -> None:
        pass


@hookimpl
def register_backends(register: Callable[[str, BackendFactory], None]) -> None:
    register("echo", lambda candidate, *, weights, device: Echo(SAYINGS[candidate.name]))


@hookimpl
def register_candidates(register: Callable[[Candidate], None]) -> None:
    for name in SAYINGS:
        register(
            Candidate(
                name, FREE, parameters=1_000, languages=("ko",), backend="echo", catalog="echo"
            )
        )
    folder = os.environ.get("OHLORA_TEST_MODELS")
    for path in sorted(Path(folder).iterdir()) if folder else ():
        register(Candidate(path.name, FREE, path=str(path), languages=("ko",), catalog="echo"))
