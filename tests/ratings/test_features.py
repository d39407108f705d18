"""Tables of features: columns are known for what they are, and become zeros, ones and means."""

import datetime

import numpy as np
import pandas as pd
import polars
import pyarrow as pa
import pyarrow.parquet
import pytest

from funksvd import RatingsError
from funksvd.ratings import Encoding, Vocabulary, read_features
from funksvd.ratings.features import LEAST_ROWS, MOST_COLUMNS, N_BANDS, UnknownKindError

N = 40
ITEMS = Vocabulary.encode(np.arange(N), "item")[0]
COLUMNS = {
    "movieId": list(range(N)),
    "title": [f"Film {at} ({1950 + at})" for at in range(N)],
    "genres": [["Comedy|Drama", "Drama", "War|Comedy", ""][at % 4] for at in range(N)],
    "country": [["fr", "us", "us", "it", "x" if at == 4 else "us"][at % 5] for at in range(N)],
    "stars": [at % 3 for at in range(N)],
    "minutes": [None if at % 10 == 9 else 61.5 + at for at in range(N)],
    "seen on": [datetime.date(2000 + at, 1, 1) for at in range(N)],
    "in color": [at % 2 == 0 for at in range(N)],
    "tmdbId": list(range(7000, 7000 + N)),
    "kind": ["film"] * N,
}


def encoded(table, known=ITEMS, what="item"):
    table = read_features(table, what)
    encoding = Encoding.of(table, known)
    return encoding, *encoding.encode(table, known)


def columns_of(encoding, name):
    at = [feature.name for feature in encoding.features].index(name)
    return encoding.features[at], encoding.parts[at]


def test_each_column_is_taken_for_what_it_is():
    encoding, _, columns = encoded(COLUMNS)
    kinds = {feature.name: feature.kind for feature in encoding.features}
    assert kinds == {
        "genres": "list",
        "country": "category",
        "stars": "value",
        "minutes": "number",
        "seen on": "date",
        "in color": "flag",
    }
    assert encoding.left_out == {
        "title": "left out, different in nearly each row",
        "tmdbId": "left out, ids of something else",
        "kind": "left out, the same in each row",
    }
    assert columns.shape == (N, encoding.n_columns)
    assert columns.dtype == np.float32
    np.testing.assert_allclose(columns.mean(axis=0), 0, atol=1e-6)
    genres, part = columns_of(encoding, "genres")
    assert genres.labels == ["Comedy", "Drama", "War", "(missing)"]
    # Rows by hand: "Comedy|Drama", "Drama", "War|Comedy" and nothing, ten times each.
    ref_rows = np.array([[1, 1, 0, 0], [0, 1, 0, 0], [1, 0, 1, 0], [0, 0, 0, 1]])
    np.testing.assert_allclose(columns[:4, part], ref_rows - [0.5, 0.5, 0.25, 0.25])
    country, part = columns_of(encoding, "country")
    assert country.labels == ["fr", "it", "us"]  # the only "x" is nobody's level
    assert not columns[4, part].any()
    minutes, part = columns_of(encoding, "minutes")
    assert len(minutes.labels) == N_BANDS + 1
    assert minutes.labels[-1] == "(missing)"
    sizes = (columns[:, part] > 0).sum(axis=0)
    assert sizes.tolist() == [3, 4, 3, 4, 4, 3, 4, 3, 4, 4, 4]  # 36 numbers, 4 missing


def test_years_of_titles_count_where_nothing_else_tells_of_time():
    encoding, _, _ = encoded({name: COLUMNS[name] for name in ("movieId", "title", "stars")})
    year, _ = columns_of(encoding, "year")
    assert year.edges[0] == 1954
    assert encoding.left_out == {"title": "only its year counts"}


def test_levels_that_training_has_not_seen():
    few = {"item": list(range(N)), "tag": [f"t{at % 13}" for at in range(N)]}
    few["tag"][:5] = ["rare1", "rare2", "rare3", "rare4", None]
    encoding, _, columns = encoded(few)
    tag, _ = columns_of(encoding, "tag")
    assert tag.labels[-1] == "(other)"
    later = {
        "item": [100, 101, 102, 103],
        "tag": ["new", "rare1", "t7", None],
        "more": [1, 2, 3, 4],
    }
    ids, rows = encoding.encode(read_features(later, "item"), ITEMS)
    assert ids.ids.tolist() == [100, 101, 102, 103]
    np.testing.assert_array_equal(rows[0], columns[0])  # pooled
    np.testing.assert_array_equal(rows[1], columns[1])
    np.testing.assert_array_equal(rows[2], columns[7])
    assert not rows[3].any()  # one missing value is too few for a column of its own
    with pytest.raises(RatingsError, match="knows the features tag, and the columns are more"):
        encoding.encode(read_features({"item": [1], "more": [2]}, "item"), ITEMS)


def test_columns_are_never_too_many():
    n = 4 * MOST_COLUMNS
    table = {"item": list(range(n)), "tags": [f"a{at % 400}|b{at % 390}" for at in range(n)]}
    table |= {f"number{at}": [(row * (at + 3)) % 997 for row in range(n)] for at in range(60)}
    known = Vocabulary.encode(np.arange(n), "item")[0]
    encoding, _, columns = encoded(table, known)
    assert LEAST_ROWS < encoding.n_columns == columns.shape[1] <= MOST_COLUMNS
    assert columns_of(encoding, "tags")[0].labels[-1] == "(other)"


@pytest.mark.parametrize(
    "form",
    [
        lambda table, _: pd.DataFrame(table),
        lambda table, _: pd.DataFrame(table).set_index("movieId"),
        lambda table, _: polars.DataFrame(table),
        lambda table, _: pa.table(table),
        lambda table, folder: _parquet(table, folder),
        lambda table, folder: _csv(table, folder, ","),
        lambda table, folder: _csv(table, folder, ";"),
    ],
    ids=["pandas", "index", "polars", "arrow", "parquet", "csv", "semicolons"],
)
def test_all_forms_of_a_table_are_the_same(form, tmp_path):
    ref, ref_ids, ref_columns = encoded(COLUMNS)
    comp, comp_ids, comp_columns = encoded(form(COLUMNS, tmp_path))
    assert comp_ids == ref_ids
    assert [f.labels for f in comp.features] == [f.labels for f in ref.features]
    np.testing.assert_array_equal(comp_columns, ref_columns)
    assert Encoding.from_dict("item", comp.to_dict()) == comp


def _parquet(table, folder):
    pa.parquet.write_table(pa.table(table), folder / "t.parquet")
    return folder / "t.parquet"


def _csv(table, folder, sep):
    pd.DataFrame(table).to_csv(folder / "t.csv", sep=sep, index=False)
    return folder / "t.csv"


def test_the_column_of_ids(tmp_path):
    (tmp_path / "u.user").write_text("1|24|M|writer|85711\n2|53|F|other|94043\n")
    table = read_features(tmp_path / "u.user", "user")
    assert list(table.columns) == ["user", "age", "gender", "occupation", "zip code"]
    names = [f"n{at}" for at in range(20)]
    users = Vocabulary.encode(names, "user")[0]
    by_match = {"age": [at % 2 for at in range(20)], "who": names, "sex": ["f", "m"] * 10}
    assert Encoding.of(read_features(by_match, "user"), users).id_column == "who"
    with pytest.raises(RatingsError, match="none of its columns holds most of them"):
        Encoding.of(read_features({"a": ["x", "y"], "b": ["u", "v"]}, "user"), users)
    numbers = Vocabulary.encode(np.arange(100), "user")[0]
    by_chance = {"age": [20, 300, 400], "who": ["x", "y", "z"]}
    with pytest.raises(RatingsError, match="none of its columns holds most"):
        Encoding.of(read_features(by_chance, "user"), numbers)
    with pytest.raises(RatingsError, match="20 users have 60 rows; is it a file of ratings"):
        Encoding.of(read_features({"user": names * 3, "rating": [1, 5] * 30}, "user"), users)
    twice = {"user": [*names, "n3"], "sex": [*("f", "m") * 10, "f"]}
    encoding, ids, _ = encoded(twice, users, "user")
    assert len(ids) == 20
    assert encoding.left_out == {"user": "1 row with an id that a row above has: left out"}
    with pytest.raises(RatingsError, match="no column tells users apart: a: left out, the same"):
        Encoding.of(read_features({"user": names, "a": [1] * 20}, "user"), users)


def test_tables_as_spreadsheets_and_pandas_write_them(tmp_path):
    users = Vocabulary.encode(np.arange(N), "user")[0]
    table = pd.DataFrame({"user": range(N), "job": [f"Käufer {at % 3}" for at in range(N)]})
    table.iloc[::-1].reset_index(drop=True).to_csv(tmp_path / "index.csv")
    encoding, _, columns = encoded(tmp_path / "index.csv", users, "user")
    assert encoding.id_column == "user"
    assert encoding.left_out == {"a column": "left out, without a name, as an index of rows"}
    table.to_csv(tmp_path / "wide.txt", sep="\t", index=False, encoding="utf-16")
    ref, _, ref_columns = encoded(table, users, "user")
    for comp in (encoding, encoded(tmp_path / "wide.txt", users, "user")[0]):
        assert comp.features == ref.features
    np.testing.assert_array_equal(columns, ref_columns)


@pytest.mark.parametrize("values", [10**40, object(), [10**40] * N])
def test_values_that_no_table_has(values):
    with pytest.raises(RatingsError, match=r"table cannot be read: .* a single type first"):
        read_features({"item": range(N), "x": values}, "item")


def test_times_that_python_has_no_value_for():
    times = pa.array([10**18 + at * 10**14 + 1 for at in range(N)], pa.timestamp("ns"))
    encoding, _, _ = encoded(pa.table({"item": range(N), "t": times}))
    assert encoding.features[0].kind == "date"
    late = pa.array([2**62] * N, pa.timestamp("us"))
    with pytest.raises(RatingsError, match=r"'t' holds a timestamp\[us\] that .* leave"):
        read_features(pa.table({"item": range(N), "t": late}), "item")


def test_real_files(real_data):
    users = Vocabulary.encode(np.arange(1, 944), "user")[0]
    encoding, _, columns = encoded(real_data / "ml-100k" / "u.user", users, "user")
    assert {f.name: len(f.means) for f in encoding.features} == {
        "age": 10,
        "gender": 2,
        "occupation": 21,
        "zip code": 12,
    }
    items = Vocabulary.encode(np.arange(1, 1683), "item")[0]
    encoding, _, columns = encoded(real_data / "ml-100k", items)
    genres, part = columns_of(encoding, "genres")
    assert (columns[:, part][:, genres.labels.index("Comedy")] > 0).sum() == 505


def test_kinds_of_later_programs_are_refused():
    encoding, _, _ = encoded(COLUMNS)
    plain = encoding.features[0].to_dict()
    with pytest.raises(UnknownKindError, match="map"):
        type(encoding.features[0]).from_dict(plain | {"kind": "map"})
    with pytest.raises(ValueError, match="has not the columns"):
        type(encoding.features[0]).from_dict(plain | {"levels": []})
