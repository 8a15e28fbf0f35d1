import hashlib
import json
import math
import re
import shutil
import threading
from pathlib import Path

import numpy as np
import pytest
import sample_students as samples

from edgekd.serving import ServingError, load
from edgekd.serving.calibrate import choose
from edgekd.serving.manifest import UNSEALED, check_seal, seal


@pytest.fixture
def copy(artifact, tmp_path):
    return shutil.copytree(artifact, tmp_path / "artifact", ignore=shutil.ignore_patterns("__pycache__"))


@pytest.fixture(scope="module")
def model(artifact):
    return load(artifact)


def test_answer_is_the_calibrated_softmax_of_the_logits(model):
    logits = model.outputs(["where is my order?"])[0].astype(float) / 1.5
    share = np.exp(logits - logits.max()) / np.exp(logits - logits.max()).sum()
    answer = model("where is my order?")
    assert answer.label == samples.LABELS[int(share.argmax())] == model.labels[answer.label_index]
    assert answer.probability == pytest.approx(share.max(), rel=1e-5)


@pytest.mark.parametrize("text", samples.ODD_TEXTS)
def test_every_text_gets_an_answer(model, text):
    answer = model(text)
    assert answer.label in samples.LABELS
    assert 0 < answer.probability <= 1


def test_logits_are_those_of_single_texts(model):
    texts = samples.make_texts(10)
    rows = model.outputs(texts)
    assert rows.shape == (len(texts), len(samples.LABELS))
    assert rows.dtype == np.float32
    for text, row in zip(texts, rows, strict=True):
        np.testing.assert_array_equal(model.outputs([text])[0], row)
        assert model(text).label_index == row.argmax()


def test_answering_starts_no_thread(model):
    before = threading.active_count()
    native = len(list(Path("/proc/self/task").iterdir()))
    model.outputs(samples.make_texts(20))
    assert len(list(Path("/proc/self/task").iterdir())) == native
    assert threading.active_count() == before


def test_one_flipped_byte_in_any_file_is_refused(copy):
    manifest = json.loads((copy / "manifest.json").read_text())
    for name in manifest["files"]:
        path = copy / name
        whole = path.read_bytes()
        for place in {0, len(whole) // 2, len(whole) - 1}:
            path.write_bytes(whole[:place] + bytes([whole[place] ^ 1]) + whole[place + 1 :])
            with pytest.raises(ServingError, match=rf"{name}: sha256 is"):
                load(copy)
        path.write_bytes(whole)
    load(copy)


def test_a_hundred_random_changes_of_one_byte_are_refused_by_name(copy):
    rng = np.random.default_rng(5)
    files = sorted(path for path in copy.rglob("*") if path.is_file())
    for number in range(100):
        path = files[number % len(files)]
        whole = path.read_bytes()
        place, other = int(rng.integers(len(whole))), int(rng.integers(1, 256))
        path.write_bytes(whole[:place] + bytes([whole[place] ^ other]) + whole[place + 1 :])
        with pytest.raises(ServingError, match=path.relative_to(copy).as_posix()):
            load(copy)
        path.write_bytes(whole)
    load(copy)


def test_a_manifest_that_was_edited_is_refused(copy):
    path = copy / "manifest.json"
    path.write_text(path.read_text().replace('"teacher"', '"Teacher"').replace("made up", "measured"))
    with pytest.raises(ServingError, match=r"manifest\.json: its own sha256 is not"):
        load(copy)


def _twice(text, key):
    """The same object, one of its keys written twice."""
    line = next(line for line in text.splitlines() if line.startswith(f' "{key}"'))
    return text.replace(line, f' "{key}": "another",\n{line}', 1)


# Each is read as the very same JSON document, seal included.
OTHER_BYTES = {
    "an escaped letter of the digest": lambda t: re.sub(
        r'("sha256": ")(.)(.{63}"\n?,?\n "student")', lambda m: f"{m[1]}\\u{ord(m[2]):04x}{m[3]}", t
    ),
    "an escaped letter": lambda t: t.replace('"student"', '"\\u0073tudent"'),
    "an escaped slash": lambda t: t.replace("serving/loader.py", "serving\\/loader.py"),
    "utf-8 with a mark": lambda t: t.encode("utf-8-sig"),
    "utf-16": lambda t: t.encode("utf-16"),
    "utf-16 without a mark": lambda t: t.encode("utf-16-le"),
    "utf-32": lambda t: t.encode("utf-32"),
    "another order of keys": lambda t: json.dumps(dict(reversed(json.loads(t).items())), indent=1) + "\n",
    "another indent": lambda t: json.dumps(json.loads(t), indent=2, sort_keys=True) + "\n",
    "one line": lambda t: json.dumps(json.loads(t), sort_keys=True),
    "a space at the end of a line": lambda t: t.replace("\n", " \n", 1),
    "line ends of Windows": lambda t: t.replace("\n", "\r\n"),
    "no line break at the end": lambda t: t.removesuffix("\n"),
    "a line break more": lambda t: t + "\n",
    "a key twice": lambda t: _twice(t, "student"),
    "the seal twice": lambda t: _twice(t, "sha256"),
    "another form of a number": lambda t: t.replace('"recipe_version": 1.5', '"recipe_version": 1.50'),
    "an exponent": lambda t: t.replace('"recipe_version": 1.5', '"recipe_version": 15e-1'),
}


@pytest.mark.parametrize("way", OTHER_BYTES)
def test_a_manifest_in_other_bytes_is_refused(copy, way):
    path = copy / "manifest.json"
    path.write_bytes(seal({**json.loads(path.read_bytes()), "recipe_version": 1.5}))
    load(copy)
    whole = path.read_text(encoding="utf-8")
    other = OTHER_BYTES[way](whole)
    path.write_bytes(other if isinstance(other, bytes) else other.encode())
    assert path.read_bytes() != whole.encode()
    assert json.loads(path.read_bytes()) == json.loads(whole)
    with pytest.raises(ServingError, match=r"manifest\.json: says what was sealed, but in other bytes"):
        load(copy)


@pytest.mark.parametrize("way", ["an escaped letter of the digest", "utf-16", "a key twice"])
def test_labels_swapped_behind_other_bytes_are_refused(copy, way):
    """What passed once: the seal was looked for in bytes that did not hold it."""
    path = copy / "manifest.json"
    manifest = json.loads(path.read_bytes())
    manifest["labels"].reverse()
    swapped = json.dumps(manifest, indent=1, sort_keys=True, ensure_ascii=False) + "\n"
    other = OTHER_BYTES[way](swapped)
    path.write_bytes(other if isinstance(other, bytes) else other.encode())
    with pytest.raises(ServingError, match=r"manifest\.json: its own sha256 is not"):
        load(copy)


@pytest.mark.parametrize("value", ["NaN", "Infinity", "1e999", '"\\ud800"', "[" * 900 + "]" * 900])
def test_a_manifest_that_nothing_could_have_sealed_is_one_line(copy, value):
    path = copy / "manifest.json"
    path.write_text(path.read_text().replace('"made up"', value))
    with pytest.raises(ServingError, match=r"manifest\.json: ") as caught:
        load(copy)
    assert "\n" not in str(caught.value)


def test_any_object_has_one_form_of_bytes_and_reads_as_itself(copy):
    path = copy / "manifest.json"
    odd = {"provenance": {"sha256": UNSEALED, "note": '\n "sha256": "x" 漫🙂\u2028', "sha": {"sha256": "0"}}}
    content = seal({**json.loads(path.read_bytes()), **odd})
    read = json.loads(content)
    assert read["provenance"] == odd["provenance"] and seal(read) == content
    check_seal(path, content, read)


def test_the_digest_is_that_of_the_manifests_bytes(copy, model):
    assert model.digest == hashlib.sha256((copy / "manifest.json").read_bytes()).hexdigest()
    assert model.digest != model.manifest["sha256"]


def test_sizes_missing_and_unlisted_files_are_refused(copy):
    (copy / "notes.txt").write_text("mine")
    with pytest.raises(ServingError, match=r"notes\.txt: not listed"):
        load(copy)
    (copy / "notes.txt").unlink()
    with (copy / "model.onnx").open("ab") as file:
        file.write(b"x")
    with pytest.raises(ServingError, match=r"model\.onnx: \d+ bytes, manifest\.json says"):
        load(copy)
    (copy / "model.onnx").unlink()
    with pytest.raises(ServingError, match=r"model\.onnx: listed in manifest\.json, but not found"):
        load(copy)


def test_links_are_refused(copy, tmp_path):
    (copy / "tokenizer.json").rename(tmp_path / "elsewhere.json")
    (copy / "tokenizer.json").symlink_to(tmp_path / "elsewhere.json")
    with pytest.raises(ServingError, match=r"tokenizer\.json: a link"):
        load(copy)


def test_pythons_own_cache_is_no_unlisted_file(copy):
    (copy / "serving" / "__pycache__").mkdir()
    (copy / "serving" / "__pycache__" / "loader.cpython-311.pyc").write_bytes(b"")
    load(copy)


def _entry(name):
    return lambda m: m["files"].update({name: {"sha256": "0" * 64, "bytes": 0}})


@pytest.mark.parametrize(
    ("change", "said"),
    [
        (lambda m: m.update(format_version=1), "format_version is 1; this loader reads 2"),
        (lambda m: m.update(format_version=True), "format_version is True"),
        (lambda m: m.pop("labels"), "labels: expected list, got nothing"),
        (lambda m: m.update(labels=[]), "labels: expected a list of different names"),
        (lambda m: m.update(labels=["a", "a"]), "labels: expected a list of different names"),
        (lambda m: m.update(labels=["a", 1]), "labels: expected a list of different names"),
        (lambda m: m.update(max_tokens="32"), "max_tokens: expected int, got str"),
        (lambda m: m.update(max_tokens=0), "max_tokens must be >= 1"),
        (lambda m: m.update(model="other.onnx"), "other.onnx is not listed"),
        (lambda m: m.update(input={}), r"input\.name: expected str"),
        (lambda m: m["files"].pop("calibration.json"), "calibration.json is not listed"),
        (lambda m: m["files"].update({"a.txt": "x"}), "a.txt: expected sha256 and bytes"),
        (_entry("../outside"), "'../outside' is not a path inside"),
        (_entry("/etc/passwd"), "'/etc/passwd' is not a path inside"),
        (_entry("serving/../../x"), "is not a path inside"),
        (_entry("C:\\x"), "is not a path inside"),
        (_entry(""), "is not a path inside"),
        (lambda m: m.update(runtime="no-such"), "no runtime 'no-such' here"),
        (lambda m: m.update(runtime="..loader"), "'..loader' is not a runtime's name"),
        (lambda m: m.update(labels=m["labels"][1:]), r"outputs of shape \(20,\), expected \(19,\)"),
    ],
)
def test_wrong_manifests_are_one_line(copy, change, said):
    path = copy / "manifest.json"
    manifest = json.loads(path.read_text())
    change(manifest)
    path.write_bytes(seal(manifest))
    with pytest.raises(ServingError, match=said) as caught:
        load(copy)
    assert "\n" not in str(caught.value)


@pytest.mark.parametrize("text", ["", "[]", "3", "{", "\x00", "[" * 100_000])
def test_what_is_no_manifest_is_one_line(copy, text):
    (copy / "manifest.json").write_text(text)
    with pytest.raises(ServingError, match=r"manifest\.json: "):
        load(copy)


def test_no_artifact_is_one_line(tmp_path):
    with pytest.raises(ServingError, match="an artifact is a folder"):
        load(tmp_path)
    with pytest.raises(ServingError, match="threads must be >= 1"):
        load(tmp_path, threads=0)


@pytest.mark.parametrize(
    "text", ["{}", "[]", '{"temperature": 0, "thresholds": {}, "routing": {}}', '{"temperature": NaN}']
)
def test_wrong_calibration_is_one_line(copy, text):
    (copy / "calibration.json").write_text(text)
    with pytest.raises(ServingError, match=r"calibration\.json: "):
        load(copy, verify=False)


def test_model_that_the_runtime_cannot_open_is_one_line(copy):
    (copy / "model.onnx").write_bytes(b"no model")
    with pytest.raises(ServingError, match=r"model\.onnx: onnxruntime cannot open it: ") as caught:
        load(copy, verify=False)
    assert "\n" not in str(caught.value)


@pytest.mark.parametrize("bad", [np.full(20, np.nan), np.full(20, np.inf), np.zeros(0), np.zeros(3)])
def test_no_usable_logits_are_an_error(artifact, bad):
    model = load(artifact)
    model.run = lambda ids: bad.astype(np.float32)
    with pytest.raises(ServingError, match=r"not finite|shape"), np.errstate(invalid="ignore"):
        model("where is my order?")
    with pytest.raises(ServingError, match=r"not finite|shape"):
        model.outputs(["where is my order?"])


def test_choose_is_stable_for_large_logits():
    index, probability = choose(np.array([1e4, 0, 1e4 + 1], np.float32), 1.0)
    assert index == 2
    assert probability == pytest.approx(1 / (1 + math.exp(-1)))


def test_one_text_is_not_taken_for_a_list_of_its_letters(artifact):
    with pytest.raises(ServingError, match="expected a list of texts, got the text 'hello'"):
        load(artifact).outputs("hello")
