"""Subjects of answers: what the conversation is about, with one `Re: ` (RFC 5322 §3.6.5)."""

from __future__ import annotations

import re
from typing import Final

LONGEST: Final = 250  # characters
FIRST_LINE: Final = 78

# What mailers put before a subject when they answer or forward, by language.
_PREFIXES: Final = """
re fw fwd aw antw antwort wg sv vs vb odp pd ynt ilt rif res enc rv tr tre doorst vl ref r atb bls
回复 回覆 答复 答覆 转发 轉寄 返信 転送 답장 전달 ตอบ ตอบกลับ ส่งต่อ ឆ្លើយតប ឆ្លើយ បញ្ជូនបន្ត តប رد إعادة השב תשובה הועבר σχετ απ πρθ отв ответ пересл
"""
PREFIX: Final = re.compile(
    rf"\s*+(?:{'|'.join(sorted(map(re.escape, _PREFIXES.split()), key=len, reverse=True))})\s*+(?:[\[(]\d{{1,3}}[\])]|\^\d{{1,3}})?+\s*+[:：៖]",
    re.IGNORECASE,
)


def base(subject: str) -> str:
    """The subject without what answering and forwarding put before it."""
    at = 0
    while found := PREFIX.match(subject, at):
        at = found.end()
    return subject[at:].strip()


def answering(subject: str) -> str:
    return f"Re: {base(subject)[:LONGEST]}".rstrip()


def first_line(text: str) -> str:
    """What stands for a subject where none was given: the first line that says something."""
    line = next((line.strip() for line in text.splitlines() if line.strip()), "")
    return line if len(line) <= FIRST_LINE else f"{line[: FIRST_LINE - 1].rstrip()}…"
