import json

import build_sample
import pytest
import sample_students as samples

from edgekd.errors import DataError
from edgekd.measure.plan import MeasurePlan
from edgekd.progress import silent
from edgekd.report.bench import candidates_document, candidates_lines
from edgekd.serving.request import join_request, split_request
from edgekd.single.bench import Texts, read_texts, token_buckets
from edgekd.single.requests import bench_by_candidates, fit_texts, make_requests


@pytest.fixture(scope="module")
def artifact(graphs, tmp_path_factory):
    folder = tmp_path_factory.mktemp("rank") / "artifact"
    return build_sample.compile_sample(graphs["ranking-static"], "numpy", "int8-tables", folder)


def test_requests_have_as_many_candidates_as_asked_their_own_first():
    given = [join_request("a", ["1", "2", "3"]), join_request("b", ["4"]), "c"]
    for count in (1, 2, 5, 20):
        made = make_requests(given, count)
        assert [split_request(one)[0] for one in made] == ["a", "b", "c"]
        assert {len(split_request(one)[1]) for one in made} == {count}
    assert split_request(make_requests(given, 5)[0])[1] == ["1", "2", "3", "4", "c"]
    assert split_request(make_requests(given, 5)[1])[1] == ["4", "c", "1", "2", "3"]


def test_texts_become_requests_where_candidates_are_taken(artifact, graphs, tmp_path):
    texts = Texts(("a", "b"), "here")
    fitted = fit_texts(artifact, texts)
    assert [len(split_request(one)[1]) for one in fitted.texts] == [50, 50]
    assert "50 candidates" in fitted.source
    assert fit_texts(artifact, fitted) == fitted
    other = build_sample.compile_sample(graphs["small"], "numpy", "int8-tables", tmp_path / "other")
    assert fit_texts(other, texts) == texts
    assert token_buckets(artifact, fitted).unit == "tokens"


def test_rows_with_candidates_are_read_as_requests(tmp_path):
    path = tmp_path / "rows.jsonl"
    rows = [{"query": "a", "candidates": ["b", "c"]}, {"query": "d", "candidates": []}]
    path.write_text("".join(json.dumps(row) + "\n" for row in rows))
    assert read_texts(path).texts == (join_request("a", ["b", "c"]),)
    path.write_text('{"name": "a", "candidates": ["b"]}\n')
    with pytest.raises(DataError, match="expected a column 'query' beside 'candidates'"):
        read_texts(path)
    path.write_text('{"query": "a", "candidates": [3]}\n')
    with pytest.raises(DataError, match="candidates: expected a list of texts"):
        read_texts(path)


@pytest.mark.long
def test_an_artifact_is_measured_by_the_number_of_candidates(artifact, tmp_path):
    texts = Texts(tuple(samples.make_texts(20)), "here")
    plan = MeasurePlan(rounds=2, seconds=0.05, warmup_seconds=0.01)
    found = bench_by_candidates(artifact, texts, tmp_path, plan, silent, counts=(1, 10))
    assert [count for count, _ in found.results] == [1, 10]
    one, ten = candidates_document(found.results, found.subject)
    assert one["candidates_per_second"] < ten["candidates_per_second"]
    assert one["p50_ms"]["estimate"] < ten["p50_ms"]["estimate"] and ten["peak_rss_bytes"] > 1 << 20
    first, second = candidates_lines(found.results, found.subject)
    assert first.startswith("  1 candidates: p50") and "candidates per second" in second
