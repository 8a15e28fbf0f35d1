"""`edgekd size` without a project: what fits, and one line for what cannot be answered."""

import pytest

TARGET = """
name: tiny
hardware: {arch: x86_64, memory_mib: 512}
builds: [{runtime: numpy, recipe: int8-tables}]
limits: {p95_ms: 50, peak_rss_mib: 200}
"""
MODELS = """
kind: static
name: some
dimension: [64, 128]
hidden: [64, 256]
pairs: 4096
vocabulary: [4096, 8192]
"""


@pytest.fixture
def folder(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path / "cache"))
    for kind, name, text in (("targets", "tiny", TARGET), ("models", "some", MODELS)):
        (tmp_path / kind).mkdir()
        (tmp_path / kind / f"{name}.yaml").write_text(text)
    return tmp_path


@pytest.mark.parametrize(
    ("words", "code", "said"),
    [
        (["--target", "tiny", "--p95-ms", "60"], 2, "--p95-ms 60: contradicts target tiny"),
        (["--target", "tiny", "--p95-ms", "-1"], 2, "--p95-ms: expected a number above 0, got -1"),
        (["--target", "tny"], 2, "unknown target 'tny' (did you mean 'tiny'?)"),
        (["--target", "tiny", "--task", "chat"], 2, "unknown task 'chat'"),
        (["--p95-ms", "1"], 2, "--target"),
        (["--target", "gpu"], 3, "target gpu: cannot be measured here"),
    ],
)
def test_what_cannot_be_answered_is_one_line(speak, folder, words, code, said):
    found = speak("size", *words, "--json")
    (line,) = found.errors
    assert found.code == code and said in line
    assert not (folder / "cache").exists()


@pytest.mark.long
def test_from_nothing_to_what_fits(speak, folder):
    """The whole way: six shapes are made and measured once, and then answer whatever is asked."""
    refused = speak("size", "--target", "tiny", "--models", "cut-2l")
    assert refused.code == 2 and "no shape of the model files (cut-2l) can run there" in refused.errors[0]
    assert not list((folder / "cache").rglob("measured.json"))

    found = speak("size", "--target", "tiny", "--models", "some", "--json")
    assert found.code == 0 and len(list((folder / "cache").rglob("measured.json"))) == 6
    document = found.document
    assert document["limits"] == {"p95_ms": 50, "peak_rss_mib": 200} and document["shapes"] == 8
    names = [one["name"] for one in document["fits"]]
    assert len(names) == 8 and "some-64d-64u-4096v.numpy.int8-tables" in names
    for one in document["fits"]:
        for figure in ("p50_ms", "p95_ms", "cold_start_ms", "peak_rss_mib", "artifact_mib"):
            assert 0 < one[figure]["low"] <= one[figure]["value"] <= one[figure]["high"]
    sizes = {one["name"]: one["artifact_mib"]["value"] for one in document["fits"]}
    smallest = min(sizes.values())

    (folder / "texts.txt").write_text("where is my order\ni want to send it back\n")
    words = ["--target", "tiny", "--models", "some", "--texts", "texts.txt", "--artifact-mib"]
    some = speak("size", *words, 1.2 * smallest)
    assert some.code == 0 and "just outside:" in some.stdout and "--artifact-mib by" in some.stdout
    none = speak("size", *words, smallest / 4, "--json")
    assert none.code == 1 and none.document["fits"] == [] and none.document["exit_code"] == 1
    assert none.document["misses"][0]["binding"] == "artifact_mib"
    line = speak("size", *words, smallest / 4).stdout
    assert line.startswith("nothing fits: no shape has --artifact-mib within") and line.count("\n") == 1
    assert len(list((folder / "cache").rglob("measured.json"))) in (6, 12)  # 12: the machine had changed
