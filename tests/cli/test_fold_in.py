"""`funksvd recommend` for someone new, and with explanations."""

import csv
import io
import json
import re

import numpy as np
import pytest

from funksvd import FunkSVD, Ratings, hold_out, read_ratings, read_titles

SUMS = ("--by", "rating", "--explain")
MINE = "item,rating\n1,5\n2,1\n3,4\n"


@pytest.fixture
def mine(here):
    """Ratings of someone new, in mine.csv."""
    (here / "mine.csv").write_text(MINE)
    return Ratings.from_arrays([0, 0, 0], [1, 2, 3], [5, 1, 4])


def rows_of(out):
    return list(csv.DictReader(io.StringIO(out)))


class TestRatings:
    def test_recommends_what_the_model_says_for_them(self, cli, mine):
        result = cli("recommend", "--ratings", "mine.csv", "-n", 4, "--format", "csv")
        ref = FunkSVD.load("model.funksvd").for_new_users(mine).recommend(0, 4)
        rows = rows_of(result.out)
        assert [int(row["item"]) for row in rows] == [each.item for each in ref]
        for name in ("score", "prediction"):
            comp = [float(row[name]) for row in rows]
            np.testing.assert_allclose(comp, [getattr(each, name) for each in ref])
        assert result.err == ""
        assert list(rows[0]) == ["rank", "item", "score", "prediction", "n_ratings"]

    def test_what_they_have_rated_is_left_out(self, cli, mine):
        every = ("recommend", "--ratings", "mine.csv", "-n", 1000, "--json")
        items = {row["item"] for row in json.loads(cli(*every).out)}
        assert not items & {1, 2, 3}
        assert len(items) == len(FunkSVD.load("model.funksvd").item_ids) - 3
        items = {row["item"] for row in json.loads(cli(*every, "--include-seen").out)}
        assert items > {1, 2, 3}

    def test_several_users(self, cli, here):
        (here / "ours.csv").write_text("user,item,rating\nann,1,5\nbob,2,4\nann,3,1\n")
        rows = rows_of(cli("recommend", "--ratings", "ours.csv", "-n", 2, "--format", "csv").out)
        assert [row["user"] for row in rows] == ["ann", "ann", "bob", "bob"]

    def test_it_is_said_how_the_file_was_read(self, cli, here):
        (here / "mine.txt").write_text("1^5\n2^1\n")
        result = cli("recommend", "--ratings", "mine.txt", "--sep", "^", "-n", 1)
        assert "Read mine.txt: '^'-separated" in result.out

    @pytest.mark.parametrize(
        ("content", "message"),
        [
            ("", "mine.csv: this file is empty"),
            ("item,rating\n", "mine.csv: there is a header but no row below it"),
            ("a,5\nb,4\n", "mine.csv: of 2 items, the model knows none ('a', 'b')"),
        ],
    )
    def test_nothing_to_go_by_is_an_error(self, error_of, here, content, message):
        (here / "mine.csv").write_text(content)
        assert message in error_of("recommend", "--ratings", "mine.csv")

    def test_a_file_of_titles(self, cli, error_of, here):
        """They are looked up as those of --rate are; what is none is left out, and said."""
        titles = read_titles("items.csv")
        rows = [f'"{titles[1]}",5', f'"{titles[2][:-7].upper()}",1', "3,4", "No Such Film,2"]
        (here / "mine.csv").write_text("\n".join(["title,rating", *rows]))
        result = cli("recommend", "--ratings", "mine.csv", "--items", "items.csv", "--json")
        (here / "ids.csv").write_text("item,rating\n1,5\n2,1\n3,4\n")
        ref = cli("recommend", "--ratings", "ids.csv", "--items", "items.csv", "--json")
        assert json.loads(result.out) == json.loads(ref.out)
        assert "mine.csv: 1 item could not be found; no title is like 'No Such Film'" in result.err
        said = cli("recommend", "--ratings", "mine.csv", "--items", "items.csv")
        assert f"Rated: {titles[1]} (1)\n" in said.out
        (here / "mine.csv").write_text(f'title,rating\n"{titles[1]}",5\n')
        message = error_of("recommend", "--ratings", "mine.csv")
        assert f"mine.csv: of 1 item, the model knows none ({titles[1]!r})" in message
        assert "titles are looked up where --items FILE gives those of the model's items" in message
        (here / "mine.csv").write_text("item,rating\n7777,5\n")
        assert "titles are looked up" not in error_of("recommend", "--ratings", "mine.csv")

    def test_users_of_the_model_are_new_ones_here_and_it_is_said(self, cli, here):
        (here / "mine.csv").write_text("user,item,rating\n5,1,5\n5,2,1\n")
        result = cli("recommend", "--ratings", "mine.csv", "-n", 1)
        assert (
            "Warning: mine.csv: the model knows user 5, taken for new here: only these ratings "
            "count, and items that were rated elsewhere may be recommended. To ask for users as "
            "the model knows them, give --user or --users\n"
        ) in result.err
        (here / "mine.csv").write_text("user,item,rating\n5,1,5\n6,2,1\nx,3,4\n")
        result = cli("recommend", "--ratings", "mine.csv", "-n", 1)
        assert "the model knows 2 of these users (5, 6), taken for new here" in result.err
        (here / "mine.csv").write_text("item,rating\n1,5\n2,1\n")  # no user is named
        assert "taken for new" not in cli("recommend", "--ratings", "mine.csv").err

    @pytest.mark.parametrize(("n_unknown", "warned"), [(1, False), (2, True), (3, True)])
    def test_unknown_items(self, cli, here, n_unknown, warned):
        rows = [f"{9000 + at},3" for at in range(n_unknown)]
        (here / "mine.csv").write_text("\n".join(["item,rating", "1,5", "2,1", *rows]))
        result = cli("recommend", "--ratings", "mine.csv", "-n", 1)
        share = f"{n_unknown / (2 + n_unknown):.0%}"
        unknown = ", ".join(str(9000 + at) for at in range(n_unknown))
        text = f"he model does not know the items of {share} of these ratings ({unknown})"
        assert text in (result.err if warned else result.out)
        assert ("Warning" in result.err) == warned

    def test_a_user_of_whose_items_none_is_known(self, cli, here):
        (here / "ours.csv").write_text("user,item,rating\nann,1,5\nann,2,5\nbob,9999,4\n")
        result = cli("recommend", "--ratings", "ours.csv", "-n", 1)
        assert "Warning: 1 of 2 users rated no item that the model knows; they are" in result.err

    def test_ratings_of_another_scale(self, cli, here):
        (here / "mine.csv").write_text("1,5\n2,90\n")
        result = cli("recommend", "--ratings", "mine.csv", "-n", 1)
        assert "Warning: 1 of 2 ratings are outside of the scale" in result.err
        assert "for instance 90" in result.err


class TestRate:
    def test_ids(self, cli, mine):
        rates = ("--rate", "1=5", "--rate", "2=1", "--rate", "3=4")
        comp = cli("recommend", *rates, "--json")
        assert comp.out == cli("recommend", "--ratings", "mine.csv", "--json").out

    def test_titles(self, cli, mine):
        titles = read_titles("items.csv")
        rates = [
            part
            for item, r in ((1, 5), (2, 1), (3, 4))
            for part in ("--rate", f"{titles[item]}={r}")
        ]
        comp = cli("recommend", *rates, "--items", "items.csv")
        assert comp.code == 0, comp.err
        for item, rating in ((1, 5), (2, 1), (3, 4)):
            assert f"Rated {rating}: {titles[item]} ({item})\n" in comp.out
        ref = cli("recommend", "--ratings", "mine.csv", "--items", "items.csv", "-q")
        assert comp.out.endswith(ref.out)

    @pytest.mark.parametrize("option", ["--json", "--quiet"])
    def test_what_was_guessed_is_told_in_any_case(self, cli, here, option):
        (here / "items.csv").write_text("item,title\n1,Twins (1988)\n2,Others (2015)\n")
        rates = ("--rate", "twins=5", "--rate", "2=4", "--items", "items.csv", option)
        told = [line for line in cli("recommend", *rates).err.splitlines() if "Rated" in line]
        assert told == ["Rated 5: Twins (1988) (1)"]
        exact = cli("recommend", "--rate", "Twins (1988)=5", "--items", "items.csv", option)
        assert "Rated" not in exact.err + exact.out

    def test_with_a_file(self, cli, mine):
        comp = cli("recommend", "--ratings", "mine.csv", "--rate", "3=1", "--rate", "4=5", "--json")
        rates = ("--rate", "1=5", "--rate", "2=1", "--rate", "3=1", "--rate", "4=5")
        assert comp.out == cli("recommend", *rates, "--json").out

    @pytest.mark.parametrize(
        ("arguments", "message"),
        [
            (["--rate", "77777=5"], "the model knows no item with the id '77777'"),
            (["--rate", "77777=5"], "to find items by title, give --items FILE"),
            (["--rate", "no such thing=5", "--items", "items.csv"], "'no such thing'"),
            (["--rate", "1"], "'1' is not an item and a rating"),
            (["--rate", "1=good"], "'1=good' is not an item and a rating"),
            (["--rate", "=5"], "'=5' is not an item and a rating"),
            (["--rate", "1=nan"], "'1=nan' is not an item and a rating"),
            (["--rate", "1=5", "--user", "1"], "give one of --user, --users and --all-users"),
            (["--user", "1", "--sep", ";"], "can be said of --ratings only"),
        ],
    )
    def test_what_makes_no_sense(self, error_of, here, arguments, message):
        result = error_of("recommend", *arguments)
        assert message in result

    @pytest.mark.parametrize("names", [("twins", "twins"), ("twins", "1"), ("1", "twins (1988)")])
    def test_an_item_is_rated_once(self, error_of, here, names):
        (here / "items.csv").write_text("item,title\n1,Twins (1988)\n2,Others (2015)\n")
        rates = [part for name in names for part in ("--rate", f"{name}=5")]
        message = error_of("recommend", *rates, "--rate", "2=3", "--items", "items.csv")
        assert "Twins (1988) (1) is rated twice" in message
        assert "item 1 is rated twice" in error_of("recommend", "--rate", "1=5", "--rate", "1=1")

    def test_a_title_that_several_items_have(self, error_of, here):
        (here / "items.csv").write_text("item,title\n1,Twins (1988)\n2,Twins (2015)\n99999,Alone\n")
        message = error_of("recommend", "--rate", "twins=5", "--items", "items.csv")
        assert "not clear which title is meant by 'twins'; the closest are\n" in message
        assert "  2  Twins (2015), 76 ratings\n  1  Twins (1988), 39 ratings\n" in message
        message = error_of("recommend", "--rate", "alone=5", "--items", "items.csv")
        assert "no title is like 'alone'" in message  # the model does not know it


class TestExplain:
    """Lists by rating: predictions as sums."""

    def blocks(self, out):
        """Each recommendation's prediction and the amounts under it."""
        found = []
        for block in out.strip().split("\n\n"):
            head, *lines = block.splitlines()[-20:]
            amounts = [float(re.match(r" +([+-]?\d+\.\d+)  ", line)[1]) for line in lines]
            found.append((float(head.rsplit(": ", 1)[1]), amounts, lines))
        return found

    def test_amounts_add_up(self, cli, mine):
        out = cli("recommend", "--ratings", "mine.csv", "-n", 5, *SUMS, "-q").out
        blocks = self.blocks(out)
        assert len(blocks) == 5
        for prediction, amounts, _ in blocks:
            assert prediction == pytest.approx(sum(amounts), abs=0.001 * len(amounts))
        ref = FunkSVD.load("model.funksvd").for_new_users(mine).recommend(0, 5, by="rating")
        assert [p for p, *_ in blocks] == [round(each.prediction, 3) for each in ref]

    def test_a_user_of_the_model(self, cli, here):
        out = cli("recommend", "--user", 1, "-n", 3, *SUMS, "--items", "items.csv").out
        blocks = self.blocks(out)
        ref = FunkSVD.load("model.funksvd").recommend(1, 3, by="rating")
        assert [p for p, *_ in blocks] == pytest.approx([e.prediction for e in ref], abs=6e-4)
        titles = read_titles("items.csv")
        for each, (prediction, amounts, lines), head in zip(
            ref, blocks, out.split("\n\n"), strict=True
        ):
            assert titles[each.item] in head.splitlines()[0]
            assert prediction == pytest.approx(sum(amounts), abs=0.001 * len(amounts))
            assert "what everyone thinks of it" in lines[0]
            assert "what training knows of the user besides" in "".join(lines)
            assert len([line for line in lines if "  rated " in line]) <= 6

    def test_json_has_all_of_it(self, cli, here):
        plain = json.loads(cli("recommend", "--user", 1, "-n", 2, *SUMS, "--json").out)
        training = hold_out(read_ratings("ratings.csv")).training
        model = FunkSVD.load("model.funksvd")
        mine = training.user_ids[training.user_index] == 1
        for row in plain:
            parts = row["contributions"]
            rated = {part["item"]: part["rating"] for part in parts}
            items = training.item_ids[training.item_index[mine]].tolist()
            assert rated == dict(zip(items, training.values[mine].tolist(), strict=True))
            total = sum(part["contribution"] for part in parts)
            total += row["global_mean"] + row["item_bias"] + row["rest"] + row["limit"]
            assert row["prediction"] == pytest.approx(total, abs=1e-9)
            assert row["prediction"] == pytest.approx(model.predict(1, row["item"]), abs=1e-6)
            amounts = [part["contribution"] for part in parts]
            assert amounts == sorted(amounts, reverse=True)

    def test_ratings_of_the_test_part_explain_nothing(self, cli, here):
        test = hold_out(read_ratings("ratings.csv")).test
        user = test.user_ids[test.user_index[0]]
        [row] = json.loads(cli("recommend", "--user", user, "-n", 1, *SUMS, "--json").out)
        mine = test.item_ids[test.item_index[test.user_ids[test.user_index] == user]]
        assert not {part["item"] for part in row["contributions"]} & set(mine.tolist())

    def test_without_a_refit_neither_do_those_of_the_validation_part(self, cli, here, quick):
        cli("train", "ratings.csv", "-q", "--no-refit", "--valid-fraction", 0.5, *quick)
        model = FunkSVD.load("model.funksvd")
        [row] = json.loads(cli("recommend", "--user", 1, "-n", 1, *SUMS, "--json").out)
        u = model.user_ids.tolist().index(1)
        seen = model.item_ids[model.seen.columns[slice(*model.seen.indptr[u : u + 2])]]
        assert {part["item"] for part in row["contributions"]} == set(seen.tolist())

    def test_the_ratings_are_gone(self, error_of, cli, here):
        (here / "ratings.csv").unlink()
        message = error_of("recommend", "--user", 1, *SUMS)
        assert (
            "ratings.csv: the ratings that the model was trained on are no longer there" in message
        )
        assert "or give the user's ratings with --ratings FILE" in message
        assert cli("recommend", "--rate", "1=5", *SUMS).code == 0

    def test_a_model_that_records_nothing(self, error_of, here, sample):
        FunkSVD(n_factors=2, n_epochs=1).fit(sample).save("model.funksvd")
        message = error_of("recommend", "--user", 1, *SUMS)
        assert "does not record which ratings it was trained on" in message

    @pytest.mark.parametrize(
        ("arguments", "message"),
        [
            (["--all-users"], "--explain is for one user, not for 500"),
            (["--user", "1", "--format", "csv"], "explanations are shown, or with --json"),
            (["--user", "nobody"], "the model does not know user 'nobody'"),
        ],
    )
    def test_what_makes_no_sense(self, error_of, here, arguments, message):
        assert message in error_of("recommend", *SUMS, *arguments)

    def test_someone_who_has_rated_everything(self, cli, here):
        items = FunkSVD.load("model.funksvd").item_ids
        (here / "mine.csv").write_text("".join(f"{item},3\n" for item in items))
        assert json.loads(cli("recommend", "--ratings", "mine.csv", *SUMS, "--json").out) == []


class TestReasons:
    """Other lists: what each item adds to the score more than to other scores."""

    @pytest.mark.parametrize("by", [None, "both", "choice"])
    def test_someone_new(self, cli, mine, by):
        options = ("--by", by) if by else ()
        asked = ("recommend", "--ratings", "mine.csv", "-n", 5, "--explain", *options)
        plain = json.loads(cli(*asked, "--json").out)
        model = FunkSVD.load("model.funksvd")
        listed = model.for_new_users(mine).recommend(0, 5, by=by)
        ref = model.because(
            [each.item for each in listed], by=by, item_ids=[1, 2, 3], ratings=[5, 1, 4]
        )
        assert [(row["item"], row["score"]) for row in plain] == [
            (each.item, each.score) for each in listed
        ]
        for row, parts in zip(plain, ref.contributions, strict=True):
            assert row["by"] == (by or "both")
            said = {each["item"]: each["contribution"] for each in row["because"]}
            assert said == dict(zip([1, 2, 3], parts.tolist(), strict=True))
            assert {each["item"]: each["rating"] for each in row["because"]} == {1: 5, 2: 1, 3: 4}
            amounts = list(said.values())
            assert amounts == sorted(amounts, reverse=True)

    def test_the_strongest_are_shown(self, cli, here):
        asked = ("recommend", "--user", 1, "-n", 3, "--items", "items.csv", "--explain")
        plain = json.loads(cli(*asked, "--json").out)
        blocks = cli(*asked, "-q").out.strip().split("\n\n")
        assert len(blocks) == 3
        for row, block in zip(plain, blocks, strict=True):
            head, *lines = block.splitlines()
            assert head == (
                f"{row['rank']}. {row['title']} ({row['item']}): score {row['score']:.3f}, "
                f"predicted rating {row['prediction']:.3f}"
            )
            amounts = [each["contribution"] for each in row["because"]]
            shown = [at for at, part in enumerate(amounts) if part > 0][:3]
            shown += [at for at, part in enumerate(amounts) if part < 0][-3:]
            assert lines == [
                f"  {amounts[at]:+7.3f}  rated {each['rating']:g}: {each['title']} ({each['item']})"
                for at in shown
                for each in [row["because"][at]]
            ]

    def test_the_file_of_ratings_may_be_gone(self, cli, here):
        training = hold_out(read_ratings("ratings.csv")).training
        (here / "ratings.csv").unlink()
        result = cli("recommend", "--user", 1, "-n", 1, "--explain", "--json")
        [row] = json.loads(result.out)
        mine = training.user_ids[training.user_index] == 1
        items = training.item_ids[training.item_index[mine]].tolist()
        known = dict(zip(items, training.values[mine].tolist(), strict=True))
        assert {each["item"]: each["rating"] for each in row["because"]} == known

    def test_a_model_that_has_forgotten(self, cli, error_of, here, quick):
        cli("train", "ratings.csv", "-q", "--no-seen", *quick)
        message = error_of("recommend", "--user", 1, "--include-seen", "--explain")
        assert "saved without the pairs it has seen" in message
        assert "give the user's ratings with --ratings" in message

    def test_someone_who_has_rated_everything(self, cli, here):
        items = FunkSVD.load("model.funksvd").item_ids
        (here / "mine.csv").write_text("".join(f"{item},3\n" for item in items))
        result = cli("recommend", "--ratings", "mine.csv", "--explain", "--json")
        assert json.loads(result.out) == []


class TestChoices:
    """A model that knows no ratings is told what is liked."""

    @pytest.fixture
    def clicks(self, here, cli):
        lines = [
            f"u{user},{item}" for user in range(30) for item in range(20) if user % 2 == item % 2
        ]
        (here / "clicks.csv").write_text("\n".join(["user,item", *lines]) + "\n")
        (here / "things.csv").write_text(
            "item,title\n" + "".join(f"{item},Thing {item}a\n" for item in range(20))
        )
        result = cli("train", "clicks.csv", "-o", "clicks.funksvd", "-q", "-k", 4)
        assert result.code == 0, result
        return here

    def items(self, cli, *options):
        result = cli("recommend", "-m", "clicks.funksvd", "--json", "-n", 4, *options)
        assert result.code == 0, result
        return [row["item"] for row in json.loads(result.out)]

    def test_an_item_is_enough(self, cli, clicks, error_of):
        by_id = self.items(cli, "--rate", "3", "--rate", "5")
        assert all(item % 2 for item in by_id)
        by_title = ("--items", "things.csv", "--rate", "thing 3a", "--rate", "thing 5a")
        assert self.items(cli, *by_title) == by_id
        assert self.items(cli, "--rate", "3=1", "--rate", "5=1") == by_id
        message = error_of("recommend", "--rate", "3")
        assert "'3' is not an item and a rating, such as 318=4.5" in message

    def test_files_of_items(self, cli, clicks):
        by_id = self.items(cli, "--rate", "3", "--rate", "5")
        (clicks / "mine.txt").write_text("3\n5\n")
        assert self.items(cli, "--ratings", "mine.txt") == by_id
        (clicks / "mine.csv").write_text("user,item\nme,3\nme,5\n")
        assert self.items(cli, "--ratings", "mine.csv") == by_id

    @pytest.mark.parametrize("who", [("--rate", "3", "--rate", "5"), ("--user", "u1")])
    def test_reasons(self, cli, clicks, who):
        asked = ("recommend", "-m", "clicks.funksvd", *who, "-n", 2, "--include-seen", "--explain")
        titled = (*asked, "--items", "things.csv")
        for row in json.loads(cli(*titled, "--json").out):
            assert (row["by"], row["prediction"]) == ("choice", None)
            assert row["because"][0]["title"] == f"Thing {row['because'][0]['item']}a"
            assert "rating" not in row["because"][0]
        out = cli(*titled).out
        assert "adds to the score, more than to that of all items" in out
        assert re.search(r"^   \+\d\.\d{3}  dealt with: Thing \d+a \(\d+\)$", out, re.MULTILINE)
