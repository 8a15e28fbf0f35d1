from report_example import CONFUSIONS, HOSTILE, classes

from edgekd.report.classes import BiasNote, confusion_matrix, worst_classes


def test_the_lowest_recall_comes_first_and_the_rest_is_counted():
    shown, left = worst_classes(classes(), 2)
    assert [row.name for row in shown] == ["dispute_unauthorised", "faq_payment"]
    assert left == 4
    assert worst_classes((), 2) == ((), 0)


def test_a_matrix_holds_every_row_of_every_class_once():
    matrix = confusion_matrix(classes(), CONFUSIONS)
    assert matrix is not None
    support = {row.name: row.n for row in classes()}
    assert {name: sum(counts) for name, counts in matrix.rows} == support
    assert matrix.answers[-1] == "refused"
    assert HOSTILE in matrix.answers
    assert confusion_matrix(classes(31), CONFUSIONS) is None
    assert confusion_matrix((), ()) is None


def test_a_bias_that_adds_nothing_has_no_price():
    assert BiasNote(added=(), accuracy_before=0.9, accuracy_after=0.9).words == ""
    unmet = BiasNote(added=(), accuracy_before=0.9, accuracy_after=0.9, unmet=("safety",)).words
    assert unmet == "No bias makes validation rows prove the limits of safety."
