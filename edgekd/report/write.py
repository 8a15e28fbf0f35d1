"""Put a run's two reports into its folder."""

from __future__ import annotations

from pathlib import Path

from edgekd.report.html import render_html
from edgekd.report.markdown import render_markdown
from edgekd.report.view import RunReport
from edgekd.store import write_atomic


def write_report(report: RunReport, folder: Path) -> tuple[Path, Path]:
    """Write `report.html` and `report.md`; a reader sees the old or the new, never a part.

    Raises:
        MissingExtraError: if jinja2 or plotly is not installed.
    """
    html, markdown = folder / "report.html", folder / "report.md"
    page = render_html(report)
    write_atomic(markdown, render_markdown(report))
    write_atomic(html, page)
    return html, markdown
