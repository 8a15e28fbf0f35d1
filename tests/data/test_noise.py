from edgekd.data.noise import augment

TEXTS = ["where is my order from last week", "i want a refund", "ok"]


def test_augmentation_is_repeatable_and_never_empty():
    made = augment(TEXTS, 20, seed=3)
    assert made == augment(TEXTS, 20, seed=3)
    assert made != augment(TEXTS, 20, seed=4)
    assert len(made) == 60
    assert all(text.strip() for text in made)


def test_most_copies_differ_from_their_text():
    made = augment(TEXTS[:1], 50, seed=0)
    assert sum(text != TEXTS[0] for text in made) > 30


def test_a_row_does_not_depend_on_how_many_copies_others_get():
    assert augment(TEXTS, 2, 0)[:2] == augment(TEXTS, 3, 0)[:2]
