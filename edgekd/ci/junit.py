"""JUnit XML, which CI servers show test by test: a suite per comparison, a case per figure or limit."""

from __future__ import annotations

import xml.etree.ElementTree as ET
from collections.abc import Sequence

from edgekd.ci.cases import JobCase
from edgekd.ci.line import comparison_line, one_line, print_names, what_to_do
from edgekd.measure.compare import Change, Comparison


def render_junit(
    comparisons: Sequence[Comparison], cases: Sequence[JobCase] = (), *, allow_noisy: bool = False
) -> bytes:
    """Render comparisons, and a suite for each subject of other cases, as JUnit XML, UTF-8.

    `slower` is a failure. Too noisy at p50 is a failure of type "too-noisy", or skipped where the caller
    allows it; at p95 alone it is skipped, because a comparison ends once p50 is clear.
    """
    suites = [_suite(comparison, allow_noisy) for comparison in comparisons]
    subjects = dict.fromkeys(case.subject for case in cases)
    suites += [_suite_beside(name, [case for case in cases if case.subject == name]) for name in subjects]
    root = ET.Element("testsuites", {"name": "edgekd", **_totals(suites)})
    root.extend(suites)
    ET.indent(root)
    text: str = ET.tostring(root, encoding="unicode")
    return f'<?xml version="1.0" encoding="utf-8"?>\n{text}\n'.encode()


def _suite(comparison: Comparison, allow_noisy: bool) -> ET.Element:
    cases = [
        _case(comparison, "p50", comparison.p50, allow_noisy),
        _case(comparison, "p95", comparison.p95, True),
    ]
    # The comparison measured both figures at once; its time stands at the first.
    for case, seconds in zip(cases, (comparison.seconds, 0.0), strict=True):
        case.set("time", f"{seconds:.3f}")
    suite = _make_suite(print_names(comparison), cases, comparison.seconds)
    said = (comparison_line(comparison), *(one_line(flag) for flag in comparison.result.flags))
    ET.SubElement(suite, "system-out").text = "\n".join(said)
    return suite


def _suite_beside(subject: str, cases: Sequence[JobCase]) -> ET.Element:
    elements = []
    for case in cases:
        element = ET.Element(
            "testcase", {"classname": one_line(subject), "name": one_line(case.name), "time": "0.000"}
        )
        line = one_line(case.line)
        if case.outcome == "failed":
            ET.SubElement(element, "failure", {"type": "limit", "message": line})
        elif case.outcome == "error":
            ET.SubElement(element, "error", {"type": "not-measured", "message": line})
        elif case.outcome == "skipped":
            ET.SubElement(element, "skipped", {"message": line})
        elements.append(element)
    suite = _make_suite(one_line(subject), elements, 0.0)
    ET.SubElement(suite, "system-out").text = "\n".join(one_line(case.line) for case in cases)
    return suite


def _make_suite(name: str, cases: Sequence[ET.Element], seconds: float) -> ET.Element:
    kinds = {"failures": "failure", "errors": "error", "skipped": "skipped"}
    counts = {key: str(sum(case.find(tag) is not None for case in cases)) for key, tag in kinds.items()}
    suite = ET.Element(
        "testsuite", {"name": name, "tests": str(len(cases)), **counts, "time": f"{seconds:.3f}"}
    )
    suite.extend(cases)
    return suite


def _case(comparison: Comparison, figure: str, change: Change, allow_noisy: bool) -> ET.Element:
    case = ET.Element("testcase", {"classname": print_names(comparison), "name": figure})
    line = comparison_line(comparison)
    if change.verdict == "slower":
        ET.SubElement(case, "failure", {"type": "slower", "message": line})
    elif change.verdict == "too noisy":
        message = f"{figure} is too noisy to say: {what_to_do(comparison)} ({line})"
        if allow_noisy:
            ET.SubElement(case, "skipped", {"message": message})
        else:
            ET.SubElement(case, "failure", {"type": "too-noisy", "message": message})
    return case


def _totals(suites: Sequence[ET.Element]) -> dict[str, str]:
    counts = {
        key: str(sum(int(suite.attrib[key]) for suite in suites))
        for key in ("tests", "failures", "errors", "skipped")
    }
    return {**counts, "time": f"{sum(float(suite.attrib['time']) for suite in suites):.3f}"}
