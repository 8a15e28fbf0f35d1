"""An MLflow model registry: a registered model a project, a version an artifact, an alias a target.

`models:/<project>@<target>` is what is promoted for that target. An artifact is logged once, however many
targets it serves and however often it is promoted; after that only aliases move.

The model is saved by `mlflow.pyfunc.save_model` with a `loader_module` (mlflow.org/docs): it holds no pickle.
"""

from __future__ import annotations

import math
import os
import re
import tempfile
import warnings
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from edgekd.bundle.packages import needed_packages
from edgekd.compile import Artifact
from edgekd.errors import TrackerError
from edgekd.serving.heads import takes_candidates

_TAG = "edgekd.artifact"
_SECRET = re.compile(r"//[^/\s@]+@")  # user and password in an address: not for a terminal or a log
_LOADER = Path(__file__).parent / "mlflow_loader.py"


@dataclass(frozen=True)
class Published:
    """Where a target's alias points now; `added` says whether its artifact was not there before.

    `version` is empty where the alias was taken away, as nothing is promoted any more.
    """

    model: str
    alias: str
    version: str
    added: bool


def publish(
    artifact: Artifact,
    project: str,
    target: str,
    *,
    card: str,
    tags: Mapping[str, str],
    metrics: Mapping[str, float],
    uri: str | None,
) -> Published:
    """Point the alias of a target at its promoted artifact; log the artifact if it is not there.

    `card` is its model card in Markdown, kept beside the model. `uri` is that of MLflow's tracking server or
    database; unless given MLflow's own settings hold.

    Raises:
        TrackerError: MLflow cannot be reached or refuses, or its loader makes no answers of this head.
    """
    from edgekd.publish.mlflow_loader import ANSWERS  # needs pandas, which comes with MLflow

    if artifact.head.name not in ANSWERS:
        raise TrackerError(
            f"{artifact.path}: the registry's loader answers for models with the head "
            f"{' or '.join(ANSWERS)}; one with the head {artifact.head.name} is not published"
        )
    with _reporting(uri):
        from mlflow import MlflowClient

        client = MlflowClient(tracking_uri=uri, registry_uri=uri)
        if not client.search_registered_models(f"name = '{project}'"):
            client.create_registered_model(project)
        known = client.search_model_versions(f"name = '{project}' and tags.`{_TAG}` = '{artifact.digest}'")
        version = known[0].version if known else _log(client, artifact, project, card, tags, metrics)
        if known and known[0].description != card:  # the newest verdict may say something else of it
            client.update_model_version(project, version, description=card)
        client.set_registered_model_alias(project, target, version)
        return Published(project, target, str(version), added=not known)


def retract(project: str, target: str, uri: str | None) -> bool:
    """Take a target's alias away, where what it pointed at was withdrawn; says whether there was one.

    Raises:
        TrackerError: MLflow cannot be reached or refuses.
    """
    with _reporting(uri):
        from mlflow import MlflowClient

        client = MlflowClient(tracking_uri=uri, registry_uri=uri)
        models = client.search_registered_models(f"name = '{project}'")
        if not models or target not in models[0].aliases:
            return False
        client.delete_registered_model_alias(project, target)
        return True


def _log(
    client: Any,
    artifact: Artifact,
    project: str,
    card: str,
    tags: Mapping[str, str],
    metrics: Mapping[str, float],
) -> str:
    """Log the model in a run of its own and register it; a run that fails is marked so and not registered."""
    known = client.get_experiment_by_name(project)
    experiment = known.experiment_id if known else client.create_experiment(project)
    run = client.create_run(experiment, run_name=artifact.student, tags=dict(tags))
    done = False
    try:
        for name, value in metrics.items():
            if math.isfinite(value):
                client.log_metric(run.info.run_id, name, value)
        with tempfile.TemporaryDirectory() as temporary:
            folder = Path(temporary) / "model"
            _save(artifact, folder)
            (folder / "MODEL_CARD.md").write_text(card, encoding="utf-8")
            client.log_artifacts(run.info.run_id, str(folder), "model")
        done = True
    finally:
        client.set_terminated(run.info.run_id, "FINISHED" if done else "FAILED")
    version = client.create_model_version(
        project,
        f"runs:/{run.info.run_id}/model",
        run.info.run_id,
        tags={**tags, _TAG: artifact.digest},
        description=card,
    )
    return str(version.version)


def _save(artifact: Artifact, folder: Path) -> None:
    """Write MLflow's form of the artifact: its folder as it is, and what opens it."""
    import mlflow.pyfunc
    from mlflow.models import ModelSignature
    from mlflow.types import ColSpec, DataType, Schema
    from mlflow.types.schema import Array

    from edgekd.publish.mlflow_loader import ANSWERS

    kinds: dict[str, Any] = {
        "text": DataType.string,
        "query": DataType.string,
        "candidates": Array(DataType.string),
        "label": DataType.string,
        "probability": DataType.double,
        "score": DataType.double,
        "order": Array(DataType.long),
        "scores": Array(DataType.double),
    }
    names = ("query", "candidates") if takes_candidates(artifact.head) else ("text",)
    asked, given = (
        [*(ColSpec(kinds[name], name) for name in columns)]
        for columns in (names, ANSWERS[artifact.head.name])
    )
    if artifact.routing:
        asked.append(ColSpec(Array(DataType.string), "slices", required=False))
        given.append(ColSpec(DataType.string, "action"))
    with warnings.catch_warnings():
        warnings.filterwarnings("ignore", message=".*An input example was not provided")
        mlflow.pyfunc.save_model(
            folder,
            loader_module=_LOADER.stem,
            data_path=str(artifact.path.resolve()),
            code_paths=[str(_LOADER)],
            signature=ModelSignature(Schema([*asked]), Schema([*given])),
            pip_requirements=[f"{name}=={version}" for name, version in needed_packages(artifact).items()],
        )


@contextmanager
def _reporting(uri: str | None) -> Iterator[None]:
    """Turn MLflow's many errors into one line, and keep its notes of every table off the terminal."""
    os.environ.setdefault("MLFLOW_LOGGING_LEVEL", "WARNING")
    os.environ.setdefault("MLFLOW_HTTP_REQUEST_MAX_RETRIES", "3")  # its own 7 wait for minutes in silence
    try:
        yield
    except Exception as error:  # noqa: BLE001  (its own, SQLAlchemy's, requests', the file system's)
        words = _SECRET.sub("//...@", " ".join(str(error).split()))
        where = _SECRET.sub("//...@", uri) if uri else "the server that MLFLOW_TRACKING_URI names"
        raise TrackerError(f"MLflow at {where}: {type(error).__name__}: {words:.300}") from None
