"""More subjects than may be in memory together: measured in groups, compared through what they share."""

import json
from pathlib import Path

import pytest

from edgekd.measure.bench_file import load_bench
from edgekd.measure.groups import measure_groups
from edgekd.measure.plan import MeasurePlan
from edgekd.measure.session import MAX_SUBJECTS
from edgekd.measure.subject import Subject
from edgekd.stats.interval import Interval, divide

PLAN = MeasurePlan(rounds=2, seconds=0.05, warmup_seconds=0.0)
TEXTS = ["some text", "another one"]


@pytest.fixture(scope="module")
def grouped(tmp_path_factory):
    """Five callables that two groups of four hold, each with the same reference."""
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr("edgekd.measure.groups.MAX_SUBJECTS", 4)
        patch.setenv("PYTHONPATH", str(Path(__file__).parent))
        reference = Subject("reference", "subjects:busy", ("39",))
        others = [Subject(f"other-{n}", "subjects:busy", (str(40 + n + 40 * (n == 4)),)) for n in range(5)]
        said = []
        folder = tmp_path_factory.mktemp("grouped")
        result = measure_groups(
            [reference], others, TEXTS, folder, PLAN, lambda share, words: said.append((share, words))
        )
        return result, said


def test_every_subject_is_in_one_group_and_the_reference_in_each(grouped):
    result, said = grouped
    groups = {subject.name: subject.group for subject in result.subjects}
    assert groups == {
        "reference": 0, "other-0": 0, "other-1": 0, "other-2": 0,
        "reference (group 2)": 1, "other-3": 1, "other-4": 1,
    }  # fmt: skip
    shares = [share for share, _ in said]
    assert shares == sorted(shares) and shares[-1] == 1 and said[-1][1].startswith("group 2 of 2")


def test_figures_are_read_from_the_folder_as_of_one_measurement(grouped):
    result, _ = grouped
    read = load_bench(result.folder)
    assert read == result and not list(result.folder.glob("*/bench.json"))
    assert all(read.percentile(subject.name, 0.95) is not None for subject in read.subjects)
    assert read.cold_start_ratio("other-0", "other-4") is not None
    assert len(read.conditions) == 2 * PLAN.rounds


def test_subjects_of_two_groups_are_compared_through_the_reference(grouped):
    result, _ = grouped
    ours, theirs = result.ratio("other-4", "reference (group 2)"), result.ratio("other-0", "reference")
    assert result.ratio("other-4", "other-0") == divide(ours, theirs)
    assert 1.5 < result.ratio("other-4", "other-0").estimate < 2.7
    # What was measured in both groups is compared within one.
    assert result.ratio("other-4", "reference") == ours
    assert result.ratio("reference", "other-4") == result.ratio("reference (group 2)", "other-4")


def test_few_subjects_are_one_group(tmp_path):
    subjects = [Subject(name, "operator:methodcaller", (name,)) for name in ("upper", "lower")]
    result = measure_groups(subjects[:1], subjects[1:], TEXTS, tmp_path, PLAN, lambda share, words: None)
    assert {subject.group for subject in result.subjects} == {0} and (tmp_path / "latency").is_dir()
    assert MAX_SUBJECTS == 24


def test_a_measurement_of_before_there_were_groups_is_read(grouped, tmp_path):
    document = json.loads((grouped[0].folder / "bench.json").read_text())
    for subject in document["subjects"]:
        del subject["group"]
    (tmp_path / "bench.json").write_text(json.dumps(document))
    assert {subject.group for subject in load_bench(tmp_path).subjects} == {0}


def test_a_ratio_of_ratios_is_as_wide_as_both_together():
    one, other = Interval(1.2, 1.1, 1.3, 0.95), Interval(0.8, 0.75, 0.86, 0.95)
    found = divide(one, other)
    assert found.estimate == pytest.approx(1.5)
    assert found.low < 1.5 / (1.2 / 1.1) and found.high > 1.5 * 1.3 / 1.2
    assert found.low > 1.1 / 0.86 and found.high < 1.3 / 0.75
