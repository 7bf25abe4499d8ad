"""The decision is a pure function: each gate fails for what it is there for, and only then."""

from dataclasses import replace

import numpy as np
import pytest

from diamond_pricing.refit import Evaluation, Gates, judge
from diamond_pricing.refit.gates import GatesError
from diamond_pricing.refit.home import settings_hash
from diamond_pricing.registry import LocalStore

N = 4000


def evaluation(seed: int = 0, *, noise: float = 0.08, level: float = 0.0) -> Evaluation:
    rng = np.random.default_rng(1)
    truth = rng.uniform(np.log(400), np.log(15_000), N)
    price = np.exp(truth + rng.normal(0, 0.08, N))
    own = np.random.default_rng(seed).normal(0, 0.01, N)
    quoted = truth + own + level + (noise - 0.08) * rng.normal(0, 1, N)
    return Evaluation(
        model=f"{seed}",
        certified=True,
        price=price,
        predicted=np.exp(quoted),
        quoted=lambda _: quoted,
        inside=rng.random(N) < 0.9,
        segment=np.repeat(["a", "b"], N // 2),
        stone=np.arange(N) // 2,
    )


def failed(candidate, champion=None, anchor=None, gates=None):
    decision = judge(candidate, champion, anchor, gates or Gates())
    assert decision.promote == (not decision.failed)
    return {(f.gate, f.against) for f in decision.failed}


def test_a_candidate_like_the_champion_is_promoted():
    assert failed(evaluation(2), evaluation(3), evaluation(4)) == set()
    assert failed(evaluation(2)) == set(), "the first model of a home"


def test_a_model_without_proof_of_its_shape_is_kept_out():
    assert failed(replace(evaluation(2), certified=False)) == {("certificate", "")}


def test_larger_errors_are_kept_out_only_beyond_chance():
    assert ("error", "champion") in failed(evaluation(2, noise=0.12), evaluation(3))
    assert ("error", "champion") not in failed(evaluation(3), evaluation(2, noise=0.12))
    assert ("error", "") in failed(evaluation(2, noise=0.5))


def test_ranges_that_hold_too_little_in_one_segment_are_kept_out():
    bad = evaluation(2)
    inside = bad.inside.copy()
    inside[: N // 2] = np.random.default_rng(0).random(N // 2) < 0.85
    assert failed(replace(bad, inside=inside)) == {("coverage", "")}
    small = np.where(np.arange(N) < 80, "small", bad.segment)
    inside = bad.inside.copy()
    inside[:80] = False
    assert failed(replace(bad, inside=inside, segment=small)) == set(), "too few to tell"
    assert failed(replace(bad, inside=None)) == {("coverage", "")}


def test_appraising_dear_stones_low_is_kept_out():
    bad = evaluation(2)
    quoted = bad.quoted(None)
    flat = quoted - 0.1 * (quoted - quoted.mean())
    bad = replace(bad, quoted=lambda _: flat, predicted=np.exp(flat))
    assert {("prd", ""), ("prb", "")} <= failed(bad)
    assert failed(bad, bad) == set(), "what the champion has already is no reason to keep it"


def test_a_jump_of_all_prices_is_kept_out():
    assert ("median_move", "champion") in failed(evaluation(2, level=0.04), evaluation(3))


def test_one_price_far_off_is_kept_out():
    bad = evaluation(2)
    quoted = bad.quoted(None).copy()
    quoted[7] += 0.7
    assert failed(replace(bad, quoted=lambda _: quoted), evaluation(3)) == {
        ("largest_move", "champion")
    }


def test_small_steps_add_up_against_the_anchor():
    anchor = evaluation(4)
    champion = anchor
    for month in range(1, 25):
        candidate = evaluation(4 + month, level=0.01 * month)
        found = failed(candidate, champion, anchor)
        assert ("median_move", "champion") not in found, "a step of 1 % alone may pass"
        if ("median_move", "anchor") in found:
            break
        champion = candidate
    assert month == 6  # 5 % are allowed


def test_evaluations_of_other_sales_are_no_evidence():
    other = replace(evaluation(3), price=evaluation(3).price + 1)
    with pytest.raises(ValueError, match="same sales"):
        judge(evaluation(2), other, None, Gates())


def test_every_gate_can_be_set_and_a_misspelt_one_is_told():
    assert failed(evaluation(2), evaluation(3), None, Gates(median_move=1e-6)) == {
        ("median_move", "champion")
    }
    assert Gates.from_toml("psi = 0.3\nworse_error = 1").psi == 0.3
    with pytest.raises(GatesError, match="psi must be above 0 and below 1,000, not 2000"):
        Gates.from_toml("psi = 2000")
    for text in ("psy = 0.3", "psi = 'a lot'", "psi = -1", "psi = nan", "psi ="):
        with pytest.raises(GatesError):
            Gates.from_toml(text)


def test_what_files_are_read_by_are_names_of_sources_and_the_trade_too(tmp_path):
    store, hashes = LocalStore(tmp_path), []
    (tmp_path / "sources").mkdir()

    def changed():
        hashes.append(settings_hash(store))
        assert len(set(hashes)) == len(hashes)
        assert settings_hash(store) == hashes[-1]

    changed()
    (tmp_path / "sources" / "a.toml").write_text("")
    changed()
    (tmp_path / "sources" / "a.toml").rename(tmp_path / "sources" / "b.toml")
    changed()
    (tmp_path / "trade.toml").write_text('[[attribute]]\nname = "cut"\nlabel = "Make"\n')
    changed()
