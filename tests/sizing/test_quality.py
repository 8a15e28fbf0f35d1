import numpy as np

from edgekd.sizing.quality import EasyCheck, check_easy, find_too_small


def at(rows_seen, student):
    return EasyCheck(rows_seen, student, 0.99, 3, 200)


def test_easy_slices_are_those_that_the_teacher_hardly_errs_in():
    teacher, student = np.ones(100), np.ones(100)
    teacher[60:] = student[:20] = 0.0
    groups = [np.arange(100) < 40, np.arange(100) >= 60, np.arange(100) < 60]
    found = check_easy(500, student, teacher, groups)
    assert found == EasyCheck(500, 2 / 3, 1.0, 2, 60)
    assert check_easy(500, student, teacher, groups[1:2]) is None
    assert check_easy(500, student[:20], teacher[:20], [np.ones(20, bool)]) is None


def test_too_small_is_who_stays_weak_after_one_or_two_passes():
    assert find_too_small([at(500, 0.3)], 1000) is None  # not one pass yet
    assert find_too_small([at(1000, 0.7)], 1000) is None  # one pass: it may catch up
    assert find_too_small([at(1000, 0.7), at(1500, 0.95)], 1000) is None
    assert "70.0 %" in (find_too_small([at(1000, 0.69), at(1500, 0.70)], 1000) or "")
    found = find_too_small([at(2000, 0.8)], 1000)
    assert found is not None and "80.0 %" in found and "2.0 passes" in found and "99.0 %" in found
    assert find_too_small([at(2000, 0.8), at(6000, 0.97)], 1000) is None
