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
        isas, runtime = isas_of(recipe, build.runtime), load_plugin("runtimes", build.runtime)
        if hardware.isa and not set(hardware.isa) & set(isas):
            raise ConfigError(
                f"recipe {build.recipe} is safe only with one of {', '.join(isas)}; "
                f"the target counts on {', '.join(hardware.isa)}"
            )
        if build.streams > 1 and not getattr(runtime, "HAS_STREAMS", False):
            raise ConfigError(
                f"{build.runtime} works on one text at a time: leave out streams, or take openvino"
            )
        return recipe, runtime


def serves(build: Build, kind: str) -> bool:
    """Say whether a build's recipe compiles this kind of students."""
    return kind in load_plugin("recipes", build.recipe).KINDS


def isas_of(recipe: ModuleType, runtime: str) -> tuple[str, ...]:
    """Name the instruction sets on which a recipe's answers are what was measured, on one runtime."""
    isas: tuple[str, ...] = getattr(recipe, "ISAS_OF", {}).get(runtime, recipe.ISAS)
    return isas


def libraries_of(recipe: ModuleType, runtime: str) -> tuple[str, ...]:
    """Name the packages whose versions decide the files that a recipe writes for one runtime."""
    libraries: tuple[str, ...] = getattr(recipe, "LIBRARIES_OF", {}).get(runtime, recipe.LIBRARIES)
    return libraries


def deciding_libraries(recipe: ModuleType, runtime: ModuleType, name: str) -> tuple[str, ...]:
    """Name the packages whose versions decide an artifact's files or its answers; `name` is the runtime's."""
    converting = CONVERTING if runtime.MODEL.endswith(".tflite") else ()
    return (*libraries_of(recipe, name), *converting, *runtime.LIBRARIES, "numpy", "tokenizers")


def _restoring() -> list[str]:
    found = {name: load_plugin("recipes", name) for name in list_plugins("recipes")}
    return [f"{runtime}/{name}" for name, recipe in found.items() for runtime in recipe.RESTORES]
