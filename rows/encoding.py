"""Decodes a file's bytes: encodings of Korean files, NFC, no NUL, no mojibake."""

from __future__ import annotations

import codecs
import gzip
import io
import re
import unicodedata
import zipfile
import zlib
from pathlib import Path

from model_registry.errors import BadFile

MAX_BYTES = 2_000_000_000  # unpacked; a larger file of rows is no file to choose a model with
#: A text is mojibake if undoing a wrong decoding brings out this many Hangul syllables for each
#: character that is not ASCII. Sound Korean gives less than 0.02.
RECOVERED = 0.2
LOST = 0.2  # or if this share of the characters that are not ASCII are U+FFFD

_SYLLABLES = re.compile("[\uac00-\ud7a3]+")
_SURROGATES = re.compile("[\ud800-\udfff]")
_INNER_BOM = re.compile("(?:^|(?<=[\r\n]))\ufeff+")  # of files that were put one after another
_BOMS = (
    (codecs.BOM_UTF8, "utf-8-sig"),
    (codecs.BOM_UTF32_LE, "utf-32"),  # before UTF-16, whose mark it begins with
    (codecs.BOM_UTF32_BE, "utf-32"),
    (codecs.BOM_UTF16_LE, "utf-16"),
    (codecs.BOM_UTF16_BE, "utf-16"),
)
#: (how it was read, how it was written): reading Korean the wrong way gives ì•ˆë…• or ¾È³ç.
_WRONG_DECODINGS = (
    ("latin-1", "utf-8"),
    ("cp1252", "utf-8"),
    ("cp949", "utf-8"),
    ("latin-1", "cp949"),
    ("cp1252", "cp949"),
)


def nfc(text: str) -> str:
    """The text in NFC: 한 typed on a Mac (ᄒ+ᅡ+ᆫ) and on Windows are the same."""
    return text if unicodedata.is_normalized("NFC", text) else unicodedata.normalize("NFC", text)


def read_bytes(path: Path) -> tuple[bytes, str]:
    """A file's bytes, decompressed from .gz or .zip, and the ending of the inner file.

    Raises:
        BadFile: it can't be read or unpacked, or a .zip holds several files.
    """
    try:
        raw = path.read_bytes()
    except OSError as error:
        raise BadFile.unreadable(path, error) from error
    suffix = path.suffix.lower()
    try:
        if suffix == ".gz":
            with gzip.open(io.BytesIO(raw)) as packed:
                return _bounded(path, packed.read(MAX_BYTES + 1)), Path(path.stem).suffix.lower()
        if suffix == ".zip":
            return _unzipped(path, raw)
    except (OSError, EOFError, zlib.error, zipfile.BadZipFile, RuntimeError) as error:
        raise BadFile(
            path,
            None,
            f"can't be unpacked ({error})",
            "압축을 풀 수 없습니다. 손상되었거나 암호가 걸린 파일입니다",
        ) from error
    return raw, suffix


def _unzipped(path: Path, raw: bytes) -> tuple[bytes, str]:
    with zipfile.ZipFile(io.BytesIO(raw)) as packed:
        names = [
            name
            for name in packed.namelist()
            if not name.endswith("/") and not Path(name).name.startswith((".", "__"))
            and not name.startswith("__MACOSX")
        ]  # fmt: skip
        if len(names) != 1:
            raise BadFile(
                path,
                None,
                f"holds {len(names)} files: unpack it and name the folder",
                f"파일이 {len(names)}개 들어 있습니다. 압축을 풀고 폴더를 지정하세요",
            )
        with packed.open(names[0]) as file:
            return _bounded(path, file.read(MAX_BYTES + 1)), Path(names[0]).suffix.lower()


def _bounded(path: Path, raw: bytes) -> bytes:
    if len(raw) > MAX_BYTES:
        raise BadFile(
            path,
            None,
            f"is larger than {MAX_BYTES:,} bytes when unpacked",
            f"풀었을 때 {MAX_BYTES:,}바이트보다 큽니다",
        )
    return raw


def decode(path: Path, raw: bytes | None = None) -> tuple[str, str]:
    """The text of a file and its encoding: UTF-8, UTF-16 or UTF-32 with BOM, or cp949.

    Raises:
        BadFile: it can't be read, is in none of them, or holds NUL characters.
    """
    raw = read_bytes(path)[0] if raw is None else raw
    encoding = next((name for mark, name in _BOMS if raw.startswith(mark)), None)
    if encoding is None:
        text, encoding = _without_mark(path, raw)
    else:
        try:
            text = raw.decode(encoding)
        except UnicodeDecodeError as error:
            line = raw[: error.start].decode(encoding, errors="replace").count("\n") + 1
            raise BadFile(
                path,
                line,
                f"is not {encoding} from here on",
                f"여기서부터 {encoding} 인코딩이 아닙니다. UTF-8로 다시 저장하세요",
            ) from error
    refuse_nul(path, text)
    return _INNER_BOM.sub("", text), encoding


def _without_mark(path: Path, raw: bytes) -> tuple[str, str]:
    if raw.count(b"\0") * 5 > len(raw):
        raise BadFile(
            path,
            1,
            "half of its bytes are NUL: is it UTF-16? Save it as UTF-8",
            "바이트의 절반이 NUL입니다. UTF-16인가요? UTF-8로 저장하세요",
        )
    try:
        return raw.decode("utf-8"), "utf-8"
    except UnicodeDecodeError as error:
        line = raw[: error.start].count(b"\n") + 1
        korean_so_far = _SYLLABLES.search(raw[: error.start].decode("utf-8"))
    if korean_so_far:
        raise BadFile(
            path,
            line,
            "is not UTF-8, which the lines before are: save it as UTF-8",
            "앞줄은 UTF-8인데 이 줄은 아닙니다. UTF-8로 저장하세요",
        )
    try:
        return raw.decode("cp949"), "cp949"
    except UnicodeDecodeError:
        raise BadFile(
            path,
            line,
            "its text is neither UTF-8 nor cp949; save it as UTF-8 (Excel: CSV UTF-8)",
            "UTF-8도 cp949도 아닙니다. UTF-8로 저장하세요(Excel: CSV UTF-8)",
        ) from None


def refuse_nul(path: Path, text: str, line: int = 1) -> None:
    """Refuse what no text holds; `line` is where the text begins.

    Raises:
        BadFile: the text holds U+0000, or half of a surrogate pair.
    """
    place = text.find("\0")
    if place >= 0:
        line += text.count("\n", 0, place)
        raise BadFile(
            path,
            line,
            "holds a NUL character (U+0000): take it out",
            "NUL 문자(U+0000)가 있습니다. 지우세요",
        )
    half = _SURROGATES.search(text)
    if half:
        line += text.count("\n", 0, half.start())
        raise BadFile(
            path,
            line,
            f"holds half of a character (\\u{ord(half.group()):04x})",
            f"반쪽짜리 문자(\\u{ord(half.group()):04x})가 있습니다",
        )


_ERRORS_OF_EXCEL = frozenset(("#NAME?", "#REF!", "#VALUE!", "#DIV/0!", "#NUM!", "#NULL!"))


def refuse_error_of_excel(path: Path, text: str, line: int | None) -> None:
    """Refuse what a spreadsheet makes of a text that begins with = or -.

    Raises:
        BadFile: the whole text is such an error.
    """
    if text.strip() in _ERRORS_OF_EXCEL:
        left = text.strip()
        raise BadFile(
            path,
            line,
            f"a spreadsheet left its error {left} here: a text that begins with = or - needs a "
            "quote before it",
            f"스프레드시트의 오류 값 {left}이(가) 들어 있습니다. =나 -로 시작하는 글 앞에는 "
            "작은따옴표를 붙이세요",
        )


def broken_korean(text: str) -> str | None:
    """How a text was broken, where it was decoded wrongly once and saved like that; else None."""
    strange = "".join(character for character in text if character > "\x7f")
    if not strange:
        return None
    if strange.count("\ufffd") > LOST * len(strange):
        return "its characters are lost (U+FFFD)"
    for wrong, right in _WRONG_DECODINGS:
        found = strange.encode(wrong, errors="ignore").decode(right, errors="ignore")
        if sum(map(len, _SYLLABLES.findall(found))) > RECOVERED * len(strange):
            return f"it is {right} text read as {wrong}"
    return None


def refuse_mojibake(path: Path, text: str) -> None:
    """Refuse a file whose Korean was decoded wrongly throughout.

    Raises:
        BadFile: with how it came about.
    """
    how = broken_korean(text)
    if how is not None:
        strange = "".join(character for character in text if character > "\x7f")
        raise BadFile(
            path,
            None,
            f"the Korean in it is broken ({strange[:12]}…): {how}. "
            "Save it again from its source as UTF-8 (Excel: CSV UTF-8)",
            f"한글이 깨져 있습니다({strange[:12]}…). 원본에서 UTF-8로 다시 저장하세요(Excel: CSV "
            "UTF-8)",
        )
