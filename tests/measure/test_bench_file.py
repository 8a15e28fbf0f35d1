import json

import pytest

from edgekd.errors import BadInputError
from edgekd.measure.bench_file import load_bench, save_bench


@pytest.fixture
def saved(make_result):
    result = make_result({"a": [[100] * 20] * 2, "b": [[200] * 20] * 2}).with_flags(("noisy",))
    save_bench(result)
    return result


def test_what_is_saved_is_what_is_loaded(saved):
    assert load_bench(saved.folder) == saved
    assert load_bench(saved.folder).percentile("b", 0.5).estimate == 200


def test_the_file_holds_no_path_of_this_machine_and_no_sample(saved):
    text = (saved.folder / "bench.json").read_text()
    assert str(saved.folder) not in text
    assert not list(saved.folder.glob("*.tmp"))


@pytest.mark.parametrize(
    ("change", "message"),
    [
        (lambda d: d.update(format=2), "expected format 4, found 2"),
        (lambda d: d.pop("plan"), r"not a BenchResult as written by this version \(\['plan'\]\)"),
        (lambda d: d.update(extra=1), "extra"),
        (lambda d: d["plan"].update(rounds="six"), "plan: rounds: expected <class 'int'>, got 'six'"),
        (lambda d: d["plan"].update(seed=True), "plan: seed"),
        (lambda d: d["subjects"][0].update(processes=[1]), "subjects: processes: not a ProcessBench"),
        (lambda d: d.update(flags="none"), "flags: expected"),
    ],
)
def test_another_shape_is_refused(saved, change, message):
    document = json.loads((saved.folder / "bench.json").read_text())
    change(document)
    (saved.folder / "bench.json").write_text(json.dumps(document))
    with pytest.raises(BadInputError, match=message):
        load_bench(saved.folder)


@pytest.mark.parametrize("content", ["", "{", "[]", "3"])
def test_no_json_is_refused(tmp_path, content):
    (tmp_path / "bench.json").write_text(content)
    with pytest.raises(BadInputError, match=r"bench\.json"):
        load_bench(tmp_path)


def test_no_file_is_told(tmp_path):
    with pytest.raises(BadInputError, match=r"bench\.json: not found; measure first"):
        load_bench(tmp_path)
