"""The report as one HTML file that asks the network for nothing."""

from __future__ import annotations

import base64
import hashlib
import json
from importlib.resources import files
from typing import TYPE_CHECKING

from edgekd.errors import MissingExtraError
from edgekd.report import printing
from edgekd.report.beside import figure_columns, print_figure
from edgekd.report.classes import MOST_CLASSES, REFUSED, confusion_matrix, worst_classes
from edgekd.report.curves import curve_figures
from edgekd.report.figure import Figure
from edgekd.report.floors import grouped, lowest_floor, print_bound, print_limits, print_metric
from edgekd.report.front import front_figure
from edgekd.report.reliability import reliability_figure
from edgekd.report.scale import print_dollars, print_errors, print_rate_per_day
from edgekd.report.sizing import print_guess, sizing_figures, state_of
from edgekd.report.teacher import print_threads
from edgekd.report.view import RunReport

if TYPE_CHECKING:
    from jinja2 import Environment

_FILTERS = {
    "ms": printing.print_ms,
    "bytes": printing.print_bytes,
    "usd": printing.print_usd,
    "percent": printing.print_percent,
    "points": printing.print_points,
    "ratio": printing.print_ratio,
    "count": printing.print_count,
    "range_ms": printing.range_ms,
    "range_percent": printing.range_percent,
    "range_points": printing.range_points,
    "range_ratio": printing.range_ratio,
    "threads": print_threads,
    "verdict": printing.verdict,
    "headline": printing.headline,
    "grouped": grouped,
    "capital": printing.capital,
    "metric": print_metric,
    "limits": print_limits,
    "bound": print_bound,
    "figure_columns": figure_columns,
    "figure": print_figure,
    "errors": print_errors,
    "rate_per_day": print_rate_per_day,
    "dollars": print_dollars,
    "worst_classes": worst_classes,
    "guess": print_guess,
    "sized": state_of,
    "matrix": lambda row: confusion_matrix(row.classes, row.confusions),
}


def render_html(report: RunReport) -> str:
    """Render the whole report.

    About 5 MB, nearly all of it plotly.js, which is inlined once. The page's content policy
    forbids every request and every script but the two inlined ones, which it knows by digest.

    Raises:
        MissingExtraError: if jinja2 or plotly is not installed.
    """
    environment = _environment()
    plotly, drawing = _script(_plotly_js()), _script(_template_text("report.js"))
    fronts = {
        index: figure
        for index, target in enumerate(report.targets)
        if (figure := front_figure(f"front-{index}", target, report.teacher.at(target.threads)))
    }
    sure = {
        index: figure
        for index, target in enumerate(report.targets)
        if (row := target.shown) and (figure := reliability_figure(f"sure-{index}", row))
    }
    sizings = [(front, sizing_figures(number, front)) for number, front in enumerate(report.sizings)]
    sized = [figure for _, figures in sizings for figure in figures]
    floors = [lowest_floor(target) for target in report.targets]
    curves = curve_figures(report.curves, report.teacher.metric)
    policy = (
        f"default-src 'none'; script-src {_digest(plotly)} {_digest(drawing)}; "
        "style-src 'unsafe-inline'; img-src data: blob:"
    )
    from markupsafe import Markup

    return environment.get_template("report.html.j2").render(
        report=report,
        fronts=fronts,
        sure=sure,
        curves=curves,
        sizings=sizings,
        absent=printing.ABSENT,
        floors=floors,
        most_classes=MOST_CLASSES,
        refused=REFUSED,
        policy=policy,
        style=Markup(_template_text("report.css")),
        plotly=Markup(plotly),
        drawing=Markup(drawing),
        figures=Markup(_figure_json([*fronts.values(), *sure.values(), *sized, *curves])),
    )


def _environment() -> Environment:
    try:
        import jinja2
    except ImportError as error:
        raise MissingExtraError("jinja2", "report") from error
    environment = jinja2.Environment(
        loader=jinja2.FunctionLoader(_template_text),
        autoescape=True,
        undefined=jinja2.StrictUndefined,
        trim_blocks=True,
        lstrip_blocks=True,
    )
    environment.filters.update(_FILTERS)
    return environment


def _plotly_js() -> str:
    try:
        from plotly.offline import get_plotlyjs
    except ImportError as error:
        raise MissingExtraError("plotly", "report") from error
    return str(get_plotlyjs())


def _template_text(name: str) -> str:
    return (files("edgekd.report") / "templates" / name).read_text(encoding="utf-8")


def _script(code: str) -> str:
    """Keep code from ending its own element; line ends as the browser will hash them."""
    return code.replace("\r\n", "\n").replace("</script", "<\\/script")


def _digest(script: str) -> str:
    digest = base64.b64encode(hashlib.sha256(script.encode()).digest()).decode()
    return f"'sha256-{digest}'"


def _figure_json(figures: list[Figure]) -> str:
    """Write figures as JSON in which no character means anything to HTML."""
    drawn = [{"id": figure.id, "data": figure.data, "layout": figure.layout} for figure in figures]
    text = json.dumps(drawn, allow_nan=False, separators=(",", ":"))
    return text.replace("<", "\\u003c").replace(">", "\\u003e").replace("&", "\\u0026")
