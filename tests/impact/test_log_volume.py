import pytest

from edgekd.errors import BadInputError
from edgekd.impact.log_volume import LogMode, log_volume


def test_volume_and_cost_are_the_worked_ones(golden):
    worked = golden["logging"]
    requests, price = worked["requests_per_day"], worked["usd_per_tb"]
    volume = log_volume(requests, [LogMode("full", 1, worked["payload_bytes"])], price)
    assert volume.bytes_per_day == {"full": worked["bytes_per_day"]}
    assert volume.tb_per_month == pytest.approx(worked["tb_per_month_by_bytes"])
    assert volume.usd_per_month == pytest.approx(worked["usd_per_month_by_bytes"])


def test_mixed_units_come_out_only_when_they_are_asked_for(golden):
    worked = golden["logging"]
    requests, price = worked["requests_per_day"], worked["usd_per_tb"]
    mixed = log_volume(requests, [LogMode("full", 1, 12 * 1024)], price, "gib-as-gb")
    assert mixed.gb_per_day == pytest.approx(worked["gib_per_day_if_payload_is_12_kib"], abs=0.05)
    assert mixed.tb_per_month == worked["tb_per_month"]
    assert mixed.usd_per_month == pytest.approx(worked["usd_per_month"])


def test_modes_share_the_requests(golden):
    modes = [LogMode(name, share, 1000) for name, share in golden["logging"]["modes"].items()]
    assert log_volume(1_000_000, modes, 0).gb_per_day == pytest.approx(1.0)
    with pytest.raises(BadInputError, match=r"add up to 1\.2"):
        log_volume(1_000_000, [*modes, LogMode("more", 0.2, 1)], 0)
