"""Makes the C library give back what torch frees, so that a process holds what its tensors take.

glibc keeps freed pieces up to 32 MiB for the next request, and cannot give a piece out again for
an aligned one of its own size: a tune came to hold half as much again as its tensors, and not the
same from run to run. With a fixed threshold, larger pieces are mapped and unmapped each by itself.
"""

from __future__ import annotations

import ctypes

#: Bytes from which on a piece is mapped by itself. Short rows of small models stay below it and
#: cost no time; what lies above is worth its page faults.
MAPPED_FROM = 2**20
_MMAP_THRESHOLD = -3  # glibc's M_MMAP_THRESHOLD
_TRIM_THRESHOLD = -1  # glibc's M_TRIM_THRESHOLD


def give_back_what_is_freed() -> bool:
    """Fix glibc's threshold for this process; False where another C library is used."""
    try:
        mallopt = ctypes.CDLL("libc.so.6").mallopt
    except (OSError, AttributeError):
        return False
    fixed = [mallopt(option, MAPPED_FROM) for option in (_MMAP_THRESHOLD, _TRIM_THRESHOLD)]
    return fixed == [1, 1]
