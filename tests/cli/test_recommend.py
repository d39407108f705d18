"""`funksvd recommend`."""

import csv
import io
import json
import os

import pytest

from funksvd import FunkSVD, hold_out, read_ratings, read_titles


def rows_of(out):
    """The rows of a CSV text, as dicts."""
    return list(csv.DictReader(io.StringIO(out)))


def rated_by(user, ratings):
    users, items = ratings.user_ids[ratings.user_index], ratings.item_ids[ratings.item_index]
    return set(items[users == user].tolist())


def test_one_user(cli, here):
    result = cli("recommend", "--user", 1, "-n", 3)
    assert (result.code, result.err) == (0, "")
    ref = FunkSVD.load("model.funksvd").recommend(1, 3)
    lines = result.out.splitlines()
    assert lines[0] == "rank   item   score   prediction   n_ratings"
    assert [line.split() for line in lines[1:]] == [
        [str(rank), str(item), f"{score:.3f}", f"{prediction:.3f}", str(n_ratings)]
        for rank, (item, prediction, score, n_ratings) in enumerate(ref, start=1)
    ]


@pytest.mark.parametrize("by", ["choice", "rating"])
def test_the_order_is_the_one_that_is_asked_for(cli, here, by):
    rows = rows_of(cli("recommend", "--user", 1, "--by", by, "--format", "csv").out)
    ref = FunkSVD.load("model.funksvd").recommend(1, by=by)
    assert [int(row["item"]) for row in rows] == [each.item for each in ref]
    scores = [float(row["score"]) for row in rows]
    assert scores == sorted(scores, reverse=True)
    assert [int(row["item"]) for row in rows] != [
        int(row["item"]) for row in rows_of(cli("recommend", "--user", 1, "--format", "csv").out)
    ]


def test_several_users(cli, here, error_of):
    rows = rows_of(cli("recommend", "--user", 2, "--user", 1, "-n", 3, "--format", "csv").out)
    assert [row["user"] for row in rows] == ["2"] * 3 + ["1"] * 3
    model = FunkSVD.load("model.funksvd")
    for user, mine in ((2, rows[:3]), (1, rows[3:])):
        assert [int(row["item"]) for row in mine] == [best[0] for best in model.recommend(user, 3)]
    once = rows_of(cli("recommend", "--user", 1, "--user", 1, "-n", 3, "--format", "csv").out)
    assert [row["item"] for row in once] == [row["item"] for row in rows[3:]]
    assert "the model does not know user 99999" in error_of(
        "recommend", "--user", 1, "--user", 99999
    )


def test_ten_by_default(cli, here):
    assert len(rows_of(cli("recommend", "--user", 1, "--format", "csv").out)) == 10


def test_nothing_that_was_rated_is_recommended_not_even_in_the_test_part(cli, here):
    everything = read_ratings("ratings.csv")
    test = hold_out(everything).test
    user = test.user_ids[test.user_index[0]]  # one with a rating in the test part
    out = cli("recommend", "--user", user, "-n", 1000, "--format", "json").out
    items = [row["item"] for row in json.loads(out)]
    known = set(FunkSVD.load("model.funksvd").item_ids.tolist())
    assert rated_by(user, test) & known
    assert set(items) == known - rated_by(user, everything)
    assert len(items) == len(set(items))


def test_without_a_refit_the_validation_part_is_left_out_too(cli, here, quick):
    cli("train", "ratings.csv", "-q", "--no-refit", *quick)
    everything, model = read_ratings("ratings.csv"), FunkSVD.load("model.funksvd")
    pairs = zip(
        everything.user_ids[everything.user_index].tolist(),
        everything.item_ids[everything.item_index].tolist(),
        strict=True,
    )
    recommended = {
        pair
        for batch in model.recommend_all(n=1000)
        for pair in zip(batch["user"].tolist(), batch["item"].tolist(), strict=True)
    }
    assert not recommended & set(pairs)
    assert len(recommended) > 100_000


@pytest.mark.parametrize(
    ("command", "blank"),
    [
        (("recommend", "--user", "1", "-n", 2), 2),
        (("predict", "--user", "1", "--item", "7"), 2),
        (("predict", "--user", "1", "--item", "7"), 4),
        (("similar", "7"), 1),
        (("similar", "--user", "7"), 2),
    ],
)
def test_blanks_round_an_id_are_left_out(cli, here, command, blank):
    """As they are in files."""
    spaced = [f" {word} " if at == blank else word for at, word in enumerate(command)]
    assert spaced != list(command)
    assert cli(*spaced) == cli(*command)


def test_include_seen(cli, here):
    out = cli("recommend", "--user", 1, "-n", 1000, "--include-seen", "--json").out
    known = FunkSVD.load("model.funksvd").item_ids.tolist()
    assert {row["item"] for row in json.loads(out)} == set(known)


def test_a_file_of_users(cli, here):
    (here / "users.txt").write_text("3\n1\n2\n")
    rows = rows_of(cli("recommend", "--users", "users.txt", "-n", 2, "--format", "csv").out)
    assert [(row["user"], row["rank"]) for row in rows] == [
        (user, rank) for user in "312" for rank in "12"
    ]
    ref = FunkSVD.load("model.funksvd").recommend(3, 2)
    assert [int(row["item"]) for row in rows[:2]] == [each.item for each in ref]


def test_each_user_is_served_once(cli, here):
    """However often they are named: a file of ratings names them in each row."""
    (here / "users.txt").write_text("3\n1\n3\n3\n")
    result = cli("recommend", "--users", "users.txt", "-n", 2)
    assert "4 lines name 2 users: each is served once\n" in result.out
    rows = json.loads(cli("recommend", "--users", "users.txt", "-n", 2, "--json").out)
    assert [row["user"] for row in rows] == [3, 3, 1, 1]
    rows = json.loads(cli("recommend", "--users", "ratings.csv", "-n", 1, "--json").out)
    model = FunkSVD.load("model.funksvd")
    assert sorted(row["user"] for row in rows) == model.user_ids.tolist()


@pytest.mark.parametrize(
    ("text", "others"), [("1,2,3\n", "2, 3"), ("1;2;3;4;5", "2, 3, 4, …"), ("1", None)]
)
def test_one_line_is_one_user_and_it_is_said(cli, here, text, others):
    (here / "users.txt").write_text(text)
    result = cli("recommend", "--users", "users.txt", "-n", 1)
    warning = f"is taken for a user, 1, and the others are not ({others})"
    assert (warning in result.err) == (others is not None)


def test_users_the_model_does_not_know_are_left_out_and_counted(cli, here):
    (here / "users.txt").write_text("1\n77777\n88888\n")
    result = cli("recommend", "--users", "users.txt", "-n", 1, "--format", "csv")
    assert [row["user"] for row in rows_of(result.out)] == ["1"]
    assert "Warning: the model does not know 2 of 3 users (77777, 88888)" in result.err


def test_users_none_of_whom_the_model_knows_are_an_error(error_of, here):
    (here / "users.txt").write_text("ann\nbob\n")
    message = error_of("recommend", "--users", "users.txt")
    assert "users.txt: the model knows none of these 2 users" in message
    assert "look like 1, 2, 3" in message


def test_all_users(cli, here):
    rows = rows_of(cli("recommend", "--all-users", "-n", 2, "--format", "csv").out)
    model = FunkSVD.load("model.funksvd")
    assert [int(row["user"]) for row in rows[::2]] == model.user_ids.tolist()
    assert {row["rank"] for row in rows} == {"1", "2"}


def test_titles(cli, here):
    titles = read_titles("items.csv")
    result = cli("recommend", "--user", 1, "-n", 5, "--items", "items.csv", "--format", "csv")
    rows = rows_of(result.out)
    assert list(rows[0]) == ["rank", "item", "title", "score", "prediction", "n_ratings"]
    assert [row["title"] for row in rows] == [titles[int(row["item"])] for row in rows]
    table = cli("recommend", "--user", 1, "-n", 5, "--items", "items.csv").out
    assert all(row["title"] in table for row in rows)


def test_an_item_without_title_stays_without(cli, here):
    ref = FunkSVD.load("model.funksvd").recommend(1, 2)
    (here / "one.csv").write_text(f"item,title\n{ref[1].item},Found\n")
    rows = rows_of(
        cli("recommend", "--user", 1, "-n", 2, "--items", "one.csv", "--format", "csv").out
    )
    assert [row["title"] for row in rows] == ["", "Found"]


def test_titles_of_other_items_are_warned_of(cli, here):
    (here / "other.csv").write_text("item,title\ntt001,A\ntt002,B\n")
    result = cli("recommend", "--user", 1, "--items", "other.csv")
    assert result.code == 0
    assert "Warning: other.csv: the model knows none of these items" in result.err


def test_titles_go_with_text_ids_that_look_like_integers(cli, tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    lines = [f"u{u},{i if i else 'x'},{(u * i) % 5}" for u in range(8) for i in range(8)]
    (tmp_path / "r.csv").write_text("user,item,rating\n" + "\n".join(lines) + "\n")
    (tmp_path / "t.csv").write_text("item,title\n" + "".join(f"{i},T{i}\n" for i in range(1, 8)))
    cli("train", "r.csv", "-q", "-k", 2, "--n-epochs", 2)
    result = cli("recommend", "--user", "u1", "--include-seen", "--items", "t.csv", "--json")
    assert {row["item"]: row["title"] for row in json.loads(result.out)}["3"] == "T3"


@pytest.mark.parametrize("name", ["out.csv", "out.json", "out.parquet", "OUT.CSV"])
def test_a_file_is_written(cli, here, name):
    result = cli("recommend", "--all-users", "-n", 2, "-o", name)
    n_users = len(FunkSVD.load("model.funksvd").user_ids)
    assert result == (0, f"Wrote {name} ({2 * n_users:,} rows)\n", "")
    if name.endswith("parquet"):
        import pyarrow.parquet

        table = pyarrow.parquet.read_table(name)
        assert table.column_names == ["user", "rank", "item", "score", "prediction", "n_ratings"]
        assert table.num_rows == 2 * n_users
    elif name.endswith("json"):
        assert len(json.loads((here / name).read_text())) == 2 * n_users
    else:
        assert len(rows_of((here / name).read_text())) == 2 * n_users


def test_the_format_may_differ_from_the_suffix(cli, here):
    assert cli("recommend", "--user", 1, "-o", "out.txt", "--format", "csv").code == 0
    assert (here / "out.txt").read_text().startswith("rank,item,score,prediction,n_ratings\n")


def test_quiet_prints_nothing_where_a_file_is_written(cli, here):
    assert cli("recommend", "--user", 1, "-o", "out.csv", "-q") == (0, "", "")


def test_a_dash_is_standard_output(cli, here):
    ref = cli("recommend", "--user", 1, "--format", "csv")
    assert cli("recommend", "--user", 1, "--format", "csv", "-o", "-") == ref
    assert not os.path.exists("-")


@pytest.mark.parametrize(
    ("arguments", "expected"),
    [
        ([], "give one of --user, --users and --all-users"),
        (["--user", "1", "--all-users"], "give one of"),
        (["--user", "1", "-o", "out.txt"], "suffix"),
        (["--user", "1", "-o", "out.csv", "--format", "table"], "--format csv"),
        (["--user", "1", "-n", "0"], "-n"),
        (["--user", "99999"], "does not know user 99999; it knows"),
        (["--user", ""], "empty"),
        (["--users", "nothing.txt"], "nothing.txt"),
        (["--user", "1", "--items", "nothing.csv"], "nothing.csv"),
        (["--user", "1", "-o", "nowhere/out.csv"], "nowhere/out.csv cannot be written"),
    ],
    ids=" ".join,
)
def test_errors(error_of, here, arguments, expected):
    assert expected in error_of("recommend", *arguments)


def test_an_error_leaves_the_old_file(error_of, here):
    (here / "out.csv").write_text("old")
    error_of("recommend", "--user", "99999", "-o", "out.csv")
    assert (here / "out.csv").read_text() == "old"


def test_a_model_without_the_seen_pairs(cli, error_of, here, quick):
    cli("train", "ratings.csv", "-q", "--no-seen", *quick)
    assert "--include-seen" in error_of("recommend", "--user", 1)
    assert cli("recommend", "--user", 1, "--include-seen").code == 0


def test_a_model_and_its_ratings_are_not_overwritten(error_of, here):
    """Whether this command reads them or not."""
    (here / "other").write_bytes((here / "model.funksvd").read_bytes())
    for target, said in (
        ("ratings.csv", "holds ratings that the model was trained on"),
        ("other", "other is a model; remove it"),
    ):
        before = (here / target).read_bytes()
        for command in (
            ("recommend", "--user", 1),
            ("predict", "--user", 1, "--item", 1),
            ("similar", 1),
            ("export",),
        ):
            form = () if command == ("export",) else ("--format", "csv")
            assert said in error_of(*command, *form, "-o", target)
        assert (here / target).read_bytes() == before


@pytest.mark.parametrize("target", ["model.funksvd", "items.csv"])
def test_what_is_read_is_not_overwritten(error_of, here, target):
    before = (here / target).read_bytes()
    arguments = ("--items", "items.csv", "--format", "csv", "-o", target)
    assert "is read by this command too" in error_of("recommend", "--user", 1, *arguments)
    assert (here / target).read_bytes() == before


@pytest.mark.parametrize(
    "content", [None, "1,2,3\n1,3,4\n2,2,5\n", "item,rating\n1,5\n2,4.5\n"], ids=repr
)
def test_ratings_for_titles_are_refused(error_of, here, content):
    if content is not None:
        (here / "ratings.csv").write_text(content)
    message = error_of("recommend", "--user", 1, "--items", "ratings.csv")
    assert "ratings.csv: these are ratings, not titles; the first row is" in message


def test_few_titles_are_warned_of(cli, here):
    known = FunkSVD.load("model.funksvd").item_ids.tolist()
    for n, warned in ((len(known) // 2, True), (len(known) // 2 + 1, False)):
        rows = "".join(f"{item},Film {item} (1999)\n" for item in known[:n])
        (here / "few.csv").write_text(f"item,title\n{rows}")
        err = cli("recommend", "--user", 1, "--items", "few.csv").err
        text = f"Warning: few.csv has titles for {n} of the {len(known)} items"
        assert (text in err) == warned
