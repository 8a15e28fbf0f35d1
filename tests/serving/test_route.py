import numpy as np
import pytest
from hypothesis import example, given, settings
from hypothesis import strategies as st

from edgekd.config import Slice
from edgekd.config.routing import Routing
from edgekd.evaluate.classify.bias import ROOM
from edgekd.evaluate.classify.route_rows import TuningRows
from edgekd.evaluate.classify.route_tuning import tune_policy
from edgekd.evaluate.classify.routing import judge_routing, route_rows
from edgekd.evaluate.scorer import JudgedRows
from edgekd.serving import ServingError
from edgekd.serving.route import Policy
from edgekd.stats.paired import paired_drop_bound
from edgekd.stats.tally import hits_to_prove

LABELS = ("order", "return", "abuse", "oos")
REFUSING = {"refuse_below": 0.4, "refuse_as": "oos"}
CRITICAL = {"critical": ["abuse"]}
OWN = {"labels": ["order"], "max_prob": 0.4, "margin": 0.08}
NO_MARGIN = {"labels": ["order"], "margin": 0.0}
LOW_VALUE = {"refuse_below": 0.4, "refusable": ["return", "oos"]}


def decide(document, probabilities, text="hello", slices=()):
    return Policy(document, LABELS).decide(text, np.array(probabilities, np.float64), slices)


@pytest.mark.parametrize(
    ("document", "probabilities", "action", "label"),
    [
        ({}, [0.3, 0.3, 0.2, 0.2], "answer", "order"),
        ({"max_prob": 0.72}, [0.72, 0.2, 0.05, 0.03], "answer", "order"),
        ({"max_prob": 0.72}, [0.71, 0.2, 0.05, 0.04], "teacher", "order"),
        ({"max_prob": 0.4, "margin": 0.08}, [0.45, 0.40, 0.1, 0.05], "teacher", "order"),
        # on a softmax the margin never acts after a threshold of .72: the rest is at most .28
        ({"max_prob": 0.72, "margin": 0.08}, [0.72, 0.28, 0.0, 0.0], "answer", "order"),
        ({"max_prob": 0.5, **REFUSING}, [0.39, 0.3, 0.2, 0.11], "refuse", "oos"),
        ({"max_prob": 0.5, "refuse_below": 0.4}, [0.39, 0.3, 0.2, 0.11], "refuse", ""),
        ({"max_prob": 0.5, **REFUSING}, [0.45, 0.3, 0.2, 0.05], "teacher", "order"),
        ({"critical": ["abuse"], "risk": 0.1}, [0.85, 0.04, 0.11, 0.0], "teacher", "order"),
        ({"critical": ["abuse"], "risk": 0.1}, [0.86, 0.04, 0.1, 0.0], "answer", "order"),
        ({**CRITICAL, "refuse_below": 0.9, "max_prob": 0.3}, [0.3, 0.2, 0.4, 0.1], "answer", "abuse"),
        ({"critical": ["abuse"], "max_prob": 0.5}, [0.3, 0.2, 0.4, 0.1], "teacher", "abuse"),
        ({"critical": ["abuse"], "critical_prob": 0.7}, [0.1, 0.1, 0.6, 0.2], "teacher", "abuse"),
        ({"critical": ["abuse"], "critical_prob": 0.7}, [0.6, 0.1, 0.1, 0.2], "answer", "order"),
        ({**CRITICAL, "critical_prob": 0.5, "max_prob": 0.9}, [0.1, 0.1, 0.6, 0.2], "answer", "abuse"),
        # a family has a threshold and a margin of its own, in place of the general ones
        ({"max_prob": 0.7, "families": [OWN]}, [0.5, 0.3, 0.1, 0.1], "answer", "order"),
        ({"max_prob": 0.7, "families": [OWN]}, [0.3, 0.5, 0.1, 0.1], "teacher", "return"),
        ({"families": [OWN]}, [0.45, 0.4, 0.1, 0.05], "teacher", "order"),
        ({"families": [{"labels": ["order"], "max_prob": 0.9}]}, [0.8, 0.1, 0.1, 0.0], "teacher", "order"),
        ({"margin": 0.3, "families": [NO_MARGIN]}, [0.4, 0.3, 0.2, 0.1], "answer", "order"),
        # only answers of little value are refused; others go to the teacher
        ({"max_prob": 0.5, **LOW_VALUE}, [0.1, 0.39, 0.3, 0.21], "refuse", ""),
        ({"max_prob": 0.5, **LOW_VALUE}, [0.39, 0.1, 0.3, 0.21], "teacher", "order"),
        ({"max_prob": 0.5, **LOW_VALUE}, [0.1, 0.45, 0.3, 0.15], "teacher", "return"),
        ({"max_prob": 0.5, **LOW_VALUE}, [0.1, 0.1, 0.2, 0.6], "answer", "oos"),
    ],
)  # fmt: skip
def test_each_clause(document, probabilities, action, label):
    route = decide(document, probabilities)
    assert (route.action, route.label) == (action, label)
    assert route.probability == max(probabilities)


def test_slices_raise_the_threshold_and_never_lower_it():
    policy = {"max_prob": 0.5, "slices": {"fr": 0.8, "easy": 0.1, "minors": 1}}
    sure, unsure = [0.7, 0.1, 0.1, 0.1], [0.45, 0.35, 0.1, 0.1]
    assert decide(policy, sure).action == "answer"
    assert decide(policy, sure, slices=["fr"]).action == "teacher"
    assert decide(policy, sure, slices=["easy", "unknown"]).action == "answer"
    assert decide(policy, unsure, slices=["easy"]).action == "teacher"
    assert decide(policy, [1, 0, 0, 0], slices=["minors"]).action == "teacher"


@pytest.mark.parametrize(
    ("phrase", "text", "matches"),
    [
        ("charge back", "I want a CHARGE  back!", True),
        ("charge back", "discharge back", False),
        ("charge back", "charge backs", False),
        ("退款", "我要退款吗", True),
        ("suicide", "sui cide", False),
        ("c++", "teach me C++ now", True),
    ],
)
def test_rules_are_above_the_student(phrase, text, matches):
    policy = {"rules": [{"phrase": phrase, "label": "abuse"}], "max_prob": 0.9}
    route = decide(policy, [0.5, 0.3, 0.1, 0.1], text)
    assert (route.action, route.label) == (("answer", "abuse") if matches else ("teacher", "order"))


@pytest.mark.parametrize(
    ("document", "said"),
    [
        ({"max_prop": 0.5}, "'max_prop' is not known"),
        ({"max_prob": 1.5}, "max_prob must be from 0 to 1"),
        ({"max_prob": True}, "max_prob must be"),
        ({"margin": "a"}, "margin must be"),
        ({"refuse_as": "gone"}, "'gone' is no label"),
        ({"critical": ["gone"]}, "'gone' is no label"),
        ({"slices": {"fr": -1}}, "fr must be"),
        ({"slices": ["fr"]}, "slices: expected names with their thresholds"),
        ({"rules": [{"phrase": " ", "label": "abuse"}]}, "phrase is empty"),
        ({"rules": [{"phrase": "a"}]}, "rules: expected a phrase and a label each"),
        ({"rules": ["a"]}, "rules: expected a phrase and a label each"),
        ({"critical": "abuse"}, "critical: expected a list"),
        ({"refusable": ["gone"]}, "'gone' is no label"),
        ({"refusable": "oos"}, "refusable: expected a list"),
        ({"families": {"labels": ["order"], "most": 1}}, "families: expected labels, max_prob and margin"),
        ({"families": [{"labels": ["order"], "margin": 2}]}, "margin must be from 0 to 1"),
        ({"families": [{"max_prob": 0.5}]}, "families: expected labels"),
        ({"incumbent": ["ios"]}, "incumbent: expected an artifact and its slices"),
        (
            {"incumbent": {"artifact": "ab", "slices": "ios"}},
            "incumbent: expected an artifact and its slices",
        ),
    ],
)
def test_a_wrong_policy_is_refused_when_it_is_opened(document, said):
    with pytest.raises(ServingError, match=said):
        Policy(document, LABELS)


def test_a_slice_stays_with_the_version_before():
    kept = {"artifact": "ab" * 32, "slices": ["ios", "fr"]}
    document = {
        "incumbent": kept,
        "slices": {"fr": 1.0},
        "rules": [{"phrase": "charge back", "label": "return"}],
    }
    policy, sure = Policy(document, LABELS), np.array([0.9, 0.05, 0.03, 0.02])
    route = policy.decide("hello", sure, ["ios"])
    assert (route.action, route.label) == ("incumbent", "order") and "abababababab" in route.reason
    assert policy.decide("hello", sure).action == "answer"
    assert policy.decide("hello", sure, ["ios", "fr"]).action == "teacher"
    assert policy.decide("charge back", sure, ["ios"]).action == "answer"


def make_rows(seed, n=400, teacher=0.9):
    """A student whose confidence says something, a teacher that is right more often, and some oos."""
    rng = np.random.default_rng(seed)
    truth = rng.choice(4, n, p=[0.5, 0.3, 0.1, 0.1])
    logits = rng.normal(0, np.where(truth == 3, 0.3, 1.0)[:, None], (n, 4))
    logits[np.arange(n), truth] += np.where(truth == 3, 0.0, 2.5)
    powers = np.exp(logits)
    taught = np.where(rng.random(n) < teacher, truth, rng.integers(0, 4, n))
    return TuningRows(powers / powers.sum(1, keepdims=True), taught, truth, LABELS)


def judge(policy, rows, masks=None):
    slices = [Slice(name="overall", margin=1), *(Slice(name=name, margin=2) for name in masks or ())]
    masks = {"overall": np.ones(len(rows.truth), np.bool_), **(masks or {})}
    texts = ["hello"] * len(rows.truth)
    routed = route_rows(policy, LABELS, texts, rows.probabilities, rows.taught, masks)
    return judge_routing("a" * 64, policy, routed, rows.taught, JudgedRows(rows.truth, LABELS, slices, masks))


@given(st.integers(0, 10_000), st.sampled_from([0.5, 1.0, 3.0]), st.booleans(), st.booleans())
@settings(max_examples=40, deadline=None)
def test_what_is_tuned_holds_on_its_rows_as_it_is_served(seed, quality, refuses, is_critical):
    rows = make_rows(seed)
    routing = Routing(
        quality=quality,
        refuse_as="oos" if refuses else None,
        critical=("abuse",) if is_critical else (),
        teacher_per_1k=3,
    )
    policy = tune_policy(rows, routing, [], {})
    found = judge(policy, rows).slice_named("overall")
    assert found.quality.drop_from("teacher").high <= quality / 100 or policy["max_prob"] == 1
    if is_critical:
        place = {"overall": np.ones(len(rows.truth), np.bool_)}
        routed = route_rows(policy, LABELS, [""] * len(rows.truth), rows.probabilities, rows.taught, place)
        abuse = rows.truth == 2
        assert (routed.labels == 2)[abuse].sum() >= (rows.taught == 2)[abuse].sum()
    fewer = judge({**policy, "max_prob": policy["max_prob"] * 0.98}, rows).slice_named("overall")
    assert fewer.fallback.estimate <= found.fallback.estimate


def test_a_tuned_policy_calls_less_than_a_plain_threshold():
    rows = make_rows(3, n=2000)
    plain = tune_policy(rows, Routing(quality=2, teacher_per_1k=3), [], {})
    refusing = tune_policy(rows, Routing(quality=2, refuse_as="oos", teacher_per_1k=3), [], {})
    calls = [judge(policy, rows).slice_named("overall").fallback.estimate for policy in (plain, refusing)]
    assert calls[1] < calls[0]


def test_an_unsure_critical_class_does_not_send_everything_to_the_teacher():
    rows = make_rows(4, n=4000)
    table, taught = rows.probabilities.copy(), rows.taught.copy()
    abuse = rows.truth == 2
    taught[abuse] = 2
    away = np.flatnonzero((table.argmax(axis=1) == 2) & ~abuse)[:200]
    table[away] = [0.01, 0.01, 0.9, 0.08]  # called abuse, surely and wrongly
    rows = TuningRows(table, taught, rows.truth, LABELS)
    policy = tune_policy(rows, Routing(quality=8, critical=("abuse",), teacher_per_1k=3), [], {})
    place = {"overall": np.ones(len(rows.truth), np.bool_)}
    routed = route_rows(policy, LABELS, [""] * len(rows.truth), table, taught, place)
    assert (routed.labels == 2)[abuse].all()
    assert routed.to_teacher.mean() < 0.7 and policy["critical_prob"] > policy["max_prob"]


def test_a_slice_that_needs_more_gets_a_threshold_of_its_own():
    rows = make_rows(5, n=2000)
    weak = np.arange(2000) < 300
    table = rows.probabilities.copy()
    table[weak] = np.roll(table[weak], 1, axis=1)  # the student is nearly always wrong there
    rows = TuningRows(table, rows.taught, rows.truth, LABELS)
    routing = Routing(quality=8, slices=("weak",), teacher_per_1k=3)
    slices = [Slice(name="overall", margin=10), Slice(name="weak", margin=2)]
    masks = {"overall": np.ones(2000, np.bool_), "weak": weak}
    policy = tune_policy(rows, routing, slices, masks)
    assert policy["slices"]["weak"] > policy["max_prob"]
    found = judge(policy, rows, {"weak": weak})
    assert found.slice_named("weak").quality.drop_from("teacher").estimate <= 0.02
    risky = tune_policy(rows, Routing(quality=8, risky=("weak",), teacher_per_1k=3), slices, masks)
    assert risky["slices"] == {"weak": 1.0}
    # What goes to the teacher anyway leaves more to the student elsewhere.
    assert (
        risky["max_prob"] < tune_policy(rows, Routing(quality=8, teacher_per_1k=3), slices, masks)["max_prob"]
    )


@example(130, True)
@example(2548, True)
@given(st.integers(0, 10_000), st.booleans())
@settings(max_examples=15, deadline=None)
def test_further_calls_are_made_as_far_as_planned_where_they_prove_limits(seed, refuses):
    """The cheapest policy that holds the quality leaves false alarms and a floor to the student."""
    rows = make_rows(seed, n=3000, teacher=0.97)
    everywhere = np.ones(len(rows.truth), np.bool_)
    limits = [
        Slice(name="alarms", false_alarm_of=("abuse",), at_most=3),
        Slice(name="abuse", recall_of=("abuse",), margin=50, at_least=90),
    ]
    masks = {entry.name: everywhere for entry in limits}

    masks["risky"] = np.random.default_rng(seed).random(len(rows.truth)) < 0.1
    slices_of = {"risky": ("risky",)} if refuses else {}

    def serve(planned, slices):
        refusal = {"refuse_as": "oos"} if refuses else {}
        routing = Routing(quality=8, teacher_per_1k=3, planned_fallback=planned, **refusal, **slices_of)
        policy = tune_policy(rows, routing, slices, masks)
        return route_rows(policy, LABELS, [""] * len(rows.truth), rows.probabilities, rows.taught, masks)

    def missing(routed):
        abuse, called = rows.truth == 2, routed.labels == 2
        parts = (~called[~abuse], 0.97), (called[abuse], 0.9)
        lacking = (
            max(0, hits_to_prove(floor, len(hits), ROOM) - int(hits.sum())) / (len(hits) * (1 - floor))
            for hits, floor in parts
        )
        return round(sum(lacking), 9)

    cheapest, at_once, planned = serve(0.0, []), serve(0.0, limits), serve(0.5, limits)
    assert missing(at_once) <= missing(cheapest)
    assert at_once.to_teacher.sum() == cheapest.to_teacher.sum() <= planned.to_teacher.sum()
    assert planned.to_teacher.mean() <= 0.5
    assert missing(planned) < missing(cheapest)


@given(st.integers(0, 10_000))
@settings(max_examples=15, deadline=None)
def test_further_calls_are_made_for_a_margin_that_is_to_be_proven(seed):
    rows = make_rows(seed, n=3000, teacher=0.97)
    masks = {"few": np.random.default_rng(seed).random(len(rows.truth)) < 0.15}
    entry = Slice(name="few", margin=2.5, tier="prove")
    bounds, calls = [], []
    for slices in ([], [entry.model_copy(update={"tier": "watch"})], [entry]):
        routing = Routing(quality=8, teacher_per_1k=3, planned_fallback=0.6)
        policy = tune_policy(rows, routing, slices, masks)
        routed = route_rows(policy, LABELS, [""] * len(rows.truth), rows.probabilities, rows.taught, masks)
        few = masks["few"]
        hits, taught = (labels[few] == rows.truth[few] for labels in (routed.labels, rows.taught))
        lost, gained = int((taught & ~hits).sum()), int((hits & ~taught).sum())
        bounds.append(paired_drop_bound(lost, gained, int(few.sum()))[1])
        calls.append(routed.to_teacher.mean())
    assert bounds[0] == bounds[1] > bounds[2] and calls[0] == calls[1] < calls[2] <= 0.6


@given(st.integers(0, 10_000))
@settings(max_examples=15, deadline=None)
def test_a_critical_class_with_a_margin_may_lose_what_its_bound_allows(seed):
    """To find as many as the teacher to the last row may send most messages on."""
    rows = make_rows(seed, n=4000, teacher=0.97)
    masks = {"abuse": np.ones(len(rows.truth), np.bool_)}
    routing, abuse = Routing(quality=8, critical=("abuse",), teacher_per_1k=3), rows.truth == 2

    def serve(*slices):
        policy = tune_policy(rows, routing, slices, masks)
        routed = route_rows(policy, LABELS, [""] * len(rows.truth), rows.probabilities, rows.taught, masks)
        return (routed.labels == 2)[abuse], routed.to_teacher.sum()

    found, calls = serve(Slice(name="abuse", recall_of=("abuse",), margin=5))
    all_found, more_calls = serve()
    taught = (rows.taught == 2)[abuse]
    lost, gained = (int((one & ~other).sum()) for one, other in ((taught, found), (found, taught)))
    assert paired_drop_bound(lost, gained, int(abuse.sum()))[1] <= 0.05
    assert all_found.sum() >= taught.sum() and calls <= more_calls


def routed_of(policy, rows):
    return route_rows(policy, LABELS, [""] * len(rows.truth), rows.probabilities, rows.taught, {})


def test_what_is_set_by_hand_is_kept():
    rows = make_rows(6, n=1500)
    by_hand = {"max_prob": 0.72, "margin": 0.08}
    policy = tune_policy(rows, Routing(quality=0.1, teacher_per_1k=3, **by_hand), [], {})
    assert policy == by_hand  # whether the quality holds or not: the gate says that
    free = tune_policy(rows, Routing(quality=8, teacher_per_1k=3, margin=0.08), [], {})
    assert free["margin"] == 0.08 and judge(free, rows).slices[0].quality.drop_from("teacher").high <= 0.08
    refusing = Routing(quality=8, refuse_as="oos", refuse_below=0.31, teacher_per_1k=3)
    assert tune_policy(rows, refusing, [], {})["refuse_below"] == 0.31
    slices = [Slice(name="overall", margin=10), Slice(name="fr", margin=2)]
    masks = {name: np.ones(1500, np.bool_) for name in ("overall", "fr")}
    found = tune_policy(rows, Routing(quality=8, thresholds={"fr": 0.9}, teacher_per_1k=3), slices, masks)
    assert found["slices"] == {"fr": 0.9}


def make_near():
    """The student is wrong where two classes lie within 0.08, and right where they lie further apart."""
    rng = np.random.default_rng(0)
    lead = np.concatenate([rng.uniform(0.0, 0.07, 200), rng.uniform(0.09, 0.12, 1800)])
    table = np.stack([0.3 + lead, np.full(2000, 0.3), 0.2 - lead / 2, 0.2 - lead / 2], axis=1)
    truth = np.where(lead < 0.08, 1, 0)
    return TuningRows(table, truth.copy(), truth, LABELS)


def test_margins_near_the_documents_are_tried():
    """Thresholds tell these rows apart as well: the family of a margin is left, where only it can."""
    rows = make_near()
    bias = np.random.default_rng(1).permutation(2000)  # top probability says nothing any more
    table = rows.probabilities.copy()
    spread = np.linspace(0, 0.05, 2000)[bias]
    table[:, 0] += spread
    table[:, 1] += spread
    table[:, 2] -= spread
    table[:, 3] -= spread
    mixed = TuningRows(table, rows.taught, rows.truth, LABELS)
    policy = tune_policy(mixed, Routing(quality=0.5, teacher_per_1k=3), [], {})
    assert policy["margin"] in (0.04, 0.06, 0.08)
    plain = tune_policy(mixed, Routing(quality=0.5, teacher_per_1k=3), [], {}, plain=True)
    assert routed_of(policy, mixed).to_teacher.mean() < 0.15 < routed_of(plain, mixed).to_teacher.mean()


@given(st.integers(0, 10_000), st.booleans())
@settings(max_examples=5, deadline=None)
def test_a_family_has_a_threshold_of_its_own_where_that_calls_less(seed, is_critical):
    """The student is good at one family and bad at the other: one threshold cannot tell."""
    rows = make_rows(seed, n=1000, teacher=0.97)
    table, hard = rows.probabilities.copy(), rows.truth == 1
    table[hard] = table[hard][:, [2, 1, 0, 3]] * [1, 0.6, 1, 1]
    table /= table.sum(axis=1, keepdims=True)
    rows = TuningRows(table, rows.taught, rows.truth, LABELS)
    critical = {"critical": ("abuse",)} if is_critical else {}
    asked = {"quality": 4, "teacher_per_1k": 3, **critical}
    families = {"orders": {"labels": ("order",)}, "returns": {"labels": ("return", "oos")}}
    one, own = (tune_policy(rows, Routing(**asked, **more), [], {}) for more in ({}, {"families": families}))
    assert {key: own[key] for key in one} == one
    calls = [routed_of(policy, rows).to_teacher.mean() for policy in (one, own)]
    assert calls[1] < calls[0] if "families" in own else calls[1] == calls[0]
    assert judge(own, rows).slices[0].quality.drop_from("teacher").high <= 0.04 or own["max_prob"] == 1
    if is_critical:
        abuse = rows.truth == 2
        assert (routed_of(own, rows).labels == 2)[abuse].sum() >= (rows.taught == 2)[abuse].sum()


def test_a_family_set_by_hand_is_kept():
    rows = make_rows(2, n=1500)
    by_hand = {"labels": ("order",), "max_prob": 0.6, "margin": 0.08}
    routing = Routing(quality=8, teacher_per_1k=3, families={"orders": by_hand})
    assert tune_policy(rows, routing, [], {})["families"] == [{**by_hand, "labels": ["order"]}]


def test_an_unsure_answer_of_little_value_is_refused_and_no_other():
    rows = make_rows(3, n=2000)
    asked, is_low = {"quality": 6, "teacher_per_1k": 3, "margin": 0}, np.isin(rows.answers, [1, 3])
    tuned, given = (
        tune_policy(rows, Routing(**asked, low_value=("return", "oos"), **more), [], {})
        for more in ({}, {"max_prob": 0.6})
    )
    assert given["refusable"] == ["return", "oos"] and given["refuse_below"] == given["max_prob"] == 0.6
    found, unsure = routed_of(given, rows), rows.probabilities.max(axis=1) < 0.6
    assert found.refused.any() and (found.refused == (is_low & unsure)).all()
    assert found.to_teacher.any() and (found.to_teacher == (~is_low & unsure)).all()
    assert tuned["refusable"] == ["return", "oos"]
    assert tuned["max_prob"] in (1.0, tuned.get("refuse_below", 0.0))  # 1: nothing cheaper holds
    assert judge(tuned, rows).slices[0].quality.drop_from("teacher").high <= 0.06  # refusals count as misses
    by_hand = tune_policy(rows, Routing(**asked, low_value=("oos",), refuse_below=0.3), [], {})
    assert (by_hand["refuse_below"], by_hand["refusable"]) == (0.3, ["oos"])
    assert np.isin(rows.answers[routed_of(by_hand, rows).refused], [3]).all()


@pytest.mark.parametrize(
    ("settings", "words"),
    [
        ({"refuse_below": 0.3}, "refuse_below needs refuse_as, or low_value"),
        ({"refuse_as": "oos", "refuse_below": 0.6, "max_prob": 0.5}, "refuse_below is above max_prob"),
        ({"low_value": ("abuse",), "critical": ("abuse",)}, "low_value and critical both name 'abuse'"),
        ({"critical": ("abuse",), "families": {"a": {"labels": ("abuse",)}}}, "which is critical"),
        ({"families": {"a": {"labels": ("oos",)}, "b": {"labels": ("oos",)}}}, "both name 'oos'"),
        ({"slices": ("fr",), "thresholds": {"fr": 0.4}}, "thresholds sets 'fr' by hand"),
    ],
)
def test_settings_that_contradict_each_other_are_refused(settings, words):
    with pytest.raises(ValueError, match=words):
        Routing(teacher_per_1k=3, **settings)
