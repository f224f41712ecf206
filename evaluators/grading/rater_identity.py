"""Identifies a rater: by an invitation link's token, a login, or as a guest of one visit."""

from __future__ import annotations

import hashlib
import secrets
from dataclasses import dataclass


def new_token() -> str:
    """A secret for an invitation link; whoever opens the link is that grader."""
    return secrets.token_urlsafe(16)


def grader_id(token: str, *, login: bool = False, guest: bool = False) -> str:
    """The id of a grader: a digest, so that the database holds no usable link.

    Links, logins and guests are kinds of their own: no link can be made that is a login.
    """
    kind = "login" if login else "guest" if guest else "link"
    return hashlib.sha256(f"{kind}\0{token}".encode(errors="replace")).hexdigest()[:24]


@dataclass(frozen=True, slots=True)
class Visitor:
    """A visitor, by the token of an invitation link or the name of a login."""

    token: str = ""
    login: str = ""

    @property
    def id(self) -> str:
        # The link first: several people may share one login, but not one link.
        if self.token:
            return grader_id(self.token)
        return grader_id(self.login, login=True) if self.login else ""


#: Somebody who has neither a link nor a login.
ANONYMOUS = Visitor()
