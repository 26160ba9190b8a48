"""Numbers, times and sizes as a reader wants them."""

from __future__ import annotations

import datetime
import math

_SECONDS_A_YEAR = 365.2425 * 24 * 3600

MISSING = "–"  # noqa: RUF001  an en dash is what a table's empty cell shows


def number(value: float | None) -> str:
    """Formats a count or a measured value: whole numbers in full, others to five digits."""
    if value is None:
        return MISSING
    if math.isnan(value) or math.isinf(value):
        return str(value)
    if float(value).is_integer() or abs(value) >= 100_000:
        return f"{value:,.0f}"
    return f"{value:.5g}"


def metric(value: float | None) -> str:
    """Formats a metric: four decimals, and counts in full."""
    if value is None:
        return MISSING
    if math.isfinite(value) and abs(value) > 1 and float(value).is_integer():
        return f"{value:,.0f}"
    return f"{value:.4f}"


def signed(value: float | None) -> str:
    """Formats a difference with its sign, a true minus: four decimals, and counts in full."""
    if value is None or math.isnan(value):
        return MISSING
    shown = metric(abs(value))
    if shown == metric(0.0):
        return shown
    return ("\u2212" if value < 0 else "+") + shown


def interval(low: float | None, high: float | None) -> str:
    """Formats the ends of an interval; says so where there is none."""
    return "no interval" if low is None or high is None else f"{low:.4f} to {high:.4f}"


def size(count: float | None) -> str:
    """Formats bytes: kB and MB of 1,000."""
    if count is None:
        return MISSING
    if count >= 1_000_000:
        return f"{count / 1e6:.2f} MB"
    return f"{count / 1e3:.0f} kB" if count >= 1000 else f"{count:.0f} B"


def duration(value: float) -> str:
    """Formats a duration in seconds for a glance: `8.2 s`, `3 min 20 s`, `2 h 5 min`."""
    if value < 60:
        return f"{value:.1f} s"
    whole = round(value)
    if whole < 3600:
        return f"{whole // 60} min {whole % 60} s"
    return f"{whole // 3600} h {whole % 3600 // 60} min"


def share(part: float, whole: float) -> str:
    """Formats a part of a whole in percent."""
    return f"{100 * part / whole:.4g}%" if whole else MISSING


def seconds(value: float | None) -> str:
    """Formats a duration in seconds."""
    return MISSING if value is None else f"{value:,.1f}"


def moment(milliseconds: int) -> str:
    """Formats a time, milliseconds since 1970 UTC, to the second."""
    utc = datetime.datetime.fromtimestamp(milliseconds / 1000, datetime.timezone.utc)
    return utc.strftime("%Y-%m-%d %H:%M:%S UTC")


def minute(milliseconds: int) -> str:
    """Formats a time, milliseconds since 1970 UTC, to the minute, without the time zone."""
    return moment(milliseconds)[:16]


def day(unix_seconds: float) -> str:
    """Formats a time, seconds since 1970 UTC, to the day; the number itself if out of range."""
    try:
        utc = datetime.datetime.fromtimestamp(unix_seconds, datetime.timezone.utc)
    except (ValueError, OverflowError, OSError):
        return number(unix_seconds)
    return utc.strftime("%Y-%m-%d")


def year(unix_seconds: float) -> float:
    """Converts a time, seconds since 1970 UTC, to a fractional year."""
    return 1970 + unix_seconds / _SECONDS_A_YEAR
