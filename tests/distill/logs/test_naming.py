from edgekd.distill.logs.naming import name_fields
from edgekd.distill.logs.training_events import EpochSummary, TrainStep


def test_values_go_to_their_own_fields_and_the_others_by_name():
    found = name_fields(EpochSummary, {"hard_ce": 0.5, "kd_kl": 0.2}, "train_terms", "train_")
    assert found == {"train_hard_ce": 0.5, "train_terms": {"kd_kl": 0.2}}
    assert name_fields(TrainStep, {"hard_ce": 0.5, "kd_kl_t2": 0.1}, "terms") == {
        "hard_ce": 0.5,
        "kd_kl_t2": 0.1,
    }
