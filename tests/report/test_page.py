"""The page is one valid file that holds everything, and nothing that was in a title."""

import base64
import hashlib
import re
import subprocess
import sys
from dataclasses import replace
from html.parser import HTMLParser

import numpy as np
import pytest
from matplotlib.figure import Figure

from funksvd import FunkSVD, FunkSVDError, Ratings, hold_out
from funksvd.metrics import Interval
from funksvd.rankings import TITLES
from funksvd.report import gather, is_report, page, write_pictures, write_report
from funksvd.report.drawing import to_png
from funksvd.report.factors import Point
from funksvd.report.figures import draw_groups, pictures_of
from funksvd.report.labels import Labels, shortened
from funksvd.report.list_figures import steps_for
from funksvd.report.lists import EXPLANATIONS
from funksvd.report.map import draw_map
from funksvd.report.palette import ON_PAPER
from funksvd.report.testing import Group
from funksvd.training import ALGORITHMS

VOID = {"meta", "link", "input", "br"}
ALL_PICTURES = {
    "calibration",
    "comparison",
    "item-map",
    "items-by-ratings",
    "learning-curves",
    "list-quality",
    "predicted-against-actual",
    "ratings",
    "reliability",
    "residuals",
    "rmse-by-activity",
    "rmse-by-popularity",
    "spectrum",
    "users-by-ratings",
}
PICTURES_OF_CHOICES = {
    "items-by-pairs",
    "learning-curves",
    "list-quality",
    "users-by-pairs",
    "validation-curve",
}
NASTY = (
    '</title></svg><script>alert("1")</script><img src=x onerror=y> & $\\frac{1}$ \x07 %s {{ 1 }}'
)


class Page(HTMLParser):
    """Elements and text of a page whose tags must all be closed in order."""

    def __init__(self, html):
        super().__init__()
        self.open, self.elements, self.text = [], [], []
        self.feed(html)
        self.close()
        assert self.open == []

    def handle_starttag(self, tag, attrs):
        self.elements.append((tag, dict(attrs)))
        if tag not in VOID:
            self.open.append(tag)

    def handle_startendtag(self, tag, attrs):
        self.elements.append((tag, dict(attrs)))

    def handle_endtag(self, tag):
        assert self.open.pop() == tag

    def handle_data(self, data):
        self.text.append(data)

    def values(self, attribute):
        return [attrs[attribute] for _, attrs in self.elements if attribute in attrs]

    def count(self, tag):
        return sum(name == tag for name, _ in self.elements)


@pytest.fixture(scope="module")
def html(content):
    return page.render(content)


@pytest.fixture
def without_pictures(monkeypatch):
    """Pages are made faster where it is not about the pictures."""
    monkeypatch.setattr(page, "to_svg", lambda picture, name, labels: "<svg></svg>")


def test_all_pictures_are_there_and_all_ids_differ(html, content):
    found = Page(html)
    ids = found.values("id")
    assert len(ids) == len(set(ids))
    assert set(pictures_of(content)) == ALL_PICTURES
    assert set(ids) >= ALL_PICTURES
    assert found.count("svg") == found.count("figure") == len(ALL_PICTURES)
    assert found.values("class").count("mark") == len(content.factors.points)


def test_the_page_needs_nothing_else(html):
    found = Page(html)
    for value in found.values("href") + re.findall(r"url\(([^)]*)\)", html):
        assert value.startswith("#") or value == "data:,"
        assert value == "data:," or value[1:] in found.values("id")
    assert not found.values("src")
    assert "http" not in html.replace("http-equiv", "")
    assert "@import" not in html


def test_colours_are_the_pages(html):
    drawn = html[html.index("<main>") : html.index("</main>")]
    assert not re.findall(r"#[0-9a-fA-F]{6}\b", drawn)
    assert not re.findall(r"font(-family|-size)?:", drawn)
    used = set(re.findall(r"var\((--\w+)\)", html))
    assert used <= set(re.findall(r"(--\w+):", html))


def test_no_script_runs_but_the_pages_own(html):
    [script] = re.findall(r"<script>(.*?)</script>", html, flags=re.DOTALL)
    digest = base64.b64encode(hashlib.sha256(script.encode()).digest()).decode()
    assert f"script-src 'sha256-{digest}';" in html
    assert "default-src 'none'" in html


def test_figures_are_those_of_the_evaluation(html, content):
    text = " ".join("".join(Page(html).text).split())
    evaluation = content.test.evaluation
    for figure in (evaluation.rmse, *evaluation.rmse_interval, evaluation.mae):
        assert f"{figure:.4f}" in text
    for errors in evaluation.baselines.values():
        assert f"{errors.rmse:.4f}" in text
    assert "On 2,006 test ratings" in text
    assert "train it" in text
    for person in content.people:
        assert f"User {person.user}" in text
        assert all(best.label in text for best in person.recommended)
    for factor in content.factors.ends:
        assert all(label in text for label in (*factor.low, *factor.high))


def test_the_same_model_gives_the_same_bytes(content, html, tmp_path):
    write_report(content, tmp_path / "a.html")
    assert (tmp_path / "a.html").read_text(encoding="utf-8") == html
    assert is_report(tmp_path / "a.html")


def test_titles_are_text_and_nothing_else(model, holdout, titles, html):
    nasty = dict.fromkeys(titles, NASTY)
    content = gather(model, holdout=holdout, titles=nasty, name=NASTY, command=(NASTY, (NASTY,)))
    found = Page(page.render(content))
    for tag in ("script", "img", "title", "svg"):
        assert found.count(tag) == Page(html).count(tag)
    shown = NASTY.replace("\x07", " ")
    assert sum(shown in text for text in found.text) > len(content.factors.points)
    assert "\x07" not in "".join(found.text).replace(NASTY, "")


def test_user_ids_are_text_too(without_pictures):
    users = [f"<b>{n}</b>" for n in range(30)]
    ratings = Ratings.from_arrays(users * 2, [1] * 30 + [2] * 30, np.arange(60) % 5)
    model = FunkSVD(n_factors=1, n_epochs=2).fit(ratings)
    html = page.render(gather(model, holdout=hold_out(ratings, test_fraction=0)))
    assert "User &lt;b&gt;" in html
    assert "<b>1" not in html


def test_letters_that_matplotlib_lacks_are_no_problem(model, titles):
    content = gather(model, titles=dict.fromkeys(titles, "映画 🎬 $x"))
    assert page.render(content).count("映画 🎬 $x") > 300


@pytest.mark.parametrize("validation_fraction", [0, 0.1])
@pytest.mark.parametrize(
    "algorithm", [name for name, each in ALGORITHMS.items() if each.learns == "rating"]
)
def test_every_algorithm(algorithm, validation_fraction, holdout):
    model = FunkSVD(
        algorithm=algorithm,
        n_factors=2,
        n_epochs=4,
        validation_fraction=validation_fraction,
        choice=False,
    ).fit(holdout.training)
    content = gather(model, holdout=holdout)
    text = " ".join("".join(Page(page.render(content)).text).split())
    assert not re.search(r"\b(None|nan|True|False)\b", text)
    words = text.lower()
    is_sampler = algorithm in ("bayes", "bayes++")
    for word in ("learning rate", "schedule", "epoch", "by heart", "too long"):
        assert not is_sampler or word not in words.replace("n epochs", "")
    for name in ("huber delta", "plateau epochs", "cycle epochs", "ensemble snapshots"):
        assert name not in words
    assert ("patience" in words) == (validation_fraction > 0)
    assert ("validation part" in words) == (validation_fraction > 0 or not is_sampler)
    assert ("no validation part was set aside" in words) == (
        validation_fraction == 0 and not is_sampler
    )
    assert ("draws kept" in words) == is_sampler
    if is_sampler:
        assert content.training["draws kept"].startswith(f"{model.n_members}; ")
        assert "of at most 4" in content.training["sweeps watched"]
        n_rows = len(model.user_ids) + len(model.item_ids)
        assert content.training["numbers in each draw"] == f"{3 * n_rows:,}"
        assert "numbers learned" not in content.training
        assert "mean rating" not in content.data.facts
    else:
        assert "The learning rate was" in text or len(model.history) == 1


def test_a_page_about_both(html, content):
    found = Page(html)
    text = " ".join("".join(found.text).split())
    assert {"accuracy", "lists", "choice", "similar", "people"} <= set(found.values("id"))
    for name, quality in content.lists.recommenders.items():
        assert TITLES[name] in text
        assert EXPLANATIONS[name] in text
        for figure in (quality.means.ndcg, *quality.intervals["ndcg"], quality.means.recall):
            assert f"{figure:.3f}" in text
        assert f"{quality.coverage:.1%}" in text
        for figure in (quality.gini, quality.intra_list_similarity):
            assert f"{figure:.3f}" in text
        assert f"{quality.novelty:.2f}" in text
    assert f"reach an NDCG of {content.lists.model.means.ndcg:.3f}" in text
    assert "Their lists are by both." in text
    assert "A second model, learned from the same ratings" in text
    for item in content.similar:
        assert f"{item.label} {item.n_ratings:,} ratings" in text


def test_a_page_about_choices_leaves_out_what_needs_ratings(click_content):
    html = page.render(click_content)
    found = Page(html)
    text = " ".join("".join(found.text).split())
    assert set(pictures_of(click_content)) == PICTURES_OF_CHOICES
    assert found.count("svg") == found.count("figure") == len(PICTURES_OF_CHOICES)
    sections = {"lists", "learning", "choice", "similar", "people", "data", "making"}
    shown = {attrs["id"] for tag, attrs in found.elements if tag == "section"}
    assert shown == sections
    links = {attrs["href"] for tag, attrs in found.elements if tag == "a"}
    assert links == {f"#{name}" for name in sections}
    assert not re.search(r"\b(None|nan|True|False)\b", text)
    said = text.replace("ratings.csv", "")
    assert re.findall(r"[\w ]*\brat(?:ing|ings|ed)\b", said) == [" It predicts no ratings"]
    assert "script" not in {tag for tag, _ in found.elements}
    assert "RMSE" not in text
    assert "A model of 17,994 pairs." in text
    for person in click_content.people:
        assert all(own.label in text for own in (*person.chosen, *person.tested))
        for best in person.recommended:
            assert f"{best.label}{best.score:.2f}{best.n_ratings}" in text.replace(" ", "").replace(
                best.label.replace(" ", ""), best.label
            )


def test_choices_without_a_validation_part(click_holdout):
    model = FunkSVD(algorithm="ials", n_factors=2, n_epochs=3).fit(click_holdout.training)
    content = gather(model, holdout=click_holdout)
    assert "validation-curve" not in pictures_of(content)
    words = " ".join("".join(Page(page.render(content)).text).split())
    assert "No validation part was set aside: the number of epochs was given." in words
    assert "patience" not in words


@pytest.mark.parametrize("with_seen", [True, False])
def test_choices_whose_pairs_are_gone(click_model, tmp_path, with_seen):
    click_model.save(tmp_path / "m", with_seen=with_seen)
    content = gather(FunkSVD.load(tmp_path / "m"), missing="The file is gone.")
    text = " ".join("".join(Page(page.render(content)).text).split())
    assert "There is no figure on how good the lists are. The file is gone." in text
    assert "How good it is on pairs that it has not learned from is not known here." in text
    assert not re.search(r"\b(None|nan|True|False)\b", text)
    assert all(bool(person.chosen) == with_seen for person in content.people)


def test_lists_that_are_no_better_than_the_most_popular_items_are_doubted(
    click_content, without_pictures
):
    lists = click_content.lists
    popular = lists.recommenders["most_popular"]
    worse = replace(lists, recommenders={**lists.recommenders, "choice": popular}, n_users=3)
    html = page.render(replace(click_content, lists=worse))
    assert "lists are no better than the most popular items" in html
    assert "The test pairs are by 3 users only" in html


def test_what_is_missing_is_said(model):
    content = gather(model, missing="The file is <gone>.")
    html = page.render(content)
    found = Page(html)
    assert "There is no test part to judge the model by" in html
    assert html.count("The file is &lt;gone&gt;.") == 4
    assert set(found.values("id")) & ALL_PICTURES == {
        "item-map",
        "items-by-ratings",
        "learning-curves",
        "spectrum",
        "users-by-ratings",
    }
    for target in (value for value in found.values("href") if value.startswith("#")):
        assert target[1:] in found.values("id")
    assert "No command is known" in html


def test_doubts_are_at_the_top(content, without_pictures):
    test = content.test
    evaluation = replace(
        test.evaluation, rmse=9.0, unknown_users=0.6, n_users=3, already_learned=0.25
    )
    html = page.render(replace(content, test=replace(test, evaluation=evaluation)))
    for doubt in (
        "no better than the biases alone",
        "does not know the user of 60% of the test ratings",
        "by 3 users only",
        "trained on 25.0% of them",
    ):
        assert doubt in html
    assert "doubt" not in page.render(content)


@pytest.mark.parametrize(
    ("rmse", "other", "expected"),
    [(0.9, 1.0, "10.0% less than"), (1.1, 1.0, "10.0% more than"), (1, 1.0001, "the same as")],
)
def test_comparisons_in_words(rmse, other, expected):
    assert page.compared(rmse, other) == expected


@pytest.mark.parametrize("n_factors", [1, 2])
def test_small_models(n_factors):
    ratings = Ratings.from_arrays(["a", "b", "b"], ["x", "x", "y"], [1, 2, 3])
    model = FunkSVD(n_factors=n_factors, n_epochs=1, validation_fraction=0).fit(ratings)
    Page(page.render(gather(model, holdout=hold_out(ratings, test_fraction=0))))
    Page(page.render(gather(model, holdout=hold_out(ratings, test_fraction=0.4))))


def test_factors_that_are_zero(made):
    html = page.render(gather(made(np.zeros((5, 3)), np.zeros((4, 3)))))
    assert "All factors are zero" in html


def test_pictures_as_files(content, tmp_path):
    paths = write_pictures(content, tmp_path / "new" / "folder")
    assert {path.stem for path in paths} == ALL_PICTURES
    for path in paths:
        assert path.read_bytes().startswith(b"\x89PNG")
    again = to_png(pictures_of(content)["item-map"])
    assert again == (tmp_path / "new" / "folder" / "item-map.png").read_bytes()


def test_a_report_that_cannot_be_written_leaves_the_old_one(
    content, tmp_path, monkeypatch, without_pictures
):
    (tmp_path / "r.html").write_text("old")

    def fail(*args):
        raise OSError(28, "No space left on device")

    monkeypatch.setattr(page.os, "replace", fail, raising=False)
    with pytest.raises(OSError, match="No space left"):
        write_report(content, tmp_path / "r.html")
    assert (tmp_path / "r.html").read_text() == "old"
    assert len(list(tmp_path.iterdir())) == 1


def test_missing_packages_are_named(content, tmp_path, monkeypatch):
    monkeypatch.setattr(page.importlib.util, "find_spec", lambda name: None)
    for call in (write_report, write_pictures):
        needed = r'needs jinja2 and matplotlib: in the folder .* pip install "\.\[report\]"'
        with pytest.raises(FunkSVDError, match=needed):
            call(content, tmp_path / "x")
    assert list(tmp_path.iterdir()) == []


def test_gathering_needs_neither(root):
    code = (
        "import sys, funksvd.report; "
        "print([m for m in ('matplotlib', 'jinja2', 'markupsafe') if m in sys.modules])"
    )
    command = [sys.executable, "-c", code]
    result = subprocess.run(command, cwd=root, capture_output=True, text=True, check=True)
    assert result.stdout.strip() == "[]"


def test_labels():
    labels = Labels(np.array([1, 2, 3]), {1: "One\ttwo", "2": "Two"})
    assert labels.of([0, 1, 2]) == ["One two", "Two", "item 3"]
    assert labels.n_titled == 2
    assert shortened("abcdef", 6) == "abcdef"
    assert shortened("abc def", 5) == "abc…"
    assert shortened("A long title - and more (1995)", 20) == "A long title… (1995)"
    assert shortened("Short enough (1995)", 20) == "Short enough (1995)"


def test_a_small_group_does_not_squash_the_others():
    large = Group("1–9", 30, 1.0, Interval(0.9, 1.1), 1.05)
    tiny = Group("0", 29, 1.3, Interval(0.1, 9.0), 1.2)
    for groups, low, high in (
        ([tiny, large], 0.8, 1.4),  # its points are there, its interval is cut off
        ([large, large._replace(interval=Interval(0.1, 9.0))], -1, 10),
        ([tiny], -1, 10),
    ):
        axes = Figure().subplots()
        draw_groups(axes, ON_PAPER, groups, "ratings")
        bottom, top = axes.get_ylim()
        ends = [end for group in groups if group.n_ratings >= 30 for end in group.interval]
        shown = [*ends, *(group.rmse for group in groups)]
        assert low < bottom < min(shown)
        assert max(shown) < top < high


def labels_of(points):
    axes = Figure().subplots()
    draw_map(axes, ON_PAPER, points, ("factor 1", "factor 2"))
    return [text.get_text() for text in axes.texts]


def test_labels_on_the_map_hide_neither_labels_nor_many_items():
    corners = [Point(f"{x} {y}", x, y, None, 0) for x in (-1, 1) for y in (-1, 1)]
    assert sorted(labels_of(corners)) == sorted(point.label for point in corners)
    twin = corners[0]._replace(label="twin")
    assert len(labels_of([*corners, twin])) == 4
    # The axes are about 310 units high, for 2.28 in y: a label is 5 to 12 units above its item.
    under = [Point("", -1 + shift, -1 + 0.06, None, 0) for shift in (0.0, 0.01, 0.02)]
    assert corners[0].label in labels_of([*corners, *under[:2]])
    assert corners[0].label not in labels_of([*corners, *under])


def test_bars_of_activity_hold_every_number_once():
    for most in (1, 2, 7, 100, 54_321):
        edges = steps_for(most)
        assert (np.diff(edges) > 0).all()
        assert (edges % 1 == 0.5).all()
        counts, _ = np.histogram(np.arange(1, most + 1), edges)
        assert counts.sum() == most
        assert (edges[0], edges[-1]) == (0.5, most + 0.5)
