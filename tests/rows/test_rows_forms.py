"""Every form of rows that users bring is read right, or refused with file, line and reason."""

from __future__ import annotations

import gzip
import io
import json
import unicodedata
import zipfile
from pathlib import Path
from typing import Any

import pytest

from model_registry.errors import BadFile
from rows.reading import read_data, read_rows
from rows.row import Row
from rows.splits import split_of
from tests.rows.korean_words import is_korean

ROOT = Path(__file__).resolve().parents[2]
DOCUMENT = (ROOT / "docs" / "rows.md").read_text(encoding="utf-8")
SYSTEM = {"role": "system", "content": "짧게 답해."}
PLAIN = "prompt,reply\n안녕?,반가워!\n"
ONE = (Row("안녕?", "반가워!"),)


def lines(*rows: Any) -> bytes:
    return "".join(json.dumps(row, ensure_ascii=False) + "\n" for row in rows).encode()


def excel(*rows: tuple[Any, ...]) -> bytes:
    openpyxl = pytest.importorskip("openpyxl")
    book = openpyxl.Workbook()
    for row in rows:
        book.active.append(row)
    out = io.BytesIO()
    book.save(out)
    return out.getvalue()


def parquet(rows: list[dict[str, Any]]) -> bytes:
    pytest.importorskip("pyarrow")
    import pyarrow
    import pyarrow.parquet

    out = io.BytesIO()
    pyarrow.parquet.write_table(pyarrow.Table.from_pylist(rows), out)
    return out.getvalue()


def zipped(name: str, raw: bytes) -> bytes:
    out = io.BytesIO()
    with zipfile.ZipFile(out, "w") as packed:
        packed.writestr(name, raw)
    return out.getvalue()


TURNS = [
    {"role": "system", "content": "짧게 답해."},
    {"role": "user", "content": "안녕?"},
    {"role": "assistant", "content": "반가워!"},
    {"role": "user", "content": "뭐 해?"},
    {"role": "assistant", "content": "쉬어."},
]
MULTI = (
    Row("안녕?", "반가워!", before=(SYSTEM,)),
    Row("뭐 해?", "쉬어.", before=(SYSTEM, *TURNS[1:3])),
)
SHAREGPT = [
    {"from": {"user": "human", "assistant": "gpt"}.get(t["role"], t["role"]), "value": t["content"]}
    for t in TURNS
]
CHATML = "".join(f"<|im_start|>{t['role']}\n{t['content']}<|im_end|>\n" for t in TURNS)
LLAMA3 = "<|begin_of_text|>" + "".join(
    f"<|start_header_id|>{t['role']}<|end_header_id|>\n\n{t['content']}<|eot_id|>" for t in TURNS
)
TOOL = [
    *TURNS[1:3],
    {"role": "user", "content": "날씨?"},
    {"role": "assistant", "content": None, "tool_calls": [{"id": "1"}]},
    {"role": "tool", "content": "맑음"},
    {"role": "assistant", "content": "맑아요."},
]

#: name in docs/rows.md, file name, bytes, the rows that it holds
READ = [
    ("CSV, comma", "a.csv", PLAIN.encode(), ONE),
    ("CSV, semicolon", "a.csv", PLAIN.replace(",", ";").encode(), ONE),
    ("CSV, tab", "a.tsv", PLAIN.replace(",", "\t").encode(), ONE),
    ("CSV, all quoted", "a.csv", '"prompt","reply"\r\n"안녕?","반가워!"\r\n'.encode(), ONE),
    ("CSV, CRLF", "a.csv", PLAIN.replace("\n", "\r\n").encode(), ONE),
    ("CSV, Excel's `sep=`", "a.csv", ("sep=;\n" + PLAIN.replace(",", ";")).encode(), ONE),
    ("UTF-8 with BOM", "a.csv", PLAIN.encode("utf-8-sig"), ONE),
    ("UTF-16 with BOM", "a.csv", PLAIN.encode("utf-16"), ONE),
    ("cp949", "a.csv", PLAIN.encode("cp949"), ONE),
    ("NFD", "a.csv", unicodedata.normalize("NFD", "질문,답변\n안녕?,반가워!\n").encode(), ONE),
    ("JSON lines", "a.jsonl", lines({"prompt": "안녕?", "reply": "반가워!"}), ONE),
    ("JSON lines, CRLF", "a.ndjson",
     lines({"prompt": "안녕?", "reply": "반가워!"}).replace(b"\n", b"\r\n"), ONE),
    ("JSON lines called .json", "a.json", lines({"prompt": "안녕?", "reply": "반가워!"},
     {"prompt": "뭐", "reply": "응"}), (*ONE, Row("뭐", "응"))),
    ("JSON list", "a.json",
     json.dumps([{"prompt": "안녕?", "reply": "반가워!"}], indent=1).encode(), ONE),
    ("JSON list called .jsonl", "a.jsonl",
     json.dumps([{"prompt": "안녕?", "reply": "반가워!"}]).encode(), ONE),
    ("JSON, splits by key", "a.json",
     json.dumps({"train": [{"prompt": "안녕?", "reply": "반가워!"}],
                 "validation": [{"prompt": "뭐", "reply": "응"}]}).encode(),
     (*ONE, Row("뭐", "응", "valid"))),
    ("JSON, rows under `data`", "a.json",
     json.dumps({"version": "1", "data": [{"prompt": "안녕?", "reply": "반가워!"}]}).encode(), ONE),
    ("Line separators in JSON strings", "a.jsonl",
     lines({"prompt": "안\u2028녕\u0085?", "reply": "반가워!"}),
     (Row("안\u2028녕\u0085?", "반가워!"),)),
    ("Excel", "a.xlsx", excel(("질문", "답변"), ("안녕?", "반가워!"), ("1+2=?", 3)),
     (*ONE, Row("1+2=?", "3"))),
    ("Excel called .csv", "a.csv", excel(("질문", "답변"), ("안녕?", "반가워!")), ONE),
    ("Parquet", "a.parquet", parquet([{"question": "안녕?", "answer": "반가워!"}]), ONE),
    ("Parquet of messages", "a.parquet", parquet([{"messages": TURNS}]), MULTI),
    ("gzip", "a.csv.gz", gzip.compress(PLAIN.encode()), ONE),
    ("zip of one file", "a.zip", zipped("in/a.csv", PLAIN.encode()), ONE),
    ("Alpaca", "a.json",
     json.dumps([{"instruction": "번역해 줘.", "input": "Hello", "output": "안녕"},
                 {"instruction": "안녕?", "input": "", "output": "반가워!"}]).encode(),
     (Row("번역해 줘.\n\nHello", "안녕"), *ONE)),
    ("Alpaca with system and history", "a.jsonl",
     lines({"instruction": "뭐 해?", "input": "", "output": "쉬어.", "system": "짧게 답해.",
            "history": [["안녕?", "반가워!"]]}), MULTI[1:]),
    ("prompt and completion", "a.jsonl", lines({"prompt": "안녕?", "completion": "반가워!"}), ONE),
    ("prompt and completion as turns", "a.jsonl",
     lines({"prompt": TURNS[:4], "completion": TURNS[4:]},
           {"prompt": TURNS[:2], "completion": TURNS[2:]}), (*MULTI[1:], *MULTI)),
    ("OpenAI messages", "a.jsonl", lines({"messages": TURNS}), MULTI),
    ("OpenAI messages in parts", "a.jsonl",
     lines({"messages": [{"role": "user", "content": [{"type": "text", "text": "안녕?"}]},
                         TURNS[2]]}), ONE),
    ("OpenAI messages, weight 0", "a.jsonl",
     lines({"messages": [*TURNS[:2], {**TURNS[2], "weight": 0}, *TURNS[3:]]}), MULTI[1:]),
    ("A list of turns a line", "a.jsonl", lines(TURNS), MULTI),
    ("Messages as text in a CSV", "a.csv",
     ("messages\n\"" + json.dumps(TURNS).replace('"', '""') + "\"\n").encode(), MULTI),
    ("ShareGPT", "a.json", json.dumps([{"id": "1", "conversations": SHAREGPT}]).encode(), MULTI),
    ("ChatML text", "a.jsonl", lines({"text": CHATML}), MULTI),
    ("ChatML file", "a.txt", CHATML.encode(), MULTI),
    ("Llama 3 text", "a.jsonl", lines({"text": LLAMA3}), MULTI),
    ("A list of turns with a system turn", "a.json", json.dumps(TURNS).encode(), MULTI),
    ("A list of turns", "a.json", json.dumps(TURNS[1:]).encode(),
     (Row("안녕?", "반가워!"), Row("뭐 해?", "쉬어."))),
    ("Tool turns", "a.jsonl", lines({"messages": TOOL}), ONE),
    ("질문, 답변", "a.csv", "질문,답변\n안녕?,반가워!\n".encode(), ONE),
    ("입력, 출력", "a.csv", "출력,입력\n반가워!,안녕?\n".encode(), ONE),
    ("지시, 입력, 응답", "a.csv", "지시,입력,응답\n번역해 줘.,Hello,안녕\n".encode("cp949"),
     (Row("번역해 줘.\n\nHello", "안녕"),)),
    ("Question, Answer", "a.csv", "Question,Answer\n안녕?,반가워!\n".encode(), ONE),
    ("system column", "a.csv", "system,prompt,reply\n짧게 답해.,안녕?,반가워!\n".encode(),
     MULTI[:1]),
    ("Split names", "a.csv",
     "split,prompt,reply\nTraining,가,1\nDEV,나,2\n검증,다,3\neval,라,4\ntest,마,5\n,바,6\n".encode(),
     (Row("가", "1"), Row("나", "2", "valid"), Row("다", "3", "valid"), Row("라", "4", "valid"),
      Row("마", "5", "test"), Row("바", "6"))),
    ("Records of several forms", "a.jsonl",
     lines({"instruction": "번역해 줘.", "input": "Hello", "output": "안녕"}, {"messages": TURNS},
           {"conversations": SHAREGPT}, {"질문": "안녕?", "답변": "반가워!"}, {"text": CHATML}),
     (Row("번역해 줘.\n\nHello", "안녕"), *MULTI, *MULTI, *ONE, *MULTI)),
    ("Files put one after another", "a.csv",
     (PLAIN.encode("utf-8-sig") + "뭐,응\n".encode("utf-8-sig")), (*ONE, Row("뭐", "응"))),
    ("Lines that end in CR", "a.jsonl",
     lines({"prompt": "안녕?", "reply": "반가워!"}).replace(b"\n", b"\r"), ONE),
    ("Blank rows", "a.csv", "prompt,reply\n안녕?,반가워!\n,\n\n".encode(), ONE),
]  # fmt: skip

#: name in docs/rows.md, file name, bytes, what the message says
REFUSED = [
    ("More cells than columns", "a.csv", "prompt,reply\n가,나\n안녕,아니, 잘 자\n".encode(),
     r"a\.csv:3: 3 cells for 2 columns"),
    ("A cell under no name", "a.csv", "prompt,reply,\n가,나,\n안녕,아니, 잘 자\n".encode(),
     r"a\.csv:3: cell 3 stands under no name"),
    ("A cell of a sheet under no name", "a.xlsx", excel(("prompt", "reply"), ("가", "나", "다")),
     r"a\.xlsx:2: cell 3 stands under no name"),
    ("A formula without a value", "a.xlsx", excel(("prompt", "reply"), ("가", "=1+1")),
     r"a\.xlsx:2: =1\+1 was never computed"),
    ("A spreadsheet's error", "a.csv", "prompt,reply\n가,#NAME?\n".encode(),
     r"a\.csv:2: a spreadsheet left its error #NAME\?"),
    ("An unclosed quote", "a.csv", 'prompt,reply\n가,나\n"안녕,답\n잘 가,응\n'.encode(),
     r"a\.csv:3: not a CSV.*quote"),
    ("An unclosed quote that a later one closes", "a.csv",
     'prompt,reply\n가,나\n"안녕,답\n잘 가"\n'.encode(), r"a\.csv:3: 1 cells for 2 columns.*quote"),
    ("Duplicate columns", "a.csv", "prompt,reply,reply\n가,나,다\n".encode(),
     r"a\.csv:1: the column reply stands there 2 times"),
    ("Columns that differ in case", "a.csv", "prompt,reply,Reply\n가,나,다\n".encode(),
     r"a\.csv:1: the column reply stands there 2 times"),
    ("A backslash before a quote", "a.csv", 'prompt,reply\n가,"그는 \\"네\\""\n'.encode(),
     r"a\.csv:2: not a CSV.*write \"\""),
    ("JSON that is no row", "a.json", b'"text"', r"a\.json:1: not an object"),
    ("Duplicate keys", "a.jsonl", '{"prompt": "가", "reply": "나", "reply": "다"}'.encode(),
     r"a\.jsonl:1: the column reply stands there twice"),
    ("An empty prompt", "a.csv", 'prompt,reply\n"가\n나",다\n  ,라\n'.encode(),
     r"a\.csv:4: no text in prompt"),
    ("NUL", "a.csv", "prompt,reply\n가,나\n다,라\0\n".encode(), r"a\.csv:3: holds a NUL"),
    ("NUL as an escape", "a.jsonl", b'{"prompt": "a", "reply": "\\u0000b"}', r":1: holds a NUL"),
    ("Half a character", "a.jsonl", b'{"prompt": "a", "reply": "\\ud83d"}',
     r":1: holds half of a character"),
    ("UTF-16 without BOM", "a.csv", "prompt,reply\nhi,yes\n".encode("utf-16-le"),
     r"is it UTF-16\? Save it as UTF-8"),
    ("A broken byte in UTF-8", "a.csv", "prompt,reply\n안녕,응\n잘".encode() + b"\xff,x\n",
     r"a\.csv:3: is not UTF-8"),
    ("Mojibake", "a.csv", PLAIN.encode().decode("latin-1").encode(), "Korean in it is broken"),
    ("No such columns", "a.csv", "title,body\n가,나\n".encode(), "no question column.*title, body"),
    ("A text column in no known form", "a.csv", "text\n### 질문: 가\n".encode(),
     "no question column.*there are text"),
    ("Unknown split names alone", "a.csv", "split,prompt,reply\nfold1,가,나\n".encode(),
     r"a\.csv:2: split fold1 is none of train, valid and test"),
    ("Unknown roles", "a.jsonl",
     lines({"messages": [{"role": "A", "content": "가"}, {"role": "B", "content": "나"}]}),
     r"a\.jsonl:1: who is A\?"),
    ("Columns as pandas writes JSON", "a.json", b'{"prompt": {"0": "a"}, "reply": {"0": "b"}}',
     'orient="records"'),
    ("A number for a text", "a.jsonl", b'{"prompt": "a", "reply": 3}', "reply must be text, not 3"),
    ("Old Excel", "a.xls", b"\xd0\xcf\x11\xe0", "save it as .xlsx"),
    ("A zip of several files", "a.zip", b"PK", "can't be unpacked"),
    ("No rows", "a.csv", b"prompt,reply\n", "holds no rows"),
]  # fmt: skip


def write(folder: Path, name: str, raw: bytes) -> Path:
    path = folder / name
    path.write_bytes(raw)
    return path


@pytest.mark.parametrize(("form", "name", "raw", "rows"), READ, ids=[form[0] for form in READ])
def test_every_usual_form_is_read_right(tmp_path, form, name, raw, rows) -> None:
    assert read_rows(write(tmp_path, name, raw)).rows == rows
    assert f"| {form} |" in DOCUMENT


@pytest.mark.parametrize(
    ("form", "name", "raw", "message"), REFUSED, ids=[form[0] for form in REFUSED]
)
def test_what_can_not_be_read_right_is_refused_in_words(tmp_path, form, name, raw, message) -> None:
    with pytest.raises(BadFile, match=message) as refused:
        read_rows(write(tmp_path, name, raw))
    assert is_korean(refused.value.korean), refused.value.korean
    assert f"| {form} |" in DOCUMENT


@pytest.mark.parametrize(
    ("name", "raw"),
    [
        ("a.jsonl", b'{"prompt": "a", "prompt": "b"}'),
        ("a.jsonl", b'{"role": "user"}'),
        ("a.jsonl", b'{"prompt": a}'),
        ("a.jsonl", b"3"),
        ("a.json", b'{"role": "user", "content": "a"}'),
        ("a.json", b'[{"prompt": "a" "reply": "b"}]'),
        ("a.json", b'[{"prompt": "a", "prompt": "b"}]'),
        ("a.json", b"[" * 100_000),
        ("a.csv", b""),
        ("a.csv", b'prompt,reply\n"a,b\n'),
        ("a.csv", b"prompt,reply\na,b,c\n"),
        ("a.csv", b"note,memo\na,b\n"),
        ("a.csv", b"prompt,reply\na,#NAME?\n"),
        ("a.csv", b"prompt,history,reply\na,b,c\n"),
        ("a.csv", b"\xff\xfea\x00,\xd8"),
        ("a.pdf", b"a"),
        ("a.gz", b"a"),
        ("a.xlsx", b"a"),
    ],
)
def test_what_can_not_be_read_is_told_in_korean_too(tmp_path, name, raw) -> None:
    with pytest.raises(BadFile) as refused:
        read_rows(write(tmp_path, name, raw))
    assert is_korean(refused.value.korean), str(refused.value) + refused.value.korean


def test_what_is_left_out_is_counted_with_reason_and_line(tmp_path) -> None:
    raw = lines(
        {"messages": TOOL},
        {"messages": [*TURNS[1:3], {"role": "user", "content": "끝?"}]},
        {"messages": [TURNS[2], *TURNS[1:3]]},
    )
    found = {
        out.reason: (out.count, out.lines)
        for out in read_rows(write(tmp_path, "a.jsonl", raw)).left_out
    }
    assert found == {"tool_turn": (1, (1,)), "no_answer": (1, (2,)), "unasked_turn": (1, (3,))}


def test_rows_of_an_unknown_split_among_known_ones_are_left_out_by_name(tmp_path) -> None:
    text = "split,prompt,reply\ntrain,가,나\nfold1,다,라\nfold1,마,바\n"
    rows = read_rows(write(tmp_path, "a.csv", text.encode()))
    assert rows.counts() == {"train": 1}
    (out,) = rows.left_out
    assert (out.reason, out.count, out.lines, out.detail) == ("unknown_split", 2, (3, 4), "fold1")


def test_a_subject_column_is_no_split(tmp_path) -> None:
    rows = read_rows(write(tmp_path, "a.csv", "구분,질문,답변\n문법,가,나\n".encode()))
    assert rows.counts() == {"train": 1}
    assert rows.sources[0].unused == ("구분",)


def test_some_broken_rows_are_counted_with_their_lines(tmp_path) -> None:
    sound = "".join(f"질문이 {n}번이야?,대답은 {n}번이야 그렇고말고\n" for n in range(30))
    text = "prompt,reply\n" + sound + "안녕,".encode().decode("latin-1") + "응\n"
    rows = read_rows(write(tmp_path, "a.csv", text.encode()))
    assert rows.sources[0].mojibake == (32,)
    assert len(rows.rows) == 31


def test_splits_in_a_folder_go_by_the_first_word_of_their_names(tmp_path) -> None:
    for name in ("Train-00000-of-00002.csv", "train-00001-of-00002.csv", "dev.csv", "notes.csv"):
        write(tmp_path, name, f"prompt,reply\n{name},네\n".encode())
    rows = read_data(tmp_path)
    assert rows.counts() == {"train": 2, "valid": 1}
    assert rows.ignored == ("notes.csv",)


def test_one_split_in_two_forms_is_refused(tmp_path) -> None:
    write(tmp_path, "train.csv", PLAIN.encode())
    write(tmp_path, "train.jsonl", lines({"prompt": "가", "reply": "나"}))
    with pytest.raises(BadFile, match=r"train rows in two forms.*keep one"):
        read_data(tmp_path)


@pytest.mark.parametrize(
    ("name", "split"),
    [
        ("Train", "train"), ("TRAINING", "train"), ("train_sft", "train"), ("학습용", "train"),
        ("validation", "valid"), ("Dev", "valid"), ("development", "valid"), ("eval", "valid"),
        (" test ", "test"), ("테스트", "test"), ("trainee", None), ("fold1", None), ("", None),
    ],
)  # fmt: skip
def test_names_of_splits_are_known_in_any_case(name: str, split: str | None) -> None:
    assert split_of(name) == split
