"""The files and the line of real comparisons; what cannot be had on demand is put in by `replace`."""

import dataclasses
import itertools
import json
import math
import re
import xml.etree.ElementTree as ET

import pytest
from markdown_it import MarkdownIt

from edgekd.ci.line import comparison_line, judge, one_line, result_line
from edgekd.ci.write import write_ci_files
from edgekd.errors import BadInputError
from edgekd.measure.compare import Until, compare_subjects
from edgekd.measure.plan import MeasurePlan
from edgekd.measure.subject import Subject
from edgekd.stats.interval import Interval

NASTY = "a<b>|`c` & *d* [e](f) _g_ \"h\" 'i' \\ @j #1 $x$ \x1b[31m\nnext &lt; \ud800 漫画@0123abcd"
PLAIN = "plain@99ee00aa"


@pytest.fixture(scope="module")
def compared(tmp_path_factory):
    """A real comparison of a callable with itself, under a name that no format likes."""
    folder = tmp_path_factory.mktemp("compared")
    ours, theirs = (Subject(name, "operator:methodcaller", ("upper",)) for name in (NASTY, PLAIN))
    plan = MeasurePlan(rounds=2, seconds=0.02, warmup_seconds=0.0, block_ms=5.0)
    return compare_subjects(
        ours, theirs, ["some text", "another one"], folder, plan=plan, until=Until(deadline_seconds=4)
    )


def judged(comparison, p50, p95="no change", ratio=1.1012, **changes):
    """The same comparison with other verdicts."""
    interval = Interval(ratio, ratio - 0.007, ratio + 0.007, 0.995)
    return dataclasses.replace(
        comparison,
        p50=dataclasses.replace(comparison.p50, verdict=p50, ratio=interval),
        p95=dataclasses.replace(comparison.p95, verdict=p95, ratio=interval),
        **changes,
    )


def with_flags(comparison, *flags):
    return dataclasses.replace(comparison, result=comparison.result.with_flags(flags))


@pytest.fixture
def four(compared):
    return [
        judged(with_flags(compared), "faster", "too noisy", ratio=0.9),
        judged(with_flags(compared), "slower", "no change"),
        judged(
            with_flags(compared, "other processes <used> 30 %:\nstop | other work"), "too noisy", "too noisy"
        ),
        judged(with_flags(compared), "no change", "slower"),
    ]


def test_line_says_everything(compared):
    line = comparison_line(judged(compared, "slower", rounds=6, seconds=6.08, candidate="static@ab12cd34"))
    assert line == (
        "slower: p50 +10.1 % [+9.4 to +10.8], p95 +10.1 % [+9.4 to +10.8]; 6 rounds, 6.1 s: "
        "static@ab12cd34 against plain@99ee00aa"
    )


def test_line_has_no_negative_zero(compared):
    assert "p50 +0.0 % [-0.7 to +0.7]" in comparison_line(judged(compared, "no change", ratio=0.99999))


def test_line_of_too_few_rounds(compared):
    change = dataclasses.replace(compared.p50, verdict="too noisy", ratio=None)
    assert "p50 not known" in comparison_line(dataclasses.replace(compared, p50=change))


def test_lines_are_single_and_printable(compared):
    for line in (comparison_line(compared), result_line(compared.result, compared.candidate)):
        assert len(line.splitlines()) == 1
        line.encode("utf-8")
        assert "\x1b" not in line


def test_slower_at_p95_alone_is_said_and_is_no_pass(compared):
    comparison = judged(compared, "no change", "slower")
    assert comparison_line(comparison).startswith("slower at p95, no change at p50: ")
    assert judge(comparison) == "slower"


@pytest.mark.parametrize(
    ("p50", "p95", "outcome"),
    [
        ("faster", "too noisy", "passed"),
        ("no change", "no change", "passed"),
        ("too noisy", "no change", "too noisy"),
        ("too noisy", "slower", "slower"),
        ("faster", "slower", "slower"),
        ("slower", "faster", "slower"),
    ],
)
def test_outcome(compared, p50, p95, outcome):
    assert judge(judged(compared, p50, p95)) == outcome


def test_summary_is_one_table_that_escapes_names(four, tmp_path):
    write_ci_files(four, tmp_path)
    text = (tmp_path / "summary.md").read_text(encoding="utf-8")
    tokens = MarkdownIt("commonmark").enable("table").parse(text)
    assert [token.type for token in tokens].count("table_open") == 1
    cells = [after for token, after in itertools.pairwise(tokens) if token.type == "td_open"]
    assert len(cells) == 4 * 6
    inner = cells[0].children
    assert {child.type for child in inner} <= {"text", "text_special"}, "a name became markup"
    assert "".join(child.content for child in inner) == f"{one_line(NASTY)} against {PLAIN}"
    said = [cell.content for cell in cells[1::6]]
    assert said == ["✅ faster", "❌ slower", "⚠️ too noisy", "❌ slower at p95, no change at p50"]
    assert [cell.content for cell in cells[2::6]][1] == "+10.1 % [+9.4 to +10.8]"
    assert text.startswith("# Latency: 2 slower, 1 too noisy of 4\n")


def test_summary_lists_flags_with_advice(four, tmp_path):
    write_ci_files(four, tmp_path)
    text = (tmp_path / "summary.md").read_text(encoding="utf-8")
    html = MarkdownIt("commonmark").enable("table").render(text)
    assert "other processes &lt;used&gt; 30 %: stop | other work</li>" in html
    write_ci_files(four[:1], tmp_path)
    text = (tmp_path / "summary.md").read_text(encoding="utf-8")
    assert "doubtful" not in text
    assert text.startswith("# Latency: nothing is slower\n")


def check_shape(root):
    """The shape that CI servers share: testsuites, testsuite, testcase; counts that add up."""
    assert root.tag == "testsuites"
    for name in ("tests", "failures", "errors", "skipped"):
        assert int(root.attrib[name]) == sum(int(suite.attrib[name]) for suite in root)
    assert float(root.attrib["time"]) == pytest.approx(sum(float(s.attrib["time"]) for s in root), abs=2e-3)
    for suite in root:
        cases = suite.findall("testcase")
        assert suite.tag == "testsuite" and suite.attrib["name"]
        assert len(cases) == int(suite.attrib["tests"])
        for kind, tag in (("failures", "failure"), ("errors", "error"), ("skipped", "skipped")):
            assert len(suite.findall(f"testcase/{tag}")) == int(suite.attrib[kind])
        assert sum(float(case.attrib["time"]) for case in cases) == pytest.approx(float(suite.attrib["time"]))
        for case in cases:
            assert case.attrib["classname"] and case.attrib["name"]
            assert len(case) <= 1 and {child.tag for child in case} <= {"failure", "error", "skipped"}
            assert all(len(child.attrib["message"].splitlines()) == 1 for child in case)


def test_junit(four, tmp_path):
    write_ci_files(four, tmp_path)
    root = ET.parse(tmp_path / "junit.xml").getroot()
    check_shape(root)
    assert {key: root.attrib[key] for key in ("tests", "failures", "skipped")} == {
        "tests": "8",
        "failures": "3",
        "skipped": "2",
    }
    kinds = [[(child.tag, child.get("type")) for child in case] for case in root.iter("testcase")]
    failed, noisy, skipped = [("failure", "slower")], [("failure", "too-noisy")], [("skipped", None)]
    assert kinds == [[], skipped, failed, [], noisy, skipped, [], failed]
    assert root[0].attrib["name"] == f"{one_line(NASTY)} against {PLAIN}"
    assert root.find(".//failure").attrib["message"].startswith("slower: p50 +10.1 % ")
    assert "30 %: stop | other work" in root.findall(".//failure")[1].attrib["message"].replace("\n", " ")


def test_junit_skips_noise_where_the_caller_allows_it(four, tmp_path):
    write_ci_files(four, tmp_path, allow_noisy=True)
    root = ET.parse(tmp_path / "junit.xml").getroot()
    check_shape(root)
    assert (root.attrib["failures"], root.attrib["skipped"]) == ("2", "3")


def test_benchmark_json(compared, four, tmp_path):
    write_ci_files(four[:1], tmp_path)
    entries = json.loads((tmp_path / "benchmark.json").read_text(encoding="utf-8"))
    assert [entry["unit"] for entry in entries] == ["ms", "ms", "MiB"]
    for entry in entries:
        assert set(entry) <= {"name", "unit", "value", "range", "extra"}
        assert isinstance(entry["value"], float) and math.isfinite(entry["value"]) and entry["value"] > 0
        assert "@0123abcd" not in entry["name"], "the line over commits would end with each build"
        assert entry["extra"] == comparison_line(four[0])
    p50 = compared.result.percentile(compared.candidate, 0.5)
    assert entries[0]["value"] == pytest.approx(p50.estimate / 1e6, abs=1e-6)
    low, high = map(float, re.fullmatch(r"(\S+) to (\S+)", entries[0]["range"]).groups())
    assert low <= entries[0]["value"] <= high


def test_benchmark_json_tells_equal_names_apart(four, tmp_path):
    write_ci_files(four[:2], tmp_path)
    names = [entry["name"] for entry in json.loads((tmp_path / "benchmark.json").read_text(encoding="utf-8"))]
    assert len(set(names)) == len(names) == 6


def test_nothing_compared_and_nowhere_to_write(four, tmp_path):
    with pytest.raises(BadInputError, match="no comparison to write about"):
        write_ci_files([], tmp_path)
    (tmp_path / "file").write_text("")
    with pytest.raises(BadInputError, match="cannot be written"):
        write_ci_files(four, tmp_path / "file")
