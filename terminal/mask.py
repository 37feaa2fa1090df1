"""Masking of personal values for anybody but the holder (regulation, Article 25)."""

from __future__ import annotations


def mask(value: str) -> str:
    """`value` with its middle hidden: 张三 -> 张*, 990100199001011234 -> 99**************34."""
    if len(value) <= 4:
        return value[:1] + "*" * (len(value) - 1)
    return value[:2] + "*" * (len(value) - 4) + value[-2:]
