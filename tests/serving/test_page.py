"""The page in a real browser: search, rate, and see recommendations change."""

import os

import pytest

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
def page(browser, model, titles, served):
    address = served(create_app(ModelHolder(lambda: Service(model, titles), [], every=0)))
    page = browser.new_page()
    page.problems = []
    page.on("console", lambda message: page.problems.append(message.text))
    page.on("pageerror", lambda error: page.problems.append(str(error)))
    page.goto(address)
    page.wait_for_selector("#found li")
    yield page
    assert page.problems == []
    page.close()


def search(page, text):
    with page.expect_response(lambda response: "/items" in response.url):
        page.fill("#search", text)
    page.wait_for_timeout(50)


def rate(page, star):
    with page.expect_response(lambda response: "/fold-in" in response.url):
        page.click(f"#found li:first-child .stars button:nth-child({star})")
    page.wait_for_timeout(50)


def test_rating_changes_what_is_recommended(page):
    assert page.inner_text("#message") == "Rate something first."
    search(page, "das bo")
    assert page.locator("#found .title").all_inner_texts() == ["Das Boot"]
    rate(page, 5)
    assert page.locator("#rated .title").all_inner_texts() == ["Das Boot"]
    liked = page.inner_text("#best")
    assert page.locator("#best > li").count() == 12
    assert "Das Boot" in liked  # as a reason
    rate(page, 1)
    assert page.inner_text("#best") != liked
    page.click("#rated .drop")
    assert page.locator("#best > li").count() == 0
    assert page.inner_text("#message") == "Rate something first."


def test_titles_are_text_whatever_they_look_like(page):
    search(page, "bold")
    assert page.locator("#found .title").all_inner_texts() == ["<b>Bold</b> & 'quoted'"]
    assert page.locator("#found b").count() == 0


def test_ratings_are_there_again_after_a_reload(page):
    search(page, "amélie")
    rate(page, 4)
    page.reload()
    page.wait_for_selector("#rated li")
    assert page.locator("#rated .title").all_inner_texts() == ["Amélie"]
    page.click("#clear")
    assert page.locator("#rated li").count() == 0


def test_it_fits_a_phone(page):
    page.set_viewport_size({"width": 390, "height": 800})
    search(page, "alien")
    rate(page, 3)
    assert page.locator("body").evaluate("element => element.scrollWidth") <= 390
