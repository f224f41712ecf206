"""Errors of the operating system (full disk, too many open files) in one line with a cure."""

from __future__ import annotations

import errno

from model_registry.language import text

_CURES = {
    errno.ENOSPC: (
        "the disk is full. Free some of it", "디스크가 가득 찼습니다. 공간을 비우세요"),
    errno.EDQUOT: (
        "the disk quota is used up. Free some of it",
        "디스크 할당량을 다 썼습니다. 공간을 비우세요",
    ),
    errno.EROFS: (
        "the file system is read-only. Choose another folder",
        "읽기 전용 파일 시스템입니다. 다른 폴더를 지정하세요",
    ),
    errno.EACCES: (
        "permission denied. Choose another folder or change its permissions",
        "권한이 없습니다. 다른 폴더를 지정하거나 권한을 바꾸세요",
    ),
    errno.EMFILE: (
        "too many open files. Raise the limit (`ulimit -n 1024`)",
        "열린 파일이 너무 많습니다. 한도를 높이세요(`ulimit -n 1024`)",
    ),
    errno.ENFILE: (
        "the machine has too many open files. Close something",
        "장비에 열린 파일이 너무 많습니다. 다른 프로그램을 닫으세요",
    ),
    errno.EAGAIN: (
        "the machine can't start another process. Close something",
        "프로세스를 더 시작할 수 없습니다. 다른 프로그램을 닫으세요",
    ),
    errno.EIO: (
        "the disk can't be read or written. See to it",
        "디스크를 읽거나 쓸 수 없습니다. 확인하세요",
    ),
    errno.ENAMETOOLONG: ("the name is too long. Shorten it", "이름이 너무 깁니다. 줄이세요"),
}  # fmt: skip


def error_words(error: OSError) -> str:
    """Which file, what is wrong, and what helps."""
    cure = _CURES.get(error.errno or 0)
    said = text(*cure) + "." if cure else error.strerror or str(error) or type(error).__name__
    return f"{error.filename}: {said}" if error.filename else said[:1].upper() + said[1:]
