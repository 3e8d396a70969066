"""How pictures look: colours that colour-blind people can tell apart, bytes that never change.

Categories take the colours of Okabe and Ito (2008), Color Universal Design; ordered values take
steps of one hue from pale to dark (on a dark page from dark to pale), so that they stay in order
in grey too.
"""

from __future__ import annotations

CATEGORIES = 6
STEPS = 6

LIGHT = (
    "--page:#ffffff;--panel:#f6f7f9;--ink:#1c1f24;--soft:#565d68;--grid:#e3e6ea;--line:#8a919c;"
    "--c0:#0072b2;--c1:#d55e00;--c2:#009e73;--c3:#b8569a;--c4:#a87400;--c5:#3b8fc2;"
    "--q0:#c5cfdb;--q1:#9fb6cf;--q2:#7399c0;--q3:#447bae;--q4:#1f5c94;--q5:#0b3c6e;"
    "--best:#d55e00;--cell:#0072b2;--on:#ffffff;"
)
DARK = (
    "--page:#14171c;--panel:#1d2127;--ink:#e6e9ee;--soft:#a5adb9;--grid:#2c323a;--line:#7c8592;"
    "--c0:#56b4e9;--c1:#f0823a;--c2:#2fbf95;--c3:#d98abd;--c4:#e6ab2e;--c5:#9ad0f0;"
    "--q0:#3a4655;--q1:#3f5f80;--q2:#4a7dab;--q3:#66a0d2;--q4:#93c3ea;--q5:#cde6fa;"
    "--best:#f0823a;--cell:#56b4e9;--on:#0c1116;"
)
CHART_CSS = (
    "svg text{font-family:system-ui,'Segoe UI',Helvetica,Arial,sans-serif;font-size:11px;"
    "fill:var(--soft)}svg .ti{font-size:13px;font-weight:600;fill:var(--ink)}"
    "svg .lb{fill:var(--ink)}svg .mid{text-anchor:middle}svg .end{text-anchor:end}"
    "svg .on{fill:var(--on)}svg .gr{stroke:var(--grid);fill:none}"
    "svg .ax{stroke:var(--line);fill:none}"
    "svg .cut{stroke:var(--line);fill:none;stroke-dasharray:3 3}"
    "svg .ln{fill:none;stroke-width:1.4;stroke-linejoin:round}svg .thin{stroke-width:1}"
    "svg .dash{stroke-dasharray:5 3}svg .bold,svg .key{stroke-width:2.4}"
    "svg .pt{fill-opacity:.75}svg .area{fill-opacity:.18}svg .cell{fill:var(--cell)}"
    + "".join(
        f"svg .{n}{{stroke:var(--{n})}}svg .pt.{n},svg .area.{n},svg .bar.{n}"
        f"{{fill:var(--{n});stroke:none}}"
        for n in [f"c{i}" for i in range(CATEGORIES)] + [f"q{i}" for i in range(STEPS)] + ["best"]
    )
)


def step_style(index: int, count: int) -> str:
    """The class of the `index`-th of `count` ordered values."""
    return f"q{STEPS - 1 - round((count - 1 - index) * (STEPS - 1) / max(count - 1, 1))}"
