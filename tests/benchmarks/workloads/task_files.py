"""Benchmark tasks of our own, as files: two tasks, a tag and two groups on local JSON lines."""

from __future__ import annotations

import json
from pathlib import Path

DATA = """
dataset_path: json
dataset_kwargs:
  data_files:
    test: rows.jsonl
test_split: test
"""
CHOICE = f"""
task: own_choice
tag: own_tag
{DATA}
output_type: multiple_choice
doc_to_text: "{{{{passage}}}}\\n질문: {{{{question}}}}\\n답:"
doc_to_choice: ["예", "아니요"]
doc_to_target: label
metric_list:
  - metric: acc
    aggregation: mean
    higher_is_better: true
  - metric: acc_norm
    aggregation: mean
    higher_is_better: true
metadata:
  version: 1.0
"""
WRITING = f"""
task: own_writing
{DATA}
output_type: generate_until
doc_to_text: "질문: {{{{question}}}}\\n답:"
doc_to_target: "{{{{['예', '아니요'][label]}}}}"
generation_kwargs:
  until: ["\\n"]
  max_gen_toks: 4
  do_sample: false
metric_list:
  - metric: exact_match
    aggregation: mean
    higher_is_better: true
"""
SHORT = CHOICE.replace("own_choice", "own_short").replace("{{passage}}\\n", "")
GROUP = """
group: own_group
task: [own_choice, own_short]
aggregate_metric_list:
  - metric: acc
    weight_by_size: true
"""
MIXED = """
group: own_mixed
task:
  - own_choice
  - own_writing
"""


def write_tasks(folder: Path, rows: int = 12) -> Path:
    """The folder with its tasks; three documents share each passage."""
    folder.mkdir(parents=True, exist_ok=True)
    documents = [
        {"passage": f"지문 {n // 3}", "question": f"{n}은 홀수인가?", "label": 1 - n % 2}
        for n in range(rows)
    ]
    lines = "".join(json.dumps(each, ensure_ascii=False) + "\n" for each in documents)
    (folder / "rows.jsonl").write_text(lines, encoding="utf-8")
    files = {"choice": CHOICE, "writing": WRITING, "short": SHORT, "group": GROUP, "mixed": MIXED}
    for name, source in files.items():
        (folder / f"{name}.yaml").write_text(source, encoding="utf-8")
    return folder
