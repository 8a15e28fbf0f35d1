"""The shape of a teacher or a student; never weights."""

from __future__ import annotations

from typing import Annotated, Literal

from pydantic import Field, model_validator

from edgekd.config.base import MOST_ROWS, MOST_WIDTH, Frozen

_MOST_LAYERS = 512
_MOST_TOKENS = 1_000_000
_MOST_EPOCHS = 10_000
_MOST_WEIGHTS = 1_000_000_000
"""Students are small: one of more weights than this, tables apart, is a slip."""


def _refuse_giant(name: str, weights: int) -> None:
    if weights > _MOST_WEIGHTS:
        raise ValueError(
            f"'{name}' would have {weights:,} weights beside its token vectors; expected at most "
            f"{_MOST_WEIGHTS:,}: make it narrower or give it fewer layers"
        )


class Training(Frozen):
    """How one model is trained."""

    epochs: int = Field(4, ge=1, le=_MOST_EPOCHS)
    """Passes over the training rows."""
    learning_rate: float = Field(2e-4, gt=0, le=100)
    """Peak rate of the linear warm-up and decay schedule."""
    batch: int = Field(64, ge=1, le=MOST_ROWS)
    """Rows a step on average: a step holds this many times the mean length in tokens, padding included."""
    accumulate: int = Field(1, ge=1, le=MOST_ROWS)
    """Pieces that a step is computed in, one after the other, to fit into memory."""
    warmup: float = Field(0.1, ge=0, lt=1)
    """Share of the steps in which the rate rises."""
    weight_decay: float = Field(0.01, ge=0, le=100)
    """AdamW's decoupled weight decay."""
    skip_easy: float = Field(0.0, ge=0, lt=1)
    """Share of the rows with a loss below the mean of its time that epochs after the first leave out; the
    others of them count the more, so that the gradient is the same on average."""


class Lora(Frozen):
    """Adapters beside frozen weights, merged into them when training ends."""

    rank: int = Field(16, ge=1, le=MOST_WIDTH)
    """Width of an adapter; more can learn more."""
    alpha: int = Field(32, ge=1, le=MOST_ROWS)
    """An adapter's product counts alpha / rank times."""
    dropout: float = Field(0.0, ge=0, lt=1)
    """Share of an adapter's inputs that a training step leaves out."""


class EncoderModel(Frozen):
    """A pretrained encoder to fine-tune as the teacher."""

    kind: Literal["encoder"]
    """A Hugging Face checkpoint."""
    name: str
    """Name, as in the file's name."""
    weights: str
    """`package:PYTHON_PACKAGE/FOLDER`, `hub:OWNER/NAME`, `hub:OWNER/NAME@REVISION`, or a folder."""
    max_tokens: int = Field(128, ge=8, le=_MOST_TOKENS)
    """Longer texts are cut."""
    training: Training = Training()
    """How it is fine-tuned."""


class TransformerModel(Frozen):
    """A student cut from layers of the teacher, or of a checkpoint of its own."""

    kind: Literal["transformer"]
    """Layers of the teacher, or of `weights`."""
    name: str
    """Name, as in the file's name."""
    weights: str | None = None
    """A pretrained encoder that it starts from instead of the teacher, with that one's tokenizer: written as
    an encoder's `weights`."""
    layers: tuple[Annotated[int, Field(ge=-_MOST_LAYERS, le=_MOST_LAYERS)], ...] = Field(
        min_length=1, max_length=_MOST_LAYERS
    )
    """Which of the teacher's layers it starts from, counted from 0; negative from the end."""
    lora: Lora | None = None
    """Trains low-rank adapters and the head instead of all weights; wants a rate about ten times as high."""
    vocabulary: int = Field(8192, ge=256, le=MOST_ROWS)
    """Tokens kept: all that the labelled text uses, then the most frequent."""
    pairs: int = Field(0, ge=0, le=MOST_ROWS)
    """Rows of a linear model of pairs of neighbouring tokens, beside the network; 0: none."""
    max_tokens: int = Field(64, ge=8, le=_MOST_TOKENS)
    """Longer texts are cut."""
    training: Training = Training()
    """How it is distilled."""


class NarrowModel(Frozen):
    """A transformer of a width of its own: it cannot be cut from the teacher, its layers start anew."""

    kind: Literal["narrow"]
    """The teacher's architecture in another size; token vectors start from the teacher's."""
    name: str
    """Name, as in the file's name."""
    layers: int = Field(ge=1, le=_MOST_LAYERS)
    """How many."""
    width: int = Field(ge=8, le=MOST_WIDTH)
    """Of hidden states."""
    heads: int = Field(ge=1, le=MOST_WIDTH)
    """Attention heads; they divide the width."""
    feed_forward: int = Field(ge=8, le=4 * MOST_WIDTH)
    """Width inside a feed-forward block."""
    vocabulary: int = Field(8192, ge=256, le=MOST_ROWS)
    """Tokens kept: all that the labelled text uses, then the most frequent."""
    pairs: int = Field(0, ge=0, le=MOST_ROWS)
    """Rows of a linear model of pairs of neighbouring tokens, beside the network; 0: none."""
    max_tokens: int = Field(64, ge=8, le=_MOST_TOKENS)
    """Longer texts are cut."""
    training: Training = Training()
    """How it is distilled."""

    @model_validator(mode="after")
    def _heads_divide_the_width(self) -> NarrowModel:
        if self.width % self.heads:
            raise ValueError(f"width {self.width} is not a multiple of its {self.heads} heads")
        _refuse_giant(self.name, self.layers * (4 * self.width**2 + 2 * self.width * self.feed_forward))
        return self


class StaticModel(Frozen):
    """A student without attention: weighted mean of token vectors, and a small head."""

    kind: Literal["static"]
    """Token vectors started from the teacher."""
    name: str
    """Name, as in the file's name."""
    dimension: int = Field(256, ge=8, le=MOST_WIDTH)
    """Width of the token vectors."""
    hidden: int = Field(512, ge=8, le=MOST_WIDTH)
    """Width of the head's hidden layer."""
    pairs: int = Field(16384, ge=1, le=MOST_ROWS)
    """Vectors for pairs of neighbouring tokens, shared by hashing: what word order there is."""
    vocabulary: int = Field(16384, ge=256, le=MOST_ROWS)
    """Tokens kept: all that the labelled text uses, then the most frequent."""
    max_tokens: int = Field(128, ge=8, le=_MOST_TOKENS)
    """Longer texts are cut."""
    training: Training = Training(epochs=10, learning_rate=2e-3, batch=128)
    """How it is distilled."""

    @model_validator(mode="after")
    def _is_small(self) -> StaticModel:
        _refuse_giant(self.name, self.dimension * (self.pairs + 2 * self.hidden))
        return self


StudentModel = TransformerModel | NarrowModel | StaticModel
Model = Annotated[EncoderModel | StudentModel, Field(discriminator="kind")]
