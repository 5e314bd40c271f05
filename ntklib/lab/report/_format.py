"""Numbers as text of the page."""

from __future__ import annotations

from math import floor, log10

from markupsafe import Markup

_DASH = Markup("&ndash;")


def rounded(count: int) -> str:
    """Write a number to two digits.

    Examples
    --------
    >>> rounded(12_345)
    '12,000'
    """
    digits = max(0, len(str(count)) - 2)
    return f"{round(count, -digits):,}"


def large(count: int | None) -> str:
    """Write a width to two digits, beyond a billion as a power of ten, and None as a dash.

    Examples
    --------
    >>> str(large(12_345)), str(large(3_400_000_000_000)), str(large(None))
    ('12,000', '3 &times; 10<sup>12</sup>', '&ndash;')
    """
    if count is None:
        return _DASH
    if count < 1e9:
        return rounded(count)
    power = floor(log10(count))
    digit = round(count / 10**power)
    return Markup(f"{digit} &times; 10<sup>{power}</sup>" if digit < 10 else f"10<sup>{power + 1}</sup>")


def plain_number(value: float) -> str:
    """Write three digits without an exponent where that is short.

    Examples
    --------
    >>> plain_number(1641.58), plain_number(0.123456), plain_number(2.5e7)
    ('1,642', '0.123', '2.5e+07')
    """
    return f"{value:,.0f}" if 1000 <= value < 1e7 else f"{value:.3g}"
