"""How busy a GPU is, as its driver says; the driver's library is played where there is none."""

import threading

import pytest

from edgekd.distill.logs.gpu import GpuWatch, open_reader
from edgekd.distill.logs.profile import StageClock, name_bottleneck


class Driver:
    """Answers as NVML does: 0 for success, and what is asked for in what it is given a place of."""

    def __init__(self, busy=30, fails=()):
        self.busy, self.fails = busy, fails

    def _code(self, name):
        return 3 if name in self.fails else 0

    def nvmlInit_v2(self):
        return self._code("init")

    def nvmlDeviceGetHandleByUUID(self, uuid, place):
        assert uuid == b"GPU-1a2b"
        place._obj.value = 7
        return self._code("handle")

    def nvmlDeviceGetUtilizationRates(self, handle, place):
        assert handle.value == 7
        place._obj.gpu = self.busy
        return self._code("rates")


def test_the_drivers_percent_is_a_share():
    read = open_reader("GPU-1a2b", Driver(30))
    assert read is not None and read() == 0.3


@pytest.mark.parametrize("step", ["init", "handle", "rates"])
def test_a_driver_that_does_not_tell_is_not_asked(step):
    assert open_reader("GPU-1a2b", Driver(fails=(step,))) is None


def test_a_profile_has_the_mean_since_the_last_one():
    seen, told = iter([0.2, 0.4, None, 0.8]), threading.Event()

    def read():
        share = next(seen, None)
        if share == 0.8:
            told.set()
        return share

    watch = GpuWatch(read, every_seconds=0.001)
    assert told.wait(5)
    watch.close()
    clock = StageClock(gpu=watch.take)
    found = clock.profile("small", 1, threads=1)
    assert found.gpu_utilization == pytest.approx((0.2 + 0.4 + 0.8) / 3)
    assert clock.profile("small", 2, threads=1).gpu_utilization is None
    busy = found.model_copy(update={"other_fraction": 0.0, "student_step_fraction": 1.0})
    assert "the GPU is busy 47 % of it" in name_bottleneck(busy).words
