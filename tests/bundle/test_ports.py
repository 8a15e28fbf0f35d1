"""The Kotlin and Swift programs of a bundle, less the runtime, compiled and run where there is a compiler."""

import json
import shutil
import subprocess
from pathlib import Path

import mobile_bundles as mobile
import pytest
from random_texts import random_texts
from tokenizers import Tokenizer

PORTS = Path(__file__).parent / "ports"
FILES = ("Settings", "Tokenizer", "Answer", "Golden")


@pytest.fixture(scope="module")
def folder(graphs, mobile_folder, tmp_path_factory):
    """A bundle, and 3,000 more texts to cut."""
    made = mobile.make("cut-onnxruntime", graphs, mobile_folder)
    library = Tokenizer.from_file(str(made.artifact.path / "tokenizer.json"))
    library.enable_truncation(made.artifact.manifest["max_tokens"])
    copy = shutil.copytree(made.path, tmp_path_factory.mktemp("ports") / "bundle")
    with (copy / "texts.tsv").open("w", encoding="utf-8") as file:
        for text in random_texts(3000, seed=3):
            file.write(f"{json.dumps(text)}\t{' '.join(map(str, library.encode(text).ids))}\n")
    return copy


def check(command, folder):
    done = subprocess.run([*map(str, command), str(folder)], capture_output=True, text=True)
    assert done.stdout.splitlines() == ["3200 of 3200"], done.stdout + done.stderr
    for name, change in (("vocab.txt", misspell), ("model.txt", forget_bias)):
        wrong = shutil.copytree(folder, folder.parent / f"wrong {name}", dirs_exist_ok=True)
        lines = (folder / name).read_text("utf-8").split("\n")
        (wrong / name).write_text("\n".join(map(change, lines)), encoding="utf-8", newline="\n")
        done = subprocess.run([*map(str, command), str(wrong)], capture_output=True, text=True)
        assert done.returncode == 0 and done.stdout and not done.stdout.endswith("3200 of 3200\n")


def misspell(line):
    return "ordre" if line == "order" else line


def forget_bias(line):
    return f"no {line}" if line.startswith("bias ") else line


@pytest.mark.long
def test_kotlin(folder, tmp_path):
    if shutil.which("kotlinc") is None or shutil.which("java") is None:
        pytest.skip("no kotlinc and java here")
    sources = [folder / "android" / f"{name}.kt" for name in FILES]
    jar = tmp_path / "ids.jar"
    command = ["kotlinc", *map(str, sources), str(PORTS / "CheckIds.kt"), "-include-runtime", "-d", str(jar)]
    subprocess.run(command, check=True, capture_output=True)
    check(["java", "-cp", jar, "CheckIdsKt"], folder)


@pytest.mark.long
def test_swift(folder, tmp_path):
    if shutil.which("swiftc") is None:
        pytest.skip("no swiftc here")
    sources = [folder / "ios" / f"{name}.swift" for name in FILES]
    main = shutil.copy(PORTS / "main.swift", tmp_path / "main.swift")
    program = tmp_path / "ids"
    command = ["swiftc", "-O", *map(str, sources), str(main), "-o", str(program)]
    subprocess.run(command, check=True, capture_output=True)
    check([program], folder)
