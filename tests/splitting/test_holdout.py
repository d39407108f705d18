"""The test part: set aside, kept apart, found again."""

import json
import os
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest

from funksvd import (
    DataChangedError,
    FunkSVD,
    Ratings,
    RatingsError,
    ReadOptions,
    read_interactions,
    read_ratings,
)
from funksvd.rng import Stream
from funksvd.splitting import Provenance, hold_out, is_in, random_part, rebuild, split_again


def rows(ratings):
    """Triples of raw ids and values, in order."""
    users, items = ratings.user_ids[ratings.user_index], ratings.item_ids[ratings.item_index]
    return list(zip(users.tolist(), items.tolist(), ratings.values.tolist(), strict=True))


def write(path, triples, header="user,item,rating"):
    path.write_text("\n".join([header, *(",".join(map(str, row)) for row in triples)]) + "\n")
    return path


TRIPLES = [(u, i, (u * 7 + i * 3) % 5 + 1) for u in range(12) for i in range(12) if (u + i) % 3]


@pytest.fixture
def here(tmp_path, monkeypatch):
    """An empty current folder."""
    monkeypatch.chdir(tmp_path)
    return tmp_path


def test_the_parts_make_up_the_whole(sample):
    holdout = hold_out(sample, test_fraction=0.1, seed=3)
    assert len(holdout.test) == 2006
    assert len(holdout.training) == len(sample) - 2006
    assert sorted(rows(holdout.training) + rows(holdout.test)) == sorted(rows(sample))
    assert holdout.validation is None
    assert holdout.all_but_test is holdout.training


def test_the_seed_decides(sample):
    ref = hold_out(sample, seed=3).test
    assert rows(hold_out(sample, seed=3).test) == rows(ref)
    assert rows(hold_out(sample, seed=4).test) != rows(ref)


def test_no_test_part(sample):
    holdout = hold_out(sample, test_fraction=0)
    assert holdout.test is None
    assert len(holdout.training) == len(sample)


def test_given_parts_are_taken_as_they_are():
    ratings = Ratings.from_arrays([1, 2], [1, 2], [1, 2])
    test = Ratings.from_arrays([1], [2], [3])
    validation = Ratings.from_arrays([2], [1], [4])
    holdout = hold_out(ratings, test=test, validation=validation)
    assert holdout.test is test
    assert rows(holdout.training) == rows(ratings)
    assert sorted(rows(holdout.all_but_test)) == [(1, 1, 1.0), (2, 1, 4.0), (2, 2, 2.0)]
    assert holdout.provenance.test_fraction == 0


@pytest.mark.parametrize(
    ("parts", "message"),
    [
        ({"test": [(1, 1), (5, 5)]}, "1 of 2 test ratings"),
        ({"validation": [(2, 2), (1, 1)]}, "2 of 2 validation ratings"),
        ({"test": [(5, 5)], "validation": [(5, 5)]}, "1 of 1 test ratings"),
    ],
)
def test_parts_that_share_a_pair_are_refused(parts, message):
    ratings = Ratings.from_arrays([1, 2, 3], [1, 2, 3], [1, 2, 3])
    given = {
        name: Ratings.from_arrays(*np.transpose(pairs), [4.0] * len(pairs))
        for name, pairs in parts.items()
    }
    with pytest.raises(RatingsError, match=message):
        hold_out(ratings, **given)


def test_the_same_user_and_the_same_item_in_other_pairs_are_fine():
    ratings = Ratings.from_arrays([1, 2], [1, 2], [1, 2])
    hold_out(ratings, test=Ratings.from_arrays([1, 2], [2, 1], [1, 2]))


def test_provenance_survives_json(here):
    ratings = read_ratings(write(here / "r.csv", TRIPLES))
    test = read_ratings(write(here / "t.csv", [(100, 1, 3)]))
    options = ReadOptions(sep=",", duplicates="mean")
    ref = hold_out(ratings, test=test, seed=5, options=options).provenance
    comp = Provenance.from_dict(json.loads(json.dumps(ref.to_dict())))
    assert comp == ref
    assert comp.options == options


@pytest.mark.parametrize("fraction", [0.0, 0.25])
def test_rebuild_finds_the_same_parts(here, fraction):
    write(here / "r.csv", TRIPLES)
    ref = hold_out(read_ratings("r.csv"), test_fraction=fraction, seed=2)
    comp = rebuild(ref.provenance)
    assert rows(comp.training) == rows(ref.training)
    assert (comp.test is None) == (ref.test is None) == (fraction == 0)
    if fraction:
        assert rows(comp.test) == rows(ref.test)


def test_rebuild_reads_given_parts_with_the_recorded_options(here):
    write(here / "r.csv", TRIPLES, header="a,b,c")
    write(here / "t.csv", [(50, 1, 3), (50, 1, 4)], header="a,b,c")
    write(here / "v.csv", [(51, 1, 3)], header="a,b,c")
    options = ReadOptions(user_col="a", item_col="b", rating_col="c", duplicates="first")
    parts = [read_ratings(name, options) for name in ("r.csv", "t.csv", "v.csv")]
    ref = hold_out(parts[0], test=parts[1], validation=parts[2], options=options)
    comp = rebuild(ref.provenance)
    assert rows(comp.test) == [(50, 1, 3.0)]
    assert rows(comp.validation) == [(51, 1, 3.0)]


def holdout_of(name):
    return hold_out(read_ratings(name), test_fraction=0.2)


@pytest.mark.parametrize(
    "changed",
    [TRIPLES[:-1], [*TRIPLES[:-1], (*TRIPLES[-1][:2], 9)], [(77, 77, 1), *TRIPLES]],
    ids=["one less", "another rating", "one more in front"],
)
def test_changed_ratings_are_noticed(here, changed):
    write(here / "r.csv", TRIPLES)
    provenance = holdout_of("r.csv").provenance
    write(here / "r.csv", changed)
    with pytest.raises(DataChangedError, match=r"r\.csv: the ratings have changed"):
        rebuild(provenance)


def test_another_order_makes_no_difference(here):
    write(here / "r.csv", TRIPLES)
    ref = holdout_of("r.csv")
    write(here / "r.csv", TRIPLES[::-1])
    comp = rebuild(ref.provenance)
    assert rows(comp.test) == rows(ref.test)[::-1]
    assert rows(comp.training) == rows(ref.training)[::-1]
    assert comp.provenance == ref.provenance


@pytest.mark.parametrize("n_equal", [0, 1, 2])
def test_there_is_no_test_part_where_nothing_could_be_learned_from_the_others(n_equal):
    """Nor where none is drawn."""
    users = np.arange(n_equal + 1)
    few = Ratings.from_arrays(users, users, np.where(users > 0, 5.0, 3.0))
    seen = set()
    for seed in range(60):
        drawn = random_part(few, 0.3, seed, Stream.TEST)
        holdout = hold_out(few, test_fraction=0.3, seed=seed)
        seen.add(len(drawn) - drawn.sum())
        if drawn.any() and len(set(few.values[~drawn])) > 1:
            assert len(holdout.test) == drawn.sum()
            continue
        assert (holdout.test, len(holdout.training)) == (None, len(few))
        record = holdout.provenance
        assert (record.test_fingerprint, record.test_pairs) == (None, None)
        assert split_again(record, few).test is None
        pairs = few.to_interactions()
        n_tested = drawn.sum() % len(drawn)  # of pairs, any are enough to learn from
        test = hold_out(pairs, test_fraction=0.3, seed=seed).test
        assert (0 if test is None else len(test)) == n_tested
    assert len(seen) == n_equal + 2  # from all to none


FILES = Path(__file__).parent / "files"


def test_the_test_part_of_a_model_that_drew_it_by_position():
    """The file is of the program before random parts were drawn by hashes."""
    model = FunkSVD.load(FILES / "before_hashes.funksvd")
    holdout = rebuild(model.provenance, FILES)
    assert (len(holdout.test), len(holdout.training)) == (20, 80)
    found = model.evaluate(holdout.test)
    assert found.rmse == pytest.approx(1.3855306182726483, abs=1e-6)
    assert split_again(model.provenance, read_ratings(FILES / "ratings.csv")).test is not None
    drawn = hold_out(read_ratings(FILES / "ratings.csv"), test_fraction=0.2, seed=5).test
    assert sorted(rows(drawn)) != sorted(rows(holdout.test))
    # Still earlier programs did not record the pairs.
    earlier = replace(model.provenance, test_pairs=None)
    assert rows(rebuild(earlier, FILES).test) == rows(holdout.test)


def test_rows_that_were_appended_are_left_out(here):
    write(here / "r.csv", TRIPLES)
    ref = holdout_of("r.csv")
    write(here / "r.csv", [*TRIPLES, (77, 77, 1), (78, 3, 2)])
    comp = rebuild(ref.provenance)
    assert (rows(comp.test), rows(comp.training)) == (rows(ref.test), rows(ref.training))
    assert comp.provenance == ref.provenance
    earlier = replace(ref.provenance, ratings=replace(ref.provenance.ratings, n_rows=None))
    with pytest.raises(DataChangedError, match=r"r\.csv: the ratings have changed"):
        rebuild(earlier)  # a record of an earlier program


def test_a_file_that_is_gone_is_named(here):
    write(here / "r.csv", TRIPLES)
    provenance = holdout_of("r.csv").provenance
    os.unlink("r.csv")
    with pytest.raises(DataChangedError, match=r"r\.csv: .* no longer there"):
        rebuild(provenance)


def test_a_file_that_cannot_be_read_any_more(here):
    write(here / "r.csv", TRIPLES)
    provenance = holdout_of("r.csv").provenance
    (here / "r.csv").write_text("")
    with pytest.raises(RatingsError, match="empty"):
        rebuild(provenance)


def test_ratings_that_did_not_come_from_a_file():
    provenance = hold_out(Ratings.from_arrays([1, 2], [1, 2], [1, 2])).provenance
    with pytest.raises(DataChangedError, match="did not come from a file"):
        rebuild(provenance)


@pytest.mark.parametrize("place", ["project", "project/models", "elsewhere"])
def test_relative_paths_are_found_from_the_model_upwards(here, monkeypatch, place):
    for folder in ("project/models", "project/data", "elsewhere"):
        (here / folder).mkdir(parents=True)
    write(here / "project" / "data" / "r.csv", TRIPLES)
    monkeypatch.chdir(here / "project")
    ref = holdout_of("data/r.csv")
    monkeypatch.chdir(here / place)
    assert rows(rebuild(ref.provenance, here / "project" / "models").test) == rows(ref.test)


@pytest.mark.parametrize("other", ["1,2,3\n4,5,6\n", "", "not,ratings\n"])
def test_another_file_of_that_name_is_passed_over(here, monkeypatch, other):
    for folder in ("model", "other"):
        (here / folder).mkdir()
    write(here / "model" / "r.csv", TRIPLES)
    (here / "other" / "r.csv").write_text(other)
    monkeypatch.chdir(here / "model")
    ref = holdout_of("r.csv")
    monkeypatch.chdir(here / "other")
    assert rows(rebuild(ref.provenance, here / "model").test) == rows(ref.test)


def test_several_files_are_looked_for_together(here, monkeypatch):
    (here / "model").mkdir()
    write(here / "model" / "a.csv", TRIPLES[:40])
    write(here / "model" / "b.csv", TRIPLES[40:])
    monkeypatch.chdir(here / "model")
    ref = hold_out(read_ratings(["a.csv", "b.csv"]))
    monkeypatch.chdir(here)
    write(here / "a.csv", TRIPLES[:10])  # only one of the two: not the place
    assert rows(rebuild(ref.provenance, here / "model").test) == rows(ref.test)


class TestInteractions:
    @pytest.fixture
    def holdout(self, here):
        (here / "r.csv").write_text("".join(f"{n % 9},{n},{n % 5}\n" for n in range(200)))
        pairs = [f"{n % 9},{n}" for n in range(100)] + [f"{n % 7},{n}" for n in range(300, 350)]
        (here / "clicks.csv").write_text("user,item\n" + "\n".join(pairs) + "\n")
        interactions = read_interactions("clicks.csv")
        return hold_out(read_ratings("r.csv"), test_fraction=0.2, interactions=interactions)

    def test_pairs_of_the_test_part_are_left_out(self, holdout):
        n_tested = int(is_in(read_interactions("clicks.csv"), holdout.test).sum())
        assert n_tested > 0
        assert len(holdout.interactions) == 150 - n_tested
        assert not is_in(holdout.interactions, holdout.test).any()

    def test_they_are_read_again(self, holdout):
        record = holdout.provenance
        assert record.interactions.files == ["clicks.csv"]
        assert Provenance.from_dict(json.loads(json.dumps(record.to_dict()))) == record
        comp = rebuild(record)
        assert comp.interactions.fingerprint == holdout.interactions.fingerprint
        assert comp.provenance == record

    def test_they_need_not_be_read(self, here, holdout):
        (here / "clicks.csv").unlink()
        comp = rebuild(holdout.provenance, with_interactions=False)
        assert comp.interactions is None
        assert comp.provenance == holdout.provenance
        assert split_again(holdout.provenance, read_ratings("r.csv")).provenance == comp.provenance
        with pytest.raises(DataChangedError, match="interactions that the model was trained on"):
            rebuild(holdout.provenance)

    def test_changed_ones_are_noticed(self, here, holdout):
        (here / "clicks.csv").write_text("user,item\n1,2\n")
        with pytest.raises(DataChangedError, match=r"clicks.csv: the interactions have changed"):
            rebuild(holdout.provenance)

    def test_records_of_earlier_programs_know_nothing_of_them(self, holdout):
        plain = holdout.provenance.to_dict()
        del plain["interactions"]
        assert Provenance.from_dict(plain).interactions is None


def test_fingerprints_of_earlier_programs_are_understood(here):
    (here / "r.csv").write_text("".join(f"{n % 9},{n},{n % 5},{n}\n" for n in range(200)))
    # What the program recorded before fingerprints covered timestamps.
    plain = hold_out(read_ratings("r.csv"), test_fraction=0.2).provenance.to_dict()
    plain["ratings"]["fingerprint"] = "622ff35d2a996e6cbd0a8e55fb5def42"
    plain["test_fingerprint"] = "a5433bb5b1f7cb6728897741c67f1185"
    del plain["interactions"]
    record = Provenance.from_dict(plain)
    assert len(rebuild(record).test) == 40
    assert len(split_again(record, read_ratings("r.csv")).test) == 40
    plain["test_fingerprint"] = "0" * 32
    with pytest.raises(DataChangedError, match="the test part is not the one"):
        rebuild(Provenance.from_dict(plain))


class TestWithAdded:
    def parts(self):
        ratings = Ratings.from_arrays(*np.divmod(np.arange(50), 10), 1 + np.arange(50) % 5)
        holdout = hold_out(ratings, test_fraction=0.2)
        test = holdout.test
        users = [*test.user_ids[test.user_index[:2]].tolist(), 0, 99]
        items = [*test.item_ids[test.item_index[:2]].tolist(), 55, 1]
        return holdout, Ratings.from_arrays(users, items, [9, 9, 9, 9])

    def test_the_test_part_stays_unseen(self):
        holdout, new = self.parts()
        comp = holdout.with_added(new)
        assert comp.test is holdout.test
        everything = comp.all_but_test
        assert len(everything) == len(holdout.training) + 2
        assert np.count_nonzero(everything.values == 9) == 2
        assert set(everything.user_ids) == {*range(5), 99}

    def test_a_new_rating_takes_the_place_of_an_old_one(self):
        holdout, _ = self.parts()
        pair = holdout.training.user_index[0], holdout.training.item_index[0]
        comp = holdout.with_added(Ratings.from_arrays([pair[0]], [pair[1]], [9.0])).all_but_test
        assert len(comp) == len(holdout.training)
        assert comp.values[(comp.user_index == pair[0]) & (comp.item_index == pair[1])] == [9]


@pytest.mark.parametrize("given", ["validation", "test"])
def test_a_split_with_a_part_of_its_own_cannot_be_made_again(given):
    ids = list(range(10))
    ratings = Ratings.from_arrays(ids, ids, [1.0, 2.0] * 5)
    part = {given: Ratings.from_arrays([0], [5], [3.0])}
    assert split_again(hold_out(ratings, **part).provenance, ratings) is None
