"""The page in a real browser: search, rate, and see recommendations change."""

import os

import numpy as np
import pytest

from funksvd import FunkSVD, Interactions, Ratings
from funksvd.serving import ModelHolder, Service, create_app

CHROMIUM = "/usr/bin/chromium"
QUIETLY = (
    "--no-sandbox",
    "--disable-gpu",
    "--disable-quic",
    "--no-first-run",
    "--disable-background-networking",
    "--disable-component-update",
    "--disable-sync",
)


@pytest.fixture(scope="module")
def browser():
    if not os.path.exists(CHROMIUM):
        pytest.skip(f"there is no {CHROMIUM}: apt-get install chromium")
    sync_api = pytest.importorskip("playwright.sync_api")
    with sync_api.sync_playwright() as playwright:
        browser = playwright.chromium.launch(executable_path=CHROMIUM, args=QUIETLY)
        yield browser
        browser.close()


@pytest.fixture
def open_page(browser, titles, served):
    """Open the page of a model; at the end, nothing may have been complained of."""
    pages = []

    def open_(model, width=1200, scheme="light"):
        address = served(create_app(ModelHolder(lambda: Service(model, titles), [], every=0)))
        page = browser.new_page(viewport={"width": width, "height": 844}, color_scheme=scheme)
        page.problems = []
        page.on("console", lambda message: page.problems.append(message.text))
        page.on("pageerror", lambda error: page.problems.append(str(error)))
        page.goto(address)
        page.wait_for_selector("#found li")
        pages.append(page)
        return page

    yield open_
    for page in pages:
        assert page.problems == []
        page.close()


@pytest.fixture
def page(open_page, model):
    return open_page(model)


@pytest.fixture(scope="module")
def half_stars():
    """A model of ratings from 0.5 to 5 in steps of a half."""
    generator = np.random.default_rng(0)
    users, items = np.divmod(generator.choice(40 * 30, 600, replace=False), 30)
    values = generator.integers(1, 11, len(users)) / 2
    model = FunkSVD(n_factors=2, n_epochs=2, validation_fraction=0)
    return model.fit(Ratings.from_arrays(users, items + 1, values))


@pytest.fixture(scope="module")
def choices():
    """A model that knows no ratings."""
    generator = np.random.default_rng(0)
    users, items = np.divmod(generator.choice(40 * 30, 300, replace=False), 30)
    model = FunkSVD(algorithm="ials", n_factors=4)
    return model.fit(Interactions.from_arrays(users, items + 1))


def search(page, text):
    with page.expect_response(lambda response: "/items" in response.url):
        page.fill("#search", text)
    page.wait_for_timeout(50)


def changing(page):
    return page.expect_response(lambda response: "/fold-in" in response.url)


def rate(page, star):
    with changing(page):
        page.locator("#found li:first-child .stars label").nth(star - 1).click()
    page.wait_for_timeout(50)


def listed(page, where="#best"):
    return page.locator(f"{where} > li .title").all_inner_texts()


def test_rating_changes_what_is_recommended(page):
    assert page.inner_text("#message") == "Rate something first."
    search(page, "das bo")
    assert "Das Boot" in listed(page, "#found")[0]
    rate(page, 5)
    assert "Das Boot" in listed(page, "#rated")[0]
    assert len(listed(page)) == 12
    assert "because you rated Das Boot" in page.inner_text("#best")
    liked = page.inner_text("#best")
    rate(page, 1)
    assert page.inner_text("#best") != liked
    page.click("#rated .plain")
    assert listed(page) == []
    assert page.inner_text("#message") == "Rate something first."


def test_numbers_of_ratings_stand_beside_titles(page, model):
    search(page, "das bo")
    n_ratings = int(model.fitted.item_counts[2])
    assert page.inner_text("#found .count") == f"{n_ratings} ratings"
    rate(page, 4)
    assert page.locator("#best .count").count() == 12


def test_titles_are_text_whatever_they_look_like(page):
    search(page, "bold")
    assert "<b>Bold</b> & 'quoted'" in listed(page, "#found")[0]
    assert page.locator("#found b").count() == 0


def test_ratings_are_there_again_after_a_reload(page):
    search(page, "amélie")
    rate(page, 4)
    page.reload()
    page.wait_for_selector("#rated li")
    assert "Amélie" in listed(page, "#rated")[0]
    page.click("#clear")
    assert listed(page, "#rated") == []


def test_rankings_can_be_chosen(page, model):
    search(page, "alien")
    rate(page, 4)
    assert model.rankings == ("both", "choice", "rating")
    assert page.locator("#by input:checked").get_attribute("value") == "both"
    both = listed(page)
    with changing(page):
        page.click("#by label:has-text('what you would like')")
    page.wait_for_timeout(50)
    assert listed(page) != both
    page.reload()
    page.wait_for_selector("#best > li")
    assert page.locator("#by input:checked").get_attribute("value") == "rating"


def test_what_is_not_interesting_is_left_out_until_it_is_undone(page):
    search(page, "alien")
    rate(page, 4)
    first, second, *_ = listed(page)
    with changing(page):
        page.click("#best > li:first-child .plain")
    page.wait_for_timeout(50)
    assert listed(page)[0] == second
    assert first not in listed(page)
    assert f"{first} is left out" in page.inner_text("#undo")
    page.reload()
    page.wait_for_selector("#best > li")
    assert listed(page)[0] == second
    page.click("summary")
    with changing(page):
        page.click("#hidden-items .plain")
    page.wait_for_timeout(50)
    assert listed(page)[0] == first
    assert not page.is_visible("#hidden")
    with changing(page):
        page.click("#best > li:first-child .plain")
    with changing(page):
        page.keyboard.press("Enter")  # the focus is on the button that undoes it
    page.wait_for_timeout(50)
    assert listed(page)[0] == first


def test_half_stars_where_the_scale_has_them(open_page, half_stars, model):
    page = open_page(half_stars)
    labels = page.locator("#found li:first-child .stars label")
    values = labels.evaluate_all("all => all.map((each) => Number(each.title))")
    assert values == [step / 2 for step in range(1, 11)]
    rate(page, 7)
    assert page.locator("#rated .stars .on").count() == 7
    assert page.locator("#rated input:checked").get_attribute("aria-label") == "3.5 of 5"
    assert open_page(model).locator("#found li:first-child .stars label").count() == 5


def test_ratings_are_given_by_keyboard(open_page, half_stars):
    page = open_page(half_stars)
    page.focus("#search")
    page.keyboard.press("Tab")
    with changing(page):
        page.keyboard.press("Space")
    with changing(page):
        page.keyboard.press("ArrowRight")
    page.wait_for_timeout(50)
    checked = "#found li:first-child input:checked"
    assert page.locator(checked).get_attribute("aria-label") == "1 of 5"
    assert page.locator(checked).evaluate("each => each === document.activeElement")


def test_a_model_of_choices_asks_what_is_liked(open_page, choices):
    page = open_page(choices, width=390)
    assert page.locator(".stars").count() == 0
    assert not page.is_visible("#by")
    like = page.locator("#found li:first-child .like")
    with changing(page):
        like.click()
    page.wait_for_timeout(50)
    assert like.get_attribute("aria-pressed") == "true"
    assert len(listed(page)) == 12
    assert page.locator("#best .value").all_inner_texts() == [""] * 12
    assert "people" in page.inner_text("#best .count")
    like.click()
    assert page.inner_text("#message") == "Say what you like first."
    assert page.evaluate("document.documentElement.scrollWidth") <= 390


@pytest.mark.parametrize("scheme", ["light", "dark"])
def test_it_fits_a_phone_and_thumbs(open_page, half_stars, scheme):
    page = open_page(half_stars, width=390, scheme=scheme)
    search(page, "alien")
    rate(page, 3)
    with changing(page):
        page.click("#best > li:first-child .plain")
    page.wait_for_timeout(50)
    assert page.evaluate("document.documentElement.scrollWidth") <= 390
    sizes = page.locator("button, .stars label, summary, #by label, #search").evaluate_all(
        """all => all.filter((each) => each.offsetParent).map((each) => {
            const box = each.getBoundingClientRect();
            return Math.min(box.width, box.height);
        })"""
    )
    assert len(sizes) > 50
    assert min(sizes) >= 24


def test_everything_that_can_be_pressed_has_a_name(page):
    search(page, "alien")
    rate(page, 3)
    names = page.locator("button, input").evaluate_all(
        "all => all.map((each) => each.getAttribute('aria-label') || each.innerText"
        " || (each.labels && each.labels[0] && each.labels[0].innerText))"
    )
    assert all(names)
