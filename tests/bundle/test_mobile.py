import json
import re
import shutil
import subprocess
from pathlib import Path

import mobile_bundles as mobile
import pytest
from biased import changed_texts
from random_texts import random_texts
from tokenizers import Tokenizer

from edgekd.bundle import make_bundle
from edgekd.bundle.card import write_card
from edgekd.bundle.mobile.cases import CASES
from edgekd.bundle.mobile.golden import CHANGED, COUNT, choose_texts
from edgekd.compile import build_artifact
from edgekd.compile.policy import set_policy
from edgekd.config import load_target
from edgekd.errors import BadInputError
from edgekd.serving import load

TARGET = load_target("mobile-lowmem")
TIGHT = ("--tolerance", "1e-5")  # the same library on the same machine; the file's digits end at 1e-8


@pytest.fixture(scope="module", params=mobile.BUILDS)
def made(request, graphs, mobile_folder):
    return mobile.make(request.param, graphs, mobile_folder)


@pytest.fixture(scope="module")
def one(graphs, mobile_folder):
    """A bundle for what does not differ between runtimes."""
    return mobile.make("cut-onnxruntime", graphs, mobile_folder)


def read_golden(bundle):
    rows = [line.split("\t") for line in (bundle / "golden.tsv").read_text("utf-8").split("\n")[1:-1]]
    return [(json.loads(row[0]), *row[1:]) for row in rows]


@pytest.mark.long
def test_golden_file_passes_on_the_runtimes_own_c_interface(made):
    done = made.run("--golden", *TIGHT)
    assert (done.returncode, done.stdout.split(",")[0]) == (0, "200 of 200"), done.stdout + done.stderr
    assert made.run("--golden").returncode == 0


@pytest.mark.long
def test_golden_rows_are_the_artifacts_answers(made):
    model = load(made.artifact.path)
    rows = read_golden(made.path)
    assert len({row[0] for row in rows}) == COUNT and {row[0] for row in rows} >= set(CASES)
    assert len({row[3] for row in rows}) > 1
    for text, ids, logits, label, probability in rows:
        assert list(map(int, ids.split())) == model.tokenize(text)
        assert list(map(float, logits.split())) == pytest.approx(model.outputs([text])[0].tolist(), rel=1e-7)
        assert (label, float(probability)) == (model(text).label, pytest.approx(model(text).probability))


def test_a_port_without_the_bias_fails_on_the_rows_that_the_bias_decides(made, tmp_path):
    model, rows = load(made.artifact.path), read_golden(made.path)
    decided = set(changed_texts(model, [row[0] for row in rows]))
    assert len(decided) >= CHANGED and len(decided) < COUNT
    folder = shutil.copytree(made.path, tmp_path / "bundle")
    lines = (folder / "model.txt").read_text("utf-8").splitlines(keepends=True)
    biases = [line for line in lines if line.startswith("bias ")]
    assert [line.split(" ") for line in biases] == [
        ["bias", str(place), f"{model.calibration.bias[label]!r}\n"]
        for place, label in enumerate(model.labels)
        if label in model.calibration.bias
    ]
    (folder / "model.txt").write_text("".join(line for line in lines if line not in biases), "utf-8")
    done = made.run("--golden", *TIGHT, folder=folder)
    wrong = [line for line in done.stdout.splitlines() if line.endswith(": label differ")]
    assert (done.returncode, len(wrong)) == (1, len(decided)), done.stdout
    assert done.stdout.splitlines()[-1].startswith(f"{COUNT - len(decided)} of {COUNT}")


@pytest.mark.parametrize(
    "line", ["bias 20 1.5", "bias 99999999999 1", "bias 3 nan", "bias 3 inf", "bias -1 1"]
)
def test_a_bias_of_no_label_or_no_number_is_one_line(one, tmp_path, line):
    folder = shutil.copytree(one.path, tmp_path / "bundle")
    with (folder / "model.txt").open("a", encoding="utf-8") as file:
        file.write(f"{line}\n")
    done = one.run("--golden", folder=folder)
    assert done.returncode == 2 and done.stderr.count("\n") == 1
    assert "expected a label's place, below 20, and a finite number" in done.stderr


def test_a_model_without_a_bias_has_no_line_of_one(one, tmp_path):
    bundle = make_bundle(one.plain, TARGET, tmp_path / "bundle", mobile.TEXTS, "# Card\n")
    assert "\nbias " not in (bundle.path / "model.txt").read_text("utf-8")
    done = one.run("--golden", *TIGHT, folder=bundle.path)
    assert (done.returncode, done.stdout.split(",")[0]) == (0, "200 of 200"), done.stdout + done.stderr
    model = load(one.plain.path)
    assert changed_texts(model, [row[0] for row in read_golden(bundle.path)]) == []
    for name in ("ANDROID.md", "IOS.md"):
        page = (bundle.path / name).read_text("utf-8")
        assert "a bias is added" not in page and "{bias}" not in page and "{policy}" not in page


def test_pages_name_the_bias_and_how_many_rows_show_it(made):
    model = load(made.artifact.path)
    for name in ("ANDROID.md", "IOS.md"):
        page = " ".join((made.path / name).read_text("utf-8").split())
        for label, number in model.calibration.bias.items():
            assert f"`{label}` ({number:+g})" in page
        assert "of the golden texts have a label that the bias decides" in page
        assert "{bias}" not in page and "{policy}" not in page and "DO NOT RUN" not in page


def test_a_policy_that_nothing_here_runs_is_said_loudly(one, tmp_path):
    artifact = set_policy(one.artifact, {"max_prob": 0.9}, tmp_path / "routed")
    bundle = make_bundle(artifact, TARGET, tmp_path / "bundle", mobile.TEXTS, "# Card\n")
    (note,) = bundle.notes
    assert "Bundles of kind mobile DO NOT RUN the artifact's routing policy" in note
    for name in ("ANDROID.md", "IOS.md"):
        page = (bundle.path / name).read_text("utf-8")
        assert note in " ".join(page.partition("## Put it in")[0].split())
    card = write_card(artifact, TARGET, None)
    assert note in card.partition("## Limits and known weaknesses")[2].partition("\n## ")[0]
    assert make_bundle(one.artifact, TARGET, tmp_path / "plain", [], "").notes == ()
    assert "DO NOT RUN" not in write_card(one.artifact, TARGET, None)


def test_the_card_says_that_there_is_a_bias_for_which_classes_and_why(one):
    told = write_card(one.artifact, TARGET, None).partition("## Calibration\n")[2].partition("\n## ")[0]
    (label, number), *_ = load(one.artifact.path).calibration.bias.items()
    assert "a bias is added to the log probability of" in told and f"`{label}` ({number:+g})" in told
    assert "so that fewer messages of these classes are missed" in told
    assert "a bias is added" not in write_card(one.plain, TARGET, None)


def test_c_tokenizer_is_the_library_on_random_text(made):
    library = Tokenizer.from_file(str(made.artifact.path / "tokenizer.json"))
    library.enable_truncation(made.artifact.manifest["max_tokens"])
    texts = random_texts(2000, seed=1)
    answers = made.answer(texts)
    assert len(answers) == len(texts)
    for text, answer in zip(texts, answers, strict=True):
        assert list(map(int, answer[0].split())) == library.encode(text).ids, repr(text)


def test_c_program_answers_as_the_artifact(made):
    model = load(made.artifact.path)
    texts = random_texts(200, seed=2)
    for text, (_, logits, label, probability) in zip(texts, made.answer(texts), strict=True):
        assert list(map(float, logits.split())) == pytest.approx(model.outputs([text])[0].tolist(), abs=1e-5)
        assert (label, float(probability)) == (
            model(text).label,
            pytest.approx(model(text).probability, abs=1e-5),
        )


def test_same_input_same_bytes(made, tmp_path):
    again = make_bundle(made.artifact, TARGET, tmp_path / "again", mobile.TEXTS, "# Card\n")
    assert {p.relative_to(again.path): p.read_bytes() for p in again.path.rglob("*") if p.is_file()} == {
        p.relative_to(made.path): p.read_bytes() for p in made.path.rglob("*") if p.is_file()
    }


def test_bundle_is_of_one_runtime_and_its_pages_are_filled(made):
    other = {"onnxruntime": "LiteRT", "litert": "ONNX Runtime"}[made.artifact.runtime]
    pages = {name: (made.path / name).read_text("utf-8") for name in ("ANDROID.md", "IOS.md")}
    assert (made.path / "android" / "Tokenizer.kt").read_text("utf-8") in pages["ANDROID.md"]
    assert (made.path / "ios" / "Model.swift").read_text("utf-8") in pages["IOS.md"]
    for text in pages.values():
        assert not re.search(r"\{\{|\{version\}|\{model\}", text) and other not in text
        named = set(re.findall(r"`((?:android|ios|reference)/[\w.]+)`", text))
        assert named and all((made.path / name).is_file() for name in named)
    named = [p.name for p in made.path.rglob("*") if p.is_file()]
    assert not [name for name in named if "litert." in name or "onnxruntime." in name]


@pytest.mark.parametrize(
    ("name", "old", "new", "said"),
    [
        ("vocab.txt", "\norder\n", "\nordre\n", "token ids differ"),
        ("vocab.txt", "\n##s\n", "\n##\n", "token ids differ"),
        ("characters.txt", "41 5a add 32\n", "41 59 add 32\n", "token ids differ"),
        ("model.txt", "\nmax_tokens 64\n", "\nmax_tokens 63\n", "token ids differ"),
        ("model.txt", "\ntemperature ", "\ntemperature 1", "probability differ"),
        ("model.txt", "\nbias ", "\nbiased ", "label differ"),
        ("labels.txt", "{label}\n", "another\n", "label differ"),
    ],
)
def test_a_port_that_is_wrong_fails(one, tmp_path, name, old, new, said):
    folder = shutil.copytree(one.path, tmp_path / "bundle")
    old = old.format(label=read_golden(folder)[0][3])
    if "bias" in old:  # the larger of the two
        model = load(one.artifact.path)
        place = model.labels.index(max(model.calibration.bias, key=model.calibration.bias.__getitem__))
        old, new = f"{old}{place} ", f"{new}{place} "
    text = (folder / name).read_bytes().decode()
    assert old in text
    (folder / name).write_bytes(text.replace(old, new, 1).encode())
    done = one.run("--golden", *TIGHT, folder=folder)
    assert done.returncode == 1 and said in done.stdout
    passed = int(done.stdout.splitlines()[-1].split(" ")[0])
    assert passed < COUNT


@pytest.mark.parametrize(
    ("column", "said"), [(1, "token ids"), (2, "logits"), (3, "label"), (4, "probability")]
)
def test_a_changed_golden_row_is_named(one, tmp_path, column, said):
    folder = shutil.copytree(one.path, tmp_path / "bundle")
    lines = (folder / "golden.tsv").read_text("utf-8").split("\n")
    cells = lines[100].split("\t")
    last = cells[column].split(" ")[-1]
    cells[column] = cells[column][: -len(last)] + ("x" if column == 3 else f"{float(last) + 1:g}")
    lines[100] = "\t".join(cells)
    (folder / "golden.tsv").write_text("\n".join(lines), encoding="utf-8")
    done = one.run("--golden", folder=folder)
    assert (done.returncode, done.stdout.splitlines()[0]) == (1, f"golden.tsv:101: {said} differ")
    assert done.stdout.splitlines()[1].startswith("199 of 200")


def test_an_empty_golden_file_proves_nothing(one, tmp_path):
    folder = shutil.copytree(one.path, tmp_path / "bundle")
    (folder / "golden.tsv").write_text("text\tids\tlogits\tlabel\tprobability\n", encoding="utf-8")
    done = one.run("--golden", folder=folder)
    assert (done.returncode, done.stdout.split(",")[0]) == (1, "0 of 0")


@pytest.mark.parametrize(
    "line", ["where", '"open', '"\\ud800"', '"\\x41"', '"a"b"', '"\\u12"', '""" "', "'a'", ""]
)
def test_what_is_no_json_string_is_said(one, line):
    done = one.run(stdin=line + "\n")
    assert done.returncode == 2 and "JSON string" in done.stderr


def test_every_way_to_write_a_text_is_one_text(one):
    plain = one.answer(['tab\t "é" 🙂 / \\'])[0]
    lines = ['"tab\\t \\"é\\" 🙂 \\/ \\\\"', '"tab\\u0009 \\"\\u00E9\\" \\ud83d\\ude42 / \\\\"']
    done = one.run(stdin="".join(f"{line}\n" for line in lines))
    assert [line.split("\t") for line in done.stdout.splitlines()] == [plain, plain]


@pytest.mark.parametrize("name", ["model.txt", "vocab.txt", "characters.txt", "labels.txt", "golden.tsv"])
def test_a_missing_file_is_one_line(one, tmp_path, name):
    folder = shutil.copytree(one.path, tmp_path / "bundle")
    (folder / name).unlink()
    done = one.run("--golden", folder=folder)
    assert done.returncode == 2 and f"{name}: cannot be read" in done.stderr


def test_a_library_of_another_kind_is_said(one):
    done = subprocess.run([one.program, "libm.so.6", one.path], capture_output=True, text=True)
    assert done.returncode == 2 and "not ONNX Runtime" in done.stderr


def damaged(one, folder, change):
    """Seal a copy of the artifact anew after a change to its folder or fields."""
    shutil.copytree(one.plain.path, folder)
    left_out = ("files", "sha256", "format_version")
    fields = {key: value for key, value in one.plain.manifest.items() if key not in left_out}
    change(folder, fields)
    return build_artifact(folder, fields)


def no_table(folder: Path, fields):
    (folder / "characters.txt").unlink()


def broken_label(folder: Path, fields):
    known = json.loads(
        (folder / "calibration.json").read_text("utf-8")
    )  # a bias of the old label is another fault
    (folder / "calibration.json").write_text(json.dumps({**known, "bias": {}}), encoding="utf-8")
    fields["labels"] = ["two\nlines", *fields["labels"][1:]]


def gap(folder: Path, fields):
    document = json.loads((folder / "tokenizer.json").read_text("utf-8"))
    document["model"]["vocab"]["order"] = 99_999
    (folder / "tokenizer.json").write_text(json.dumps(document), encoding="utf-8")


def bad_space(folder: Path, fields):
    text = (folder / "characters.txt").read_text("ascii")
    (folder / "characters.txt").write_text(text.replace("3000 3000 space\n", ""), encoding="ascii")


@pytest.mark.parametrize(
    ("change", "said"),
    [
        (no_table, r"characters\.txt: not found: the tokenizer is not BERT's WordPiece"),
        (broken_label, r"labels\.txt: 'two\\nlines' holds a line break"),
        (gap, r"found no token of id \d+, expected ids from 0 without gaps"),
        (bad_space, r"leaves U\+3000 inside words"),
    ],
)
def test_what_cannot_be_ported_is_one_line(one, tmp_path, change, said):
    artifact = damaged(one, tmp_path / "artifact", change)
    with pytest.raises(BadInputError, match=said) as raised:
        make_bundle(artifact, TARGET, tmp_path / "bundle", [], "")
    assert "\n" not in str(raised.value) and not (tmp_path / "bundle").exists()


@pytest.mark.parametrize("given", [[], ["one"], [f"text {n}" for n in range(1000)], ["half \ud800", *CASES]])
def test_there_are_always_200_texts(given):
    texts = choose_texts(given, ["[PAD]", "where", "order"] + [chr(point) for point in range(97, 123)])
    assert len(set(texts)) == len(texts) == COUNT and texts[: len(CASES)] == list(CASES)
    fitting = [text for text in given if "\ud800" not in text and text not in CASES]
    assert sum(text in fitting for text in texts) == min(len(fitting), COUNT - len(CASES))
    assert all(text.encode() or not text for text in texts)


def test_texts_that_the_bias_decides_are_among_the_200():
    given, changed = [f"text {n}" for n in range(1000)], ["text 7", "text 996", "words"]
    texts = choose_texts(given, ["where"], changed)
    assert len(set(texts)) == len(texts) == COUNT and set(changed) <= set(texts)
    assert set(texts) <= {*CASES, *given, "words"}
