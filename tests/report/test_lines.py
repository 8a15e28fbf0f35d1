from dataclasses import replace

from report_example import example_report

from edgekd.report.lines import target_lines


def target_line(target):
    return target_lines((target,))[0]


def test_promoted_line_holds_every_figure():
    line = target_line(example_report().targets[0])
    assert line == (
        "lambda-x86: static-onnxruntime-int8-dynamic  p50 0.204 ms  p95 0.340 ms [0.323–0.357]  "
        "memory 61.0 MiB  size 6.1 MiB  worst drop +1.82 points (fr)  "
        "lowest floor: escalation:safety_abuse 95.8 % [94.0] of 93  promoted"
    )


def test_what_is_not_promoted_says_why():
    _, arm, mobile, intel, gpu = example_report().targets
    assert target_line(gpu).startswith("gpu: not measured: this machine has no NVIDIA GPU")
    assert target_line(mobile) == (
        "mobile-lowmem: not promoted: nearest is static-onnxruntime-fp32; 2 of 9 checks hold it: "
        "peak_rss_mib (257 MiB, limit 256 MiB) and 1 more; the teacher itself misses the floor of "
        "safety:safety_self_harm"
    )
    assert len(target_line(mobile)) <= 250
    unknown = replace(mobile, next_step=None)
    assert target_line(unknown).startswith("mobile-lowmem: not promoted: no variant passes every gate")
    assert target_line(arm).endswith("  promoted (proxy latency)")
    assert target_line(intel).endswith("promoted (proxy latency), tie with layers2-openvino-fp32")


def test_columns_stand_under_one_another():
    targets = example_report().targets
    lines = target_lines(targets)
    assert len(lines) == len(targets)
    promoted = [line for target, line in zip(targets, lines, strict=True) if target.promoted]
    for word in (
        "  p50 ",
        "  p95 ",
        "  memory ",
        "  size ",
        "  worst drop ",
        "  lowest floor: ",
        "  promoted",
    ):
        assert len({line.index(word) for line in promoted}) == 1, word
    assert all("\n" not in line and line.isprintable() for line in lines)


def test_incumbent_that_was_not_tried_again_has_no_figures():
    target = replace(example_report().targets[0], promoted="old", variants=())
    assert target_line(target).split() == ["lambda-x86:", "old", "promoted"]


def test_without_floors_there_is_no_column_of_floors():
    target = example_report().targets[0]
    target = replace(target, slices=tuple(part for part in target.slices if part.at_least is None))
    assert target_line(target).endswith("worst drop +1.82 points (fr)  promoted")


def test_terminal_codes_in_names_are_dropped():
    target = replace(example_report().targets[4], reason="no\x1b[31m GPU\nhere")
    assert target_line(target) == "gpu: not measured: no[31m GPU here"


def test_no_targets():
    assert target_lines(()) == []
