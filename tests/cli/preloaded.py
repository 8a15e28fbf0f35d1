"""What a forked command line finds imported, with caches of its libraries filled: see forked.py.

Each of these takes 0.1 to 5 seconds in a process that runs a stage.
"""

import logging
import warnings
from importlib import import_module

_LIBRARIES = [
    "duckdb",
    "jinja2",
    "onnx",
    "onnxruntime",
    "plotly.offline",
    "pyarrow",
    "scipy.optimize",
    "scipy.special",
    "torch._dynamo",
    "torch.export",
    "torch.onnx._internal.exporter._registration",
]
_OURS = [
    "cli.verbs",
    "compile.restore",
    "distill.baseline",
    "distill.distil",
    "distill.fine_tune",
    "distill.training.train",
    "export",
    "pipeline.bundling",
    "pipeline.replaying",
    "pipeline.run",
    "report.write",
]

logging.disable(logging.WARNING)  # of what is not installed
with warnings.catch_warnings():
    warnings.simplefilter("ignore")
    for name in _LIBRARIES:
        import_module(name)
    from edgekd.distill.weights import quiet

    with quiet():  # as edgekd imports it
        import_module("transformers.models.bert.modeling_bert")
        from transformers import AutoModelForSequenceClassification, AutoTokenizer  # are imported by name

        _ = (AutoModelForSequenceClassification, AutoTokenizer)
    for name in _OURS:
        import_module(f"edgekd.{name}")
    import_module("pyarrow").array([[""]])  # the first time it looks for pandas
    # Parses the functions of onnxscript.
    import_module("torch.onnx._internal.exporter._registration").ONNXRegistry.from_torchlib(opset_version=20)
logging.disable(logging.NOTSET)
