import pytest
import torch

from edgekd.distill.losses import attention_mse, hidden_mse, relation_divergence
from edgekd.distill.training.features import EncoderShape, FeatureMatcher, Features
from edgekd.distill.training.layermap import uniform_map
from edgekd.errors import ConfigError

SMALL, LARGE = EncoderShape(layers=2, width=6, heads=2), EncoderShape(layers=4, width=12, heads=4)
SAME_HEADS = EncoderShape(layers=4, width=12, heads=2)


def draw(shape, rows=3, tokens=5, seed=0):
    generator = torch.Generator().manual_seed(seed)

    def states():
        return torch.randn(rows, tokens, shape.width, generator=generator)

    attention = [
        torch.randn(rows, shape.heads, tokens, tokens, generator=generator) for _ in range(shape.layers)
    ]
    return Features(
        hidden=tuple(states() for _ in range(shape.layers + 1)),
        attention=tuple(torch.softmax(scores, dim=-1) for scores in attention),
        projected=tuple((states(), states(), states()) for _ in range(shape.layers)),
    )


MASK = torch.tensor([[1, 1, 1, 1, 1], [1, 1, 0, 0, 0], [1, 1, 1, 1, 0]])


def test_a_copy_of_its_teacher_has_nothing_to_learn():
    matcher = FeatureMatcher(LARGE, LARGE, uniform_map(4, 4))
    terms = matcher(draw(LARGE), draw(LARGE), MASK)
    assert terms.hidden.tolist() == terms.attention.tolist() == terms.relation.tolist() == [0, 0, 0]
    assert not list(matcher.parameters())


def test_terms_are_means_over_mapped_layers():
    layers = {0: 0, 1: 2, 2: 4}
    matcher = FeatureMatcher(SMALL, SAME_HEADS, layers)
    student, teacher = draw(SMALL), draw(SAME_HEADS, seed=1)
    terms = matcher(student, teacher, MASK)
    turns = [matcher.projections["embeddings"], *[matcher.projections["layers"]] * 2]
    hidden = [
        hidden_mse(turns[ours](student.hidden[ours]), teacher.hidden[theirs], MASK)
        for ours, theirs in layers.items()
    ]
    torch.testing.assert_close(terms.hidden, sum(hidden) / 3)
    maps = [attention_mse(student.attention[i], teacher.attention[2 * i + 1], MASK) for i in range(2)]
    torch.testing.assert_close(terms.attention, sum(maps) / 2)
    assert (terms.relation == 0).all()


def test_relations_take_over_where_heads_differ():
    matcher = FeatureMatcher(SMALL, LARGE, {1: 2, 2: 4})
    student, teacher = draw(SMALL), draw(LARGE, seed=1)
    terms = matcher(student, teacher, MASK)
    each = [
        relation_divergence(x, y, 6, MASK)
        for ours, theirs in ((0, 1), (1, 3))
        for x, y in zip(student.projected[ours], teacher.projected[theirs], strict=True)
    ]
    torch.testing.assert_close(terms.relation, sum(each) / 6)
    assert (terms.attention == 0).all() and (terms.relation > 0).all()


def test_relations_are_compared_where_heads_differ():
    assert FeatureMatcher(SMALL, SAME_HEADS, {1: 1}).relation_heads is None
    assert FeatureMatcher(SMALL, LARGE, {1: 1}).relation_heads == 6


@pytest.mark.parametrize(
    ("widths", "heads"), [((312, 768), 24), ((128, 384), 32), ((768, 1024), 32), ((7, 9), 1)]
)
def test_relation_heads_divide_both_widths(widths, heads):
    student, teacher = (EncoderShape(2, width, n) for n, width in enumerate(widths, start=1))
    assert FeatureMatcher(student, teacher, {1: 1}).relation_heads == heads


def test_padding_and_company_change_nothing():
    matcher = FeatureMatcher(SMALL, LARGE, uniform_map(2, 4))
    student, teacher = draw(SMALL), draw(LARGE, seed=1)
    terms = matcher(student, teacher, MASK)

    def cut(features):
        return Features(
            tuple(h[1:2, :2] for h in features.hidden),
            projected=tuple(tuple(part[1:2, :2] for part in layer) for layer in features.projected),
        )

    alone = matcher(cut(student), cut(teacher))
    torch.testing.assert_close(terms.hidden[1:2], alone.hidden)
    torch.testing.assert_close(terms.relation[1:2], alone.relation)


@pytest.mark.parametrize("teacher", [LARGE, SAME_HEADS], ids=["relations", "attention"])
def test_half_precision_is_compared_in_single(teacher):
    def halved(features, kind):
        layers = (tuple(part.to(kind) for part in layer) for layer in features.projected)
        plain = (tuple(t.to(kind) for t in part) for part in (features.hidden, features.attention))
        return Features(*plain, tuple(layers))

    matcher = FeatureMatcher(SMALL, teacher, uniform_map(2, 4))
    pair = [halved(draw(shape, seed=i), torch.bfloat16) for i, shape in enumerate((SMALL, teacher))]
    with torch.autocast("cpu", dtype=torch.bfloat16):
        found = matcher(*pair, MASK)
    wanted = matcher(*(halved(features, torch.float32) for features in pair), MASK)
    for name in ("hidden", "attention", "relation"):
        torch.testing.assert_close(getattr(found, name), getattr(wanted, name))


@pytest.mark.parametrize("teacher", [LARGE, SAME_HEADS], ids=["relations", "attention"])
def test_student_and_projections_learn(teacher):
    torch.manual_seed(0)
    matcher = FeatureMatcher(SMALL, teacher, uniform_map(2, 4))
    shown, student = draw(teacher, seed=1), draw(SMALL)
    leaves = [
        t.requires_grad_()
        for t in (*student.hidden, *student.attention, *(p for layer in student.projected for p in layer))
    ]
    optimizer = torch.optim.Adam([*leaves, *matcher.parameters()], lr=0.05)
    found = []
    for _ in range(30):
        terms = matcher(student, shown, MASK)
        found.append([term.mean().item() for term in (terms.hidden, terms.attention + terms.relation)])
        optimizer.zero_grad()
        (terms.hidden + terms.attention + terms.relation).mean().backward()
        assert all(p.grad.abs().sum() > 0 for p in matcher.parameters())
        optimizer.step()
    assert len(list(matcher.parameters())) == 2
    assert found[-1][0] < 0.5 * found[0][0] and found[-1][1] < 0.5 * found[0][1]


def test_missing_features_are_one_line():
    matcher = FeatureMatcher(SMALL, LARGE, {1: 1})
    whole = draw(LARGE)
    with pytest.raises(ConfigError, match=r"the student's features: expected 3 of hidden, got 2"):
        matcher(Features(draw(SMALL).hidden[:2]), whole)
    with pytest.raises(ConfigError, match=r"the teacher's features: expected 4 of projected, got 0"):
        matcher(draw(SMALL), Features(whole.hidden, whole.attention))
    with pytest.raises(ConfigError, match="there is no 5"):
        FeatureMatcher(SMALL, LARGE, {2: 5})


def encoder(shape, seed):
    from transformers import BertConfig, BertModel

    torch.manual_seed(seed)
    config = BertConfig(
        vocab_size=50,
        hidden_size=shape.width,
        num_hidden_layers=shape.layers,
        num_attention_heads=shape.heads,
        intermediate_size=16,
        attn_implementation="eager",  # the others hand out no attention maps
    )
    return BertModel(config, add_pooling_layer=False).eval()


def shown_by(model, ids, mask):
    """What a transformers encoder shows of itself."""
    kept = []
    projections = [
        getattr(layer.attention.self, name)
        for layer in model.encoder.layer
        for name in ("query", "key", "value")
    ]
    hooks = [p.register_forward_hook(lambda _, __, output: kept.append(output)) for p in projections]
    out = model(ids, attention_mask=mask, output_hidden_states=True, output_attentions=True)
    for hook in hooks:
        hook.remove()
    projected = tuple(zip(kept[::3], kept[1::3], kept[2::3], strict=True))
    return Features(out.hidden_states, out.attentions, projected)


@pytest.mark.parametrize("shape", [LARGE, SAME_HEADS], ids=["relations", "attention"])
def test_real_encoders_teach_each_other(shape):
    """Shapes and order are those of transformers, and a padded row learns as it does alone."""
    student, teacher = encoder(SMALL, 0), encoder(shape, 1)
    matcher = FeatureMatcher(SMALL, shape, uniform_map(2, 4))
    ids = torch.randint(0, 50, MASK.shape)

    def terms(rows, tokens):
        part, mask = ids[rows, :tokens], MASK[rows, :tokens]
        with torch.no_grad():
            taught = shown_by(teacher, part, mask)
        return matcher(shown_by(student, part, mask), taught, mask)

    whole, alone = terms(slice(3), 5), terms(slice(1, 2), 2)
    for found, wanted in ((whole.hidden, alone.hidden), (whole.attention, alone.attention)):
        torch.testing.assert_close(found[1:2], wanted, rtol=1e-4, atol=1e-7)
    torch.testing.assert_close(whole.relation[1:2], alone.relation, rtol=1e-4, atol=1e-7)
    (whole.hidden + whole.attention + whole.relation).mean().backward()
    reached = {name for name, p in student.named_parameters() if p.grad is not None and p.grad.any()}
    assert {f"encoder.layer.{i}.attention.self.query.weight" for i in (0, 1)} <= reached
    assert all(p.grad is None for p in teacher.parameters())
