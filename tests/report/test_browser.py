"""A report in a real browser: no complaint, every picture there, light and dark, any width."""

import io
import os
import shutil

import pytest

from funksvd.report import gather, write_report
from funksvd.report.figures import pictures_of

CHROMIUM = (
    os.environ.get("CHROMIUM") or shutil.which("chromium") or shutil.which("chromium-browser")
)
FLAGS = [
    "--headless",
    "--no-sandbox",
    "--disable-gpu",
    "--disable-quic",
    "--no-first-run",
    "--disable-background-networking",
    "--disable-component-update",
    "--disable-sync",
]
PHONE, DESK = {"width": 390, "height": 844}, {"width": 1200, "height": 900}


@pytest.fixture(scope="module")
def browser():
    if CHROMIUM is None:
        pytest.skip("no Chromium: install Debian's package chromium, or set CHROMIUM to its path")
    playwright = pytest.importorskip("playwright.sync_api")
    with playwright.sync_playwright() as started:
        browser = started.chromium.launch(executable_path=CHROMIUM, args=FLAGS)
        yield browser
        browser.close()


@pytest.fixture(scope="module")
def url(content, tmp_path_factory):
    path = tmp_path_factory.mktemp("report") / "report.html"
    write_report(content, path)
    return path.as_uri()


@pytest.fixture
def opened(browser, url):
    """Open the report; at the end, nothing may have been complained of or asked for."""
    complaints, requests, pages = [], [], {}

    def open_page(size=DESK, scheme="light", url=url):
        page = browser.new_page(viewport=size, color_scheme=scheme, reduced_motion="reduce")
        page.on("console", lambda message: complaints.append(message.text))
        page.on("pageerror", lambda error: complaints.append(str(error)))
        page.on("request", lambda request: requests.append(request.url))
        page.goto(url)
        pages[page] = url
        return page

    yield open_page
    for page in pages:
        page.close()
    assert complaints == []
    assert {asked for asked in requests if not asked.startswith("data:")} == set(pages.values())


def ink_of(page):
    return page.evaluate("getComputedStyle(document.querySelector('#spectrum text')).fill")


def n_colors(screenshot):
    from PIL import Image

    return len(Image.open(io.BytesIO(screenshot)).convert("RGB").getcolors(1 << 24))


@pytest.mark.parametrize("scheme", ["light", "dark"])
def test_every_picture_is_there(opened, content, scheme):
    page = opened(scheme=scheme)
    assert page.locator("figure > svg").count() == len(pictures_of(content))
    for name in pictures_of(content):
        picture = page.locator(f"svg#{name}")
        box = picture.bounding_box()
        assert box["width"] > 300, name
        assert box["height"] > 90, name
        assert n_colors(picture.screenshot()) > 10, name


def test_it_follows_the_colour_scheme(opened):
    light, dark = opened(scheme="light"), opened(scheme="dark")
    assert light.evaluate("getComputedStyle(document.body).backgroundColor") == "rgb(255, 255, 255)"
    assert dark.evaluate("getComputedStyle(document.body).backgroundColor") == "rgb(20, 24, 29)"
    assert ink_of(light) != ink_of(dark)
    dark.emulate_media(media="print")  # paper is white
    assert ink_of(dark) == ink_of(light)
    assert not dark.locator("nav").is_visible()


@pytest.mark.parametrize("size", [PHONE, DESK, {"width": 320, "height": 600}], ids=str)
def test_nothing_is_wider_than_the_screen(opened, size):
    page = opened(size)
    assert page.evaluate("document.documentElement.scrollWidth") == size["width"]
    widest = page.evaluate(
        "Math.max(...[...document.querySelectorAll('svg, table, p, pre, h1, h3')]"
        ".map((element) => element.getBoundingClientRect().right))"
    )
    assert widest <= size["width"]


def test_contents_lead_to_their_sections(opened):
    page = opened(PHONE)
    for link in page.locator("nav a").all():
        assert page.locator(link.get_attribute("href")).is_visible()
    page.locator("nav a", has_text="A map of items").click()
    top = page.evaluate("document.querySelector('#map').getBoundingClientRect().top")
    assert abs(top) < 40


def test_the_map_says_what_is_under_the_pointer(opened, content):
    page = opened()
    tip = page.locator(".tip")
    assert not tip.is_visible()
    point = content.factors.points[0]
    mark = page.locator('.mark[data-n="0"] > *')
    mark.scroll_into_view_if_needed()
    box = mark.bounding_box()
    page.mouse.move(box["x"] + box["width"] / 2, box["y"] + box["height"] / 2)
    assert tip.inner_text() == f"{point.label}\n{point.n_ratings:,} ratings"
    page.mouse.move(2, 2)
    assert not tip.is_visible()


def test_a_title_is_found_on_the_map(opened, content):
    page = opened(PHONE)
    point = content.factors.points[7]
    page.locator(".map input").fill(point.label.upper())
    found = page.locator(".mark.found")
    assert "7" in [mark.get_attribute("data-n") for mark in found.all()]
    assert page.locator(".tip").inner_text().startswith(point.label)
    page.locator(".map input").fill("(")  # in all titles: the best-known is named
    assert page.locator(".tip").inner_text().startswith(content.factors.points[0].label)
    page.locator(".map input").fill("")
    assert found.count() == 0
    assert not page.locator(".tip").is_visible()


def test_titles_run_nothing(opened, model, holdout, titles, tmp_path):
    nasty = "</script><script>document.title = 'caught'</script><img src=x onerror=alert(1)>"
    content = gather(model, holdout=holdout, titles=dict.fromkeys(titles, nasty), name="safe")
    write_report(content, tmp_path / "nasty.html")
    page = opened(url=(tmp_path / "nasty.html").as_uri())
    page.locator(".map input").fill("script")
    assert page.locator(".tip").inner_text().startswith(nasty)
    assert page.title().startswith("safe")
    page.close()


def test_it_can_be_printed(opened):
    pdf = opened(scheme="dark").pdf(format="A4")
    assert pdf.startswith(b"%PDF")
    assert 4 <= pdf.count(b"/Type /Page\n") <= 16
