import subprocess
import sys

import pytest

from edgekd.serve_log import LogPolicy

KEY = b"a key of twenty bytes"


def test_shares_are_what_they_are_said_to_be():
    policy = LogPolicy(KEY, full_share=0.004, risky=("safety",), forensic_share=0.25)
    modes = [policy.mode_of(f"request {number}") for number in range(100_000)]
    assert modes.count("full") == pytest.approx(400, abs=80)
    assert "forensic" not in modes
    risky = [policy.mode_of(f"request {number}", ["faq", "safety"]) for number in range(10_000)]
    assert risky.count("forensic") == pytest.approx(2500, abs=200)


def test_another_process_and_another_key_keep_the_same_requests():
    words = (
        "from edgekd.serve_log import LogPolicy; p = LogPolicy(bytes(16), full_share=0.3); "
        "print([p.mode_of(f'r{n}') for n in range(50)])"
    )
    said = subprocess.run([sys.executable, "-c", words], capture_output=True, text=True, check=True).stdout
    policy = LogPolicy(KEY, full_share=0.3)
    assert said.strip() == str([policy.mode_of(f"r{number}") for number in range(50)])


def test_a_hash_is_equal_for_equal_ids_and_depends_on_the_key():
    one, other = LogPolicy(KEY), LogPolicy(KEY + b"!")
    assert one.hide("customer 7") == one.hide("customer 7") != one.hide("customer 8")
    assert one.hide("customer 7") != other.hide("customer 7")
    assert "customer" not in one.hide("customer 7")


@pytest.mark.parametrize(
    ("given", "words"),
    [
        ({"key": b"short"}, "key: has 5 bytes"),
        ({"key": KEY, "full_share": 1.2}, "full_share: expected a share"),
    ],
)
def test_a_policy_that_protects_nothing_is_refused(given, words):
    with pytest.raises(ValueError, match=words):
        LogPolicy(**given)
