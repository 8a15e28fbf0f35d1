import os
import subprocess
import sys
from pathlib import Path

import numpy as np
import onnxruntime
import pytest
import sample_students as samples
import torch

from edgekd.export import prove_parity


@pytest.fixture(params=["tiny", "cut", "static"])
def exported(request, graphs):
    return samples.SAMPLES[request.param], graphs[request.param]


def test_same_logits_at_every_length_and_batch(exported):
    sample, graph = exported
    module = samples.make_module(sample)
    session = onnxruntime.InferenceSession(str(graph.path), providers=["CPUExecutionProvider"])
    rng = np.random.default_rng(0)

    def torch_logits(rows):
        with torch.no_grad():
            return module(torch.tensor(rows)).numpy()

    def onnx_logits(rows):
        return session.run(["logits"], {"input_ids": np.array(rows, np.int64)})[0]

    rows = [rng.integers(0, sample.vocabulary, n).tolist() for n in range(1, sample.max_tokens + 1)]
    parity = prove_parity(lambda row: torch_logits([row])[0], lambda row: onnx_logits([row])[0], rows)
    assert parity.worst < 2e-5
    for batch, tokens in ((3, 5), (7, 1), (2, sample.max_tokens)):
        many = rng.integers(0, sample.vocabulary, (batch, tokens)).tolist()
        np.testing.assert_allclose(onnx_logits(many), torch_logits(many), atol=1e-4)


def test_file_tells_nothing_of_the_machine(exported):
    data = exported[1].path.read_bytes()
    for word in (str(Path.home()), str(Path.cwd()), "site-packages", "torch/nn", "stack_trace", "File "):
        assert word.encode() not in data


@pytest.mark.long
def test_another_process_writes_the_same_bytes(graphs, tmp_path):
    graph = graphs["tiny"]
    command = [sys.executable, samples.__file__, "tiny", str(tmp_path)]
    environment = {**os.environ, "PYTHONHASHSEED": "77", "PYTHONPATH": os.pathsep.join(sys.path)}
    done = subprocess.run(command, env=environment, cwd=tmp_path, capture_output=True, text=True, check=False)
    assert done.stdout.strip() == graph.digest, done.stderr
    assert (tmp_path / graph.path.name).read_bytes() == graph.path.read_bytes()
