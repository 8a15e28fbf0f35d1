"""A run's report as a run would fill it, with names that try to break out of their place."""

from __future__ import annotations

from dataclasses import replace

from edgekd.evaluate.teacher_floor import TeacherFloor
from edgekd.gate.binding import Binding
from edgekd.gate.next_step import NextStep
from edgekd.report.classes import BiasNote, ClassRow, ConfusionRow
from edgekd.report.slices import SliceRow, SliceValue
from edgekd.report.teacher import TeacherNote, TeacherTimes
from edgekd.report.variants import CheckRow, DropBound, ReliabilityRow, RoutedRow, VariantRow
from edgekd.report.view import Curve, DataNote, EpochPoint, RunReport, TargetReport
from edgekd.stats.interval import Interval

HOSTILE = "<script>alert(1)</script>"
PIPED = "returns | *refunds*\n`now`"
MIB = 1024 * 1024
TEACHER = 0.962

_SLICES = (
    ("overall", "prove", "accuracy", 4120, 0.015, TEACHER),
    ("safety", "prove", "recall of safety_escalation", 402, 0.03, 0.965),
    ("payment", "prove", "recall of payment_dispute", 410, 0.03, 0.951),
    ("fr", "watch", "accuracy", 611, 0.04, 0.949),
    ("mobile", "watch", "accuracy", 1204, 0.04, 0.958),
    (HOSTILE, "watch", "accuracy", 143, 0.04, 0.93),
    (PIPED, "watch", "accuracy", 398, 0.04, 0.97),
)

_WARNED = "fr"
"""A watched slice that one variant exceeds without proof."""

_FLOORS = (
    ("escalation:safety_abuse", "prove", "recall", "all", 402, 0.93, None),
    ("escalation:safety_self_harm", "prove", "recall", "all", 310, 0.9, None),
    ("called-safety", "watch", "precision", "weighted", 388, 0.8, None),
    ("false-escalations", "prove", "false_alarm", "traffic", 3900, None, 0.01),
)

_CLASSES = ("dispute_unauthorised", "faq_payment", "rec_genre", "safety_abuse", "safety_self_harm", HOSTILE)

_SAID = (0.52, 0.71, 0.83, 0.9, 0.94, 0.96, 0.97, 0.98, 0.99)


def around(estimate: float, share: float = 0.05, confidence: float = 0.95) -> Interval:
    return Interval(estimate, estimate * (1 - share), estimate * (1 + share), confidence)


def plus_minus(estimate: float, arm: float, confidence: float = 0.95) -> Interval:
    return Interval(estimate, estimate - arm, min(1.0, estimate + arm), confidence)


def variant(
    name: str,
    p95_ms: float,
    drop: float,
    *,
    status: str = "pass",
    size: float = 8.4,
    memory: float = 71.0,
    on_front: bool = False,
    student: str = "layers2",
    runtime: str = "onnxruntime",
    recipe: str = "int8-dynamic",
) -> VariantRow:
    bound = drop + 0.0055
    limit_state = "pass" if p95_ms <= 20 else "fail"
    quality_state = "pass" if bound <= 0.015 else "fail" if drop > 0.02 else "inconclusive"
    checks = (
        CheckRow("latency p95", limit_state, f"{p95_ms * 1.05:.2f} ms", "20 ms", "upper end of the interval"),
        CheckRow("cold start", "pass", f"{p95_ms * 20 + 90:.0f} ms", "1000 ms"),
        CheckRow("memory", "pass", f"{memory:.0f} MiB", "256 MiB"),
        CheckRow("artifact size", "pass", f"{size:.1f} MiB", "25 MiB"),
        CheckRow(
            "quality overall",
            quality_state,
            f"{100 * drop:+.2f}, bound {100 * bound:+.2f} points",
            "+1.50 points",
            "" if quality_state == "pass" else "the one-sided 95 % bound of the drop is beyond the margin",
        ),
    )
    return VariantRow(
        name=name,
        student=student,
        runtime=runtime,
        recipe=recipe,
        status=status,
        p50_ms=around(p95_ms * 0.6),
        p95_ms=around(p95_ms),
        cold_start_ms=p95_ms * 20 + 90,
        peak_rss_bytes=int(memory * MIB),
        artifact_bytes=int(size * MIB),
        quality=plus_minus(TEACHER - drop, 0.006),
        overall_drop=DropBound(drop, bound),
        worst_slice="fr",
        worst_slice_drop=drop + 0.012,
        speedup_vs_teacher=around(24.0 / p95_ms, 0.08),
        speedup_vs_teacher_onnx=around(9.0 / p95_ms, 0.08),
        on_front=on_front,
        checks=checks,
    )


def slices(variants: tuple[VariantRow, ...]) -> tuple[SliceRow, ...]:
    rows = []
    for index, (name, tier, metric, n, margin, teacher) in enumerate(_SLICES):
        arm = 0.5 / n**0.5
        values = []
        for row in variants:
            if row.overall_drop is None:
                continue
            drop = row.overall_drop.estimate + (0, 0.002, -0.004, 0.012)[index % 4]
            proven = drop + arm / 2 <= margin if tier == "prove" else drop - arm / 2 <= margin
            harm = drop - arm / 2 > margin
            values.append(
                SliceValue(
                    variant=row.name,
                    value=plus_minus(teacher - drop, arm),
                    drop_vs_teacher=Interval(drop, drop - arm / 2, drop + arm / 2, 0.9),
                    drop_vs_fp32=None if row.recipe == "fp32" else Interval(0.001, -0.004, 0.006, 0.9),
                    status="fail"
                    if harm
                    else "warning"
                    if name == _WARNED and row.recipe == "int8-mixed"
                    else "pass"
                    if proven
                    else "inconclusive",
                )
            )
        rows.append(
            SliceRow(
                name=name,
                tier=tier,
                metric=metric,
                n=n,
                margin=margin,
                teacher=plus_minus(teacher, arm),
                variants=tuple(values),
            )
        )
    return (*rows, *floors(variants))


def floors(variants: tuple[VariantRow, ...]) -> tuple[SliceRow, ...]:
    """Slices with limits of their own; precision has no drop, as two models call other rows."""
    rows = []
    for name, tier, metric, sampling, n, at_least, at_most in _FLOORS:
        values = []
        for place, row in enumerate(row for row in variants if row.overall_drop is not None):
            value = 0.0065 if at_most else 0.962 - 0.004 * place - (0.02 if "self_harm" in name else 0)
            bound = value + 0.002 if at_most else value - 0.018
            kept = bound <= at_most if at_most else bound >= at_least
            drop = None if metric == "precision" else Interval(0.004, -0.003, 0.011, 0.9)
            values.append(
                SliceValue(
                    variant=row.name,
                    value=plus_minus(value, 0.002),
                    drop_vs_teacher=drop,
                    bound=bound,
                    status="pass" if kept else "inconclusive",
                )
            )
        rows.append(
            SliceRow(
                name=name,
                tier=tier,
                metric=metric,
                n=n,
                margin=None,
                teacher=None if metric == "precision" else plus_minus(0.966, 0.01),
                at_least=at_least,
                at_most=at_most,
                sampling=sampling,
                variants=tuple(values),
            )
        )
    return tuple(rows)


def classes(count: int = len(_CLASSES)) -> tuple[ClassRow, ...]:
    """Classes in no order of recall; the one of the hostile name has no answer, and no precision."""
    names = [*_CLASSES, *(f"intent_{place:02d}" for place in range(count - len(_CLASSES)))][:count]
    return tuple(
        ClassRow(
            name,
            800 + place,
            300 + place,
            plus_minus(0.9 + 0.015 * (place % 7), 0.02),
            None if name == HOSTILE else plus_minus(0.93, 0.02),
            plus_minus(0.95, 0.02),
            plus_minus(0.94, 0.02),
        )
        for place, name in enumerate(names)
    )


CONFUSIONS = (
    ConfusionRow("dispute_unauthorised", "faq_payment", 21),
    ConfusionRow("safety_abuse", "rec_genre", 9),
    ConfusionRow(HOSTILE, "", 4),
)


def next_step() -> NextStep:
    """Two checks hold the nearest variant, and its teacher is under a floor."""
    quality = Binding(
        "static-onnxruntime-fp32",
        "quality fraud",
        "inconclusive",
        "drop +2.04, -1.20 to +8.10 points, n 49",
        "+3.00 points",
        "95 % bound +8.10 points exceeds the margin",
        n=49,
        rows_needed=1200,
        provable=0.081,
        asked=0.03,
        value=0.0204,
        is_margin=True,
    )
    memory = Binding(
        "static-onnxruntime-fp32", "peak_rss_mib", "fail", "257 MiB", "256 MiB", "1 MiB too much"
    )
    under = TeacherFloor("safety:safety_self_harm", "recall", 0.23, 0.9, 300, 54, "add rows")
    return NextStep("static-onnxruntime-fp32", 9, (memory, quality), (under,))


def target(name: str, description: str, variants: tuple[VariantRow, ...], **fields: object) -> TargetReport:
    values: dict[str, object] = {
        "status": "promoted",
        "reason": "lowest p95 of the two variants that pass every gate",
        "objective": "p95_ms",
        "basis": "native",
        "p95_limit_ms": 20.0,
        "variants": variants,
        "slices": slices(variants),
    }
    return TargetReport(name=name, description=description, **{**values, **fields})


def example_report() -> RunReport:
    static = variant(
        "static-onnxruntime-int8-dynamic", 0.34, 0.0062, size=6.1, memory=61, on_front=True, student="static"
    )
    shares = {"overall": (0.071, 0.02), HOSTILE: (1.0, 0.0)}
    static = replace(
        static,
        routing=tuple(
            RoutedRow(
                name, 5500, plus_minus(TEACHER, 0.006), plus_minus(asked, 0.0), plus_minus(refused, 0.0)
            )
            for name, (asked, refused) in shares.items()
        ),
        policy='{"max_prob": 0.52, "slices": {"<b>": 1.0}}',
        reliability=tuple(
            ReliabilityRow(
                name, n, 0.0132, 0.0084, tuple((said, plus_minus(said - 0.01, 0.02)) for said in _SAID)
            )
            for name, n in (("overall", 5500), (HOSTILE, 143))
        ),
        classes=classes(),
        confusions=CONFUSIONS,
        bias=BiasNote(
            added=(("safety_self_harm", 1.25), ("dispute_unauthorised", 0.5)),
            accuracy_before=0.916,
            accuracy_after=0.9129,
            unmet=("called-safety",),
            thin=(("safety_self_harm", 120),),
        ),
    )
    layers = variant("layers2-onnxruntime-int8-dynamic", 2.3, 0.0031, on_front=True, size=11.8, memory=96)
    full = variant(
        "layers2-onnxruntime-fp32", 4.1, 0.0028, on_front=True, size=24.2, memory=131, recipe="fp32"
    )
    large = variant("layers4-onnxruntime-fp32", 6.2, 0.0015, status="not eligible", size=44.0, recipe="fp32")
    too_large = CheckRow("artifact_mib", "not eligible", "44.0 MiB", "25.0 MiB", "19.0 MiB too much")
    large = replace(large, checks=(*large.checks, too_large))
    warned = variant("layers2-onnxruntime-int8-mixed", 2.9, 0.0093, size=13.0, recipe="int8-mixed")
    reason = "the drop exceeds the margin, but with 611 rows that is not proven"
    warning = CheckRow("quality fr", "warning", "drop +2.13 points", "+1.50 points", reason)
    warned = replace(warned, checks=(*warned.checks, warning))
    unsure = variant(
        "static-onnxruntime-fp32",
        0.41,
        0.0112,
        status="inconclusive",
        size=22.0,
        student="static",
        recipe="fp32",
    )
    harmful = variant("layers1-onnxruntime-int8-dynamic", 1.2, 0.034, status="fail", student="layers1")
    slow = variant(f"teacher6-{HOSTILE}-int8", 31.0, 0.001, status="fail", student=HOSTILE, recipe="int8|x")
    absent = VariantRow(
        name="layers2-litert-int8-dynamic",
        student="layers2",
        runtime="litert",
        recipe="int8-dynamic",
        status="not built",
        checks=(
            CheckRow(
                "build",
                "not measured",
                "litert is not installed",
                "built",
                'run: pip install "edgekd[litert]"',
            ),
        ),
    )
    every = (slow, static, layers, full, unsure, harmful, absent, large, warned)
    proxy = {
        "status": "promoted (proxy latency)",
        "basis": "proxy",
        "basis_reason": "This machine is x86-64, the target aarch64: quality is its own.",
    }
    ov = variant(
        "layers2-openvino-int8-nncf", 1.7, 0.0044, on_front=True, runtime="openvino", recipe="int8-nncf"
    )
    ov32 = variant(
        "layers2-openvino-fp32", 3.3, 0.0028, on_front=True, runtime="openvino", recipe="fp32", size=23
    )
    targets = (
        target(
            "lambda-x86",
            "AWS Lambda on x86-64 with one vCPU; only AVX2 may be counted on",
            every,
            promoted=static.name,
        ),
        target(
            "lambda-arm",
            "AWS Lambda on arm64 (Graviton) with one vCPU",
            (static, layers),
            promoted=static.name,
            **proxy,
        ),
        target(
            "mobile-lowmem",
            "Low-memory Android phone (arm64), where the size of the download decides",
            (harmful, unsure, slow),
            status="not promoted",
            reason=f"no variant passes every gate; nearest is static-onnxruntime-fp32: {PIPED} inconclusive",
            basis="proxy",
            basis_reason=proxy["basis_reason"],
            objective="artifact_bytes",
            p95_limit_ms=50.0,
            next_step=next_step(),
        ),
        target(
            "intel-openvino",
            "Intel server CPU through OpenVINO",
            (ov, ov32),
            promoted=ov.name,
            tie_with=ov32.name,
            **proxy,
        ),
        TargetReport(
            name="gpu",
            description="One NVIDIA GPU",
            status="not measured",
            reason="this machine has no NVIDIA GPU; on one that has: edgekd run --target gpu",
            objective="p95_ms",
            basis="not measured",
        ),
    )
    epochs = [
        Curve(
            name,
            tuple(
                EpochPoint(e, 2.4 * 0.8**e + 0.2, 2.1 * 0.82**e + 0.3, top - 0.3 * 0.7**e, losses(e))
                for e in range(1, count + 1)
            ),
        )
        for name, top, count, losses in (
            ("static", 0.956, 18, lambda e: ()),
            (
                "layers2",
                0.961,
                10,
                lambda e: (("hard CE", 0.9 * 0.8**e + 0.1), ("soft KL", 1.9 * 0.78**e + 0.1)),
            ),
        )
    ]
    return RunReport(
        project="mangaassist",
        created_utc="2026-03-04 10:11:12 UTC",
        command="edgekd run edgekd.yaml --set seed=0",
        environment="AMD EPYC, 2 cores, Linux 6.1, Python 3.11, torch 2.13.0, onnxruntime 1.31.1, one thread",
        data=DataNote(
            rows=(("train", 9000), ("calibration", 800), ("validation", 1200), ("test", 4120)),
            source="mangaassist",
            digest="9f2d" * 16,
            baseline=(("bag of words, linear", 0.894),),
            counted="3,900 of 4,120 test rows are drawn as traffic comes (data.sample: NOT extra).",
        ),
        teacher=TeacherNote(
            name="minilm-l6",
            parameters=22_713_216,
            quality=plus_minus(TEACHER, 0.006),
            weights_bytes=90_852_864,
            times=(TeacherTimes(1, around(13.0), around(24.0), around(9.0)),),
        ),
        targets=targets,
        curves=tuple(epochs),
    )
