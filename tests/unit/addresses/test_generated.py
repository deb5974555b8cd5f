"""Every old ward in 18 forms and every commune in 10, against a brute-force reading of each."""

from collections import Counter
from collections.abc import Iterable

import pytest

from gis.boundaries.units import UnitHistory
from gis.placing.addresses import AddressResolver
from tests.unit.addresses.generated import (
    BruteForce,
    Form,
    Said,
    misspelt_forms,
    new_forms,
    old_forms,
)


@pytest.fixture(scope="module")
def brute(history: UnitHistory) -> BruteForce:
    return BruteForce(history)


@pytest.fixture(scope="module")
def forms(brute: BruteForce) -> list[Form]:
    return [*old_forms(brute), *new_forms(brute)]


def outcomes(resolver: AddressResolver, forms: Iterable[Form]) -> Counter[str]:
    return Counter(outcome(resolver, form) for form in forms)


def outcome(resolver: AddressResolver, form: Form) -> str:
    commune = resolver.resolve(form.text).commune
    if commune is None:
        return "silent"
    return "right" if commune.code in form.meanings else "wrong"


def test_the_forms_are_as_many_as_promised(forms: list[Form]) -> None:
    old = Counter(form.unit.code for form in forms if form.unit.valid_to)
    new = Counter(form.unit.code for form in forms if not form.unit.valid_to)
    assert (len(old), set(old.values())) == (319, {18})
    assert (len(new), set(new.values())) == (99, {10})


def test_brute_force_finds_what_is_known_to_be_ambiguous(brute: BruteForce) -> None:
    nam_cuong = Said("Nam Cường", "Phường", "", "Lào Cai")
    nam_chay = Said("Nậm Chảy", "", "", "Lào Cai", marked=False)
    thanh_binh = Said("Thanh Bình", "Xã", "", "Lào Cai")
    assert brute.meanings(nam_cuong) == {"02671", "04273"}
    assert brute.meanings(nam_chay) == {"02761", "03076"}
    assert brute.meanings(thanh_binh) == {"02761", "03046"}
    assert brute.meanings(Said("Thanh Bình", "Xã", "Sa Pa")) == {"03046"}


def test_clear_forms_of_old_wards_and_new_communes_are_read_right(
    resolver: AddressResolver, forms: list[Form]
) -> None:
    clear = [form for form in forms if form.clear]
    found = outcomes(resolver, clear)
    assert len(clear) > 6_500
    assert found["right"] >= 0.99 * len(clear)
    assert found["wrong"] <= 0.0005 * len(clear)


def test_ambiguous_forms_are_not_answered(resolver: AddressResolver, forms: list[Form]) -> None:
    ambiguous = [form for form in forms if not form.clear]
    assert len(ambiguous) > 50
    assert outcomes(resolver, ambiguous) == {"silent": len(ambiguous)}


def test_the_candidates_of_an_ambiguous_name_are_all_that_it_may_mean(
    resolver: AddressResolver, forms: list[Form]
) -> None:
    several = [form for form in forms if 1 < len(form.meanings) < 5]
    assert several
    for form in several:
        candidates = {candidate.code for candidate in resolver.resolve(form.text).candidates}
        assert form.meanings <= candidates, form.text


@pytest.mark.parametrize("seed", [1, 2])
def test_forms_with_one_letter_wrong_are_read_right(
    resolver: AddressResolver, brute: BruteForce, seed: int
) -> None:
    forms = [form for form in misspelt_forms(brute, seed) if form.clear]
    found = outcomes(resolver, forms)
    assert len(forms) > 900
    assert found["right"] >= 0.95 * len(forms)
    assert found["wrong"] <= 0.0005 * len(forms)


def test_a_confident_answer_to_a_misspelt_form_is_never_wrong(
    resolver: AddressResolver, brute: BruteForce
) -> None:
    for form in misspelt_forms(brute, seed=3):
        match = resolver.resolve(form.text)
        if match.commune is not None and match.confidence >= 0.8:
            assert match.commune.code in form.meanings, form.text
