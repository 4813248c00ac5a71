"""Reading what strangers send: exact numbers as text, known fields once, plain text, and nothing that breaks us."""

from __future__ import annotations

from decimal import Decimal

import msgspec
import pytest

from quant_trading_system.console.answers import Refusal
from quant_trading_system.console.bodies import MAX_TEXT, from_body, from_query

JSON = "application/json"


class Inner(msgspec.Struct, frozen=True):
    price: Decimal


class Form(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """All kinds of fields."""

    quantity: Decimal = Decimal(0)
    count: int = 0
    name: str = ""
    inner: Inner | None = None
    prices: tuple[Decimal, ...] = ()
    by_name: dict[str, Decimal] = {}
    flag: bool = False


def read(text, content_type=JSON, path=()):
    return from_body(Form, content_type, text.encode("utf-8", "surrogatepass"), dict(path))


def refused(text, **options):
    with pytest.raises(Refusal) as caught:
        read(text, **options)
    return caught.value.status, caught.value.answer


def test_numbers_come_as_text_and_stay_exact():
    form = read('{"quantity": "10.250000001", "inner": {"price": "-0.1"}, "prices": ["1"], "by_name": {"KO": "2"}}')
    assert (form.quantity, form.inner.price) == (Decimal("10.250000001"), Decimal("-0.1"))
    assert (form.prices, form.by_name) == ((Decimal(1),), {"KO": Decimal(2)})


@pytest.mark.parametrize("number", [
    "1", "1.5", "0", "-1", "1e5", "true", '"NaN"', '"Infinity"', '"-Infinity"', '"sNaN"', '"1e5"',
    '"1E+999999999"', '"1e-999999999"', '"1_0"', '" 1"', '"1 "', '"+1"', '"0x10"', '"\u0661"', '""', '"."', '"1."',
    '"0.1234567891"', '"1000000000000000"', '"' + "9" * 1000 + '"', "[]", "{}", '"1\\n"', '"1,5"'])  # fmt: skip
@pytest.mark.parametrize(
    "form", ['{{"quantity": {}}}', '{{"inner": {{"price": {}}}}}', '{{"prices": [{}]}}', '{{"by_name": {{"KO": {}}}}}']
)
def test_what_is_no_plain_decimal_text_is_refused(form, number):
    status, answer = refused(form.format(number))
    assert (status, answer.code) == (422, "invalid_request")


@pytest.mark.parametrize("text", [
    "NaN", "Infinity", "-Infinity", '{"quantity": NaN}', '{"count": Infinity}', "{", "[", "nul", "[" * 100_000,
    '{"count": ' + "9" * 5000 + "}", '{"a":' * 100_000, '{"count": 1, "count": 2}', "\ud800",
])  # fmt: skip
def test_what_is_no_json_is_refused(text):
    status, answer = refused(text)
    assert (status, answer.code) == (400, "malformed_json")


@pytest.mark.parametrize("text", ["[]", "1", '"x"', "null", "true"])
def test_only_objects_are_read(text):
    assert refused(text)[0] == 422


@pytest.mark.parametrize("text", ['{"x": 1}', '{"inner": {"price": "1", "x": 1}}', '{"Quantity": "1"}', '{"": 1}'])
def test_unknown_fields_are_refused_at_any_depth(text):
    status, answer = refused(text)
    assert status == 422
    assert "unknown field" in answer.message


@pytest.mark.parametrize("count", ["1.0", "1e2", '"1"', "true", "99999999999999999999999", "null"])
def test_whole_numbers_are_whole_numbers(count):
    assert refused(f'{{"count": {count}}}')[0] == 422


@pytest.mark.parametrize(
    "text", ["\\u0000", "a\\nb", "\\u001b[31m", "\\u202e", "\\u200b", "\\ud800", "\\u0085", "\\ufeff", "\\u2028"]
)
def test_text_that_could_deceive_a_person_or_a_terminal_is_refused(text):
    for form in ('{{"name": "{}"}}', '{{"by_name": {{"{}": "1"}}}}'):
        status, answer = refused(form.format(text))
        assert status == 422
        assert answer.message.isprintable()


@pytest.mark.parametrize("text", ["<script>alert(1)</script>", "'; DROP TABLE entries; --", "{{7*7}}", "${jndi}", "%s"])
def test_text_that_is_only_text_is_kept_as_it_is(text):
    assert read(f'{{"name": "{text}"}}').name == text


def test_text_has_an_end():
    assert len(read(f'{{"name": "{"x" * MAX_TEXT}"}}').name) == MAX_TEXT
    assert refused(f'{{"name": "{"x" * (MAX_TEXT + 1)}"}}')[0] == 422


@pytest.mark.parametrize("content_type", ["", "text/plain", "application/x-www-form-urlencoded", "multipart/form-data"])
def test_what_forms_of_other_sites_can_send_is_no_json(content_type):
    assert refused("{}", content_type=content_type)[0] == 415


def test_a_part_of_the_path_is_no_part_of_the_body():
    assert read("{}", path={"name": "KO"}).name == "KO"
    assert refused('{"name": "PEP"}', path={"name": "KO"})[0] == 422


def test_a_refusal_repeats_little_of_what_was_sent():
    for text in ('{"' + "x" * 900 + '": 1}', '{"count": "' + "y" * 900 + '"}'):
        assert len(refused(text)[1].message) <= 310


@pytest.mark.parametrize(("query", "status"), [
    ([("count", "5")], 0), ([("flag", "true")], 0), ([("count", "x")], 422), ([("count", "1"), ("count", "2")], 422),
    ([("nobody", "1")], 422), ([("name", "\x00")], 422), ([("quantity", "NaN")], 422), ([("quantity", "1.5")], 0),
])  # fmt: skip
def test_parameters_are_read_as_strictly(query, status):
    if not status:
        assert isinstance(from_query(Form, query, {}), Form)
        return
    with pytest.raises(Refusal) as caught:
        from_query(Form, query, {})
    assert caught.value.status == status
