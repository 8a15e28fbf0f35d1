"""Small models with random weights, one of each family that `families.py` studies, as users have them.

A tokenizer is of the family's own class in transformers, with a vocabulary trained on the study's texts. A
head is drawn so that labels are told apart: its rows are at right angles to the mean of what it reads, and
outputs have a standard deviation of 3 over texts, so that two labels seldom tie.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import torch
from transformers import AutoConfig, AutoModelForSequenceClassification
from transformers.models.auto.tokenization_auto import tokenizer_class_from_name

LABELS, PLACES, TOKENS, VOCABULARY = 16, 26, 24, 3000
_SPREAD = 3.0
_PLAIN = {
    "hidden_size": 48, "num_hidden_layers": 3, "num_attention_heads": 4, "intermediate_size": 80,
    "max_position_embeddings": PLACES, "initializer_range": 0.15, "init_std": 0.15, "embed_init_std": 0.3,
}  # fmt: skip


@dataclass(frozen=True)
class Family:
    """A family: the tokenizer's class, and keys of its configuration beyond those that all are given."""

    tokenizer: str
    config: Mapping[str, Any] = field(default_factory=dict)


_D2 = {
    "relative_attention": True, "pos_att_type": ["p2c", "c2p"], "position_buckets": 8,
    "max_relative_positions": 16, "norm_rel_ebd": "layer_norm", "share_att_key": True,
    "position_biased_input": False, "type_vocab_size": 0,
}  # fmt: skip
_GROUPS = {"num_key_value_heads": 2, "head_dim": 12}
_T5 = {"decoder_start_token_id": 0, "d_model": 48, "d_ff": 80, "d_kv": 12, "num_layers": 2, "num_heads": 4}
_BART = {
    "d_model": 48, "encoder_layers": 2, "decoder_layers": 2, "encoder_ffn_dim": 80, "decoder_ffn_dim": 80,
    "encoder_attention_heads": 4, "decoder_attention_heads": 4,
}  # fmt: skip
FAMILIES: Mapping[str, Family] = {
    "bert": Family("BertTokenizer"),
    "distilbert": Family("BertTokenizer", {"dim": 48, "n_layers": 3, "n_heads": 4, "hidden_dim": 80}),
    "electra": Family("BertTokenizer", {"embedding_size": 32}),
    "ernie": Family("BertTokenizer"),
    "megatron-bert": Family("BertTokenizer"),
    "mobilebert": Family(
        "MobileBertTokenizer",
        {
            "embedding_size": 32,
            "intra_bottleneck_size": 24,
            "true_hidden_size": 24,
            "num_feedforward_networks": 2,
        },
    ),
    "squeezebert": Family("BertTokenizer", {"embedding_size": 48}),
    "convbert": Family("BertTokenizer", {"embedding_size": 48, "head_ratio": 2, "conv_kernel_size": 3}),
    "roformer": Family("BertTokenizer", {"embedding_size": 48}),
    "nomic_bert": Family("BertTokenizer"),
    "layoutlm": Family("BertTokenizer", {"max_2d_position_embeddings": 64}),
    "mpnet": Family("MPNetTokenizer"),
    "funnel": Family(
        "FunnelTokenizer",
        {
            "block_sizes": [1, 2],
            "d_model": 48,
            "n_head": 4,
            "d_head": 12,
            "d_inner": 80,
            "num_decoder_layers": 1,
        },
    ),
    "roberta": Family("RobertaTokenizer"),
    "roberta-prelayernorm": Family("RobertaTokenizer"),
    "data2vec-text": Family("RobertaTokenizer"),
    "ibert": Family("RobertaTokenizer"),
    "longformer": Family("RobertaTokenizer", {"attention_window": [8, 8, 8]}),
    "lilt": Family("RobertaTokenizer", {"max_2d_position_embeddings": 64}),
    "mra": Family("RobertaTokenizer"),
    "deberta": Family("DebertaTokenizer", {**_D2, "type_vocab_size": 0, "position_biased_input": True}),
    "modernbert": Family("PreTrainedTokenizerFast", {"local_attention": 8}),
    "xlm-roberta": Family("XLMRobertaTokenizer"),
    "xlm-roberta-xl": Family("XLMRobertaTokenizer"),
    "xmod": Family("XLMRobertaTokenizer", {"languages": ["en_XX"], "default_language": "en_XX"}),
    "camembert": Family("CamembertTokenizer"),
    "albert": Family("AlbertTokenizer", {"embedding_size": 32}),
    "nystromformer": Family("AlbertTokenizer", {"num_landmarks": 8, "segment_means_seq_len": 8}),
    "yoso": Family("AlbertTokenizer"),
    "deberta-v2": Family("DebertaV2Tokenizer", _D2),
    "rembert": Family("RemBertTokenizer", {"input_embedding_size": 32, "output_embedding_size": 48}),
    "big_bird": Family("BigBirdTokenizer"),
    "fnet": Family("FNetTokenizer", {"tpu_short_seq_length": 24}),
    "xlnet": Family("XLNetTokenizer", {"d_model": 48, "n_layer": 3, "n_head": 4, "d_inner": 80}),
    "eurobert": Family("PreTrainedTokenizerFast", _GROUPS),
    "xlm": Family("PreTrainedTokenizerFast", {"emb_dim": 48, "n_layers": 3, "n_heads": 4}),
    "flaubert": Family("PreTrainedTokenizerFast", {"emb_dim": 48, "n_layers": 3, "n_heads": 4}),
    "gpt2": Family("GPT2Tokenizer", {"n_embd": 48, "n_layer": 3, "n_head": 4, "n_positions": PLACES}),
    "openai-gpt": Family(
        "OpenAIGPTTokenizer", {"n_embd": 48, "n_layer": 3, "n_head": 4, "n_positions": PLACES}
    ),
    "gpt_neo": Family(
        "GPT2Tokenizer",
        {"num_layers": 2, "num_heads": 4, "attention_types": [[["global", "local"], 1]], "window_size": 8},
    ),
    "gpt_neox": Family("GPTNeoXTokenizer", {"num_attention_heads": 2}),
    "opt": Family("GPT2Tokenizer", {"ffn_dim": 80, "word_embed_proj_dim": 48}),
    "bloom": Family("PreTrainedTokenizerFast", {"n_layer": 2, "n_head": 4}),
    "llama": Family("LlamaTokenizer", _GROUPS),
    "mistral": Family("LlamaTokenizer", _GROUPS),
    "phi": Family("GPT2Tokenizer", {"num_key_value_heads": 2}),
    "qwen2": Family("Qwen2Tokenizer", _GROUPS),
    "qwen3": Family("Qwen2Tokenizer", _GROUPS),
    "gemma2": Family("GemmaTokenizer", _GROUPS),
    "t5": Family("T5Tokenizer", _T5),
    "bart": Family("RobertaTokenizer", _BART),
    "mbart": Family("MBartTokenizer", _BART),
}


def write_model(name: str, folder: Path, texts: Sequence[str]) -> None:
    """Write a family's model and tokenizer to a folder; the same input gives the same weights."""
    family = FAMILIES[name]
    tokenizer = _make_tokenizer(family.tokenizer, texts)
    tokenizer.model_max_length = TOKENS
    tokenizer.save_pretrained(folder)
    torch.manual_seed(0)
    config = AutoConfig.for_model(name)
    ids = {
        f"{kind}_token_id": getattr(tokenizer, f"{kind}_token_id")
        for kind in ("pad", "bos", "eos", "cls", "sep")
    }
    if ids["pad_token_id"] is None:  # as users of decoders do
        ids["pad_token_id"] = ids["eos_token_id"]
    wanted = {**_PLAIN, **family.config, **{key: number for key, number in ids.items() if number is not None}}
    fields = vars(config).keys() - type(config).attribute_map.keys()
    own = {key: value for key, value in wanted.items() if key in family.config or key in fields}
    config = AutoConfig.for_model(name, **own, vocab_size=len(tokenizer), num_labels=LABELS)
    model = AutoModelForSequenceClassification.from_config(config).eval()
    _spread_head(model, tokenizer, texts[:200])
    model.save_pretrained(folder)


def _make_tokenizer(name: str, texts: Sequence[str]) -> Any:
    if name == "PreTrainedTokenizerFast":
        return _make_bytes(texts)
    kind = tokenizer_class_from_name(name)
    return kind().train_new_from_iterator(texts, VOCABULARY)


def _make_bytes(texts: Sequence[str]) -> Any:
    """Make the tokenizer of ModernBERT and those like it: pairs of bytes, with BERT's special tokens."""
    from tokenizers import Tokenizer, decoders, models, pre_tokenizers, processors, trainers
    from transformers import PreTrainedTokenizerFast

    special = ["[UNK]", "[CLS]", "[SEP]", "[PAD]", "[MASK]"]
    tokenizer = Tokenizer(models.BPE())
    tokenizer.pre_tokenizer = pre_tokenizers.ByteLevel(add_prefix_space=False)
    tokenizer.decoder = decoders.ByteLevel()
    alphabet = pre_tokenizers.ByteLevel.alphabet()
    trainer = trainers.BpeTrainer(vocab_size=VOCABULARY, special_tokens=special, initial_alphabet=alphabet)
    tokenizer.train_from_iterator(texts, trainer)
    tokenizer.post_processor = processors.TemplateProcessing(
        single="[CLS] $A [SEP]", special_tokens=[("[CLS]", 1), ("[SEP]", 2)]
    )
    names = {f"{token[1:-1].lower()}_token": token for token in special}
    return PreTrainedTokenizerFast(tokenizer_object=tokenizer, **names, bos_token="[CLS]", eos_token="[SEP]")


def _spread_head(model: Any, tokenizer: Any, texts: Sequence[str]) -> None:
    """Draw the head anew, so that its labels differ over texts."""
    head = [
        part for part in model.modules() if isinstance(part, torch.nn.Linear) and part.out_features == LABELS
    ][-1]
    read: list[torch.Tensor] = []
    hook = head.register_forward_pre_hook(lambda module, given: read.append(given[0].flatten(0, -2)[-1]))
    with torch.no_grad():
        for text in texts:
            model(**_encode(tokenizer, text))
        hook.remove()
        states = torch.stack(read)
        mean = states.mean(0)
        rows = torch.randn(head.weight.shape)
        rows -= torch.outer(rows @ mean / (mean @ mean), mean)
        outputs = states @ rows.T
        head.weight.copy_(rows * (_SPREAD / outputs.std(0))[:, None])
        if head.bias is not None:
            head.bias.zero_()


def _encode(tokenizer: Any, text: str) -> dict[str, torch.Tensor]:
    encoded = tokenizer(text, truncation=True, return_tensors="pt")
    return {key: value for key, value in encoded.items() if key in ("input_ids", "attention_mask")}
