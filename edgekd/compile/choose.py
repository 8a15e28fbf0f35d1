"""Which recipe and runtime a build takes, and whether they go together, with this hardware, this student."""

from __future__ import annotations

from types import ModuleType

from edgekd.compile.litert_model import LIBRARIES as CONVERTING
from edgekd.config import Build, Hardware
from edgekd.errors import ConfigError
from edgekd.extras import installed
from edgekd.plugins import list_plugins, load_plugin


def choose_build(build: Build, hardware: Hardware) -> tuple[ModuleType, ModuleType]:
    """Return the modules of the build's recipe and runtime; what they make is the same for any hardware.

    Raises:
        ConfigError: they do not go together, or are not safe on this hardware.
        MissingExtraError: a library is not installed.
    """
    with installed():
        recipe = load_plugin("recipes", build.recipe)
        if build.runtime not in recipe.RUNTIMES:
            raise ConfigError(
                f"recipe {build.recipe} is not for {build.runtime}; it is for {', '.join(recipe.RUNTIMES)}"
            )
        if build.restore and build.runtime not in recipe.RESTORES:
            raise ConfigError(
                f"{build.runtime}/{build.recipe} cannot leave operators in fp32; leave out restore, or take "
                f"one that can: {', '.join(_restoring())}"
            )
        if build.rows and recipe.IS_EXACT:
            raise ConfigError(
                f"recipe {build.recipe} is exact, and shared rows are not: leave out rows, or quantize"
            )
        if build.runtime == "aotinductor" and not hardware.gpu:
            raise ConfigError(
                f"{build.runtime}/{build.recipe} is machine code of where it is compiled: it is for targets "
                "with a GPU; take onnxruntime or openvino"
            )
        if hardware.isa and not set(hardware.isa) & set(recipe.ISAS):
            raise ConfigError(
                f"recipe {build.recipe} is safe only with one of {', '.join(recipe.ISAS)}; "
                f"the target counts on {', '.join(hardware.isa)}"
            )
        return recipe, load_plugin("runtimes", build.runtime)


def serves(build: Build, kind: str) -> bool:
    """Say whether a build's recipe compiles this kind of students."""
    return kind in load_plugin("recipes", build.recipe).KINDS


def deciding_libraries(recipe: ModuleType, runtime: ModuleType) -> tuple[str, ...]:
    """Name the packages whose versions decide an artifact's files or its answers."""
    converting = CONVERTING if runtime.MODEL.endswith(".tflite") else ()
    return (*recipe.LIBRARIES, *converting, *runtime.LIBRARIES, "numpy", "tokenizers")


def _restoring() -> list[str]:
    found = {name: load_plugin("recipes", name) for name in list_plugins("recipes")}
    return [f"{runtime}/{name}" for name, recipe in found.items() for runtime in recipe.RESTORES]
