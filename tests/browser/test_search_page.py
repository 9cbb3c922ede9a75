"""The site in a real browser: keyboard, no scripts, narrow screens, colours, hostile articles."""

from __future__ import annotations

import re
from pathlib import Path
from urllib.parse import parse_qs, urlsplit

import pytest
from playwright.sync_api import Browser, Page, expect

from tests.browser.conftest import OpenPage

pytestmark = pytest.mark.browser

PAGES = {
    "start": "/",
    "results": "/?q=harbour",
    "filtered": "/?q=harbour&section=Politics&since=2023-03&author=Vale",
    "nothing": "/?q=zzyzx",
    "hostile": "/?q=crocodile+balloonist+beacon",
    "article": "/article/prisoners?q=exchange+without+mediation",
    "not-found": "/article/nope",
    "refused": "/?q=harbour&k=0",
}

# Every element that shows text of its own, with the colours that it is seen in. Backgrounds are opaque or absent here.
_COLOURS = """
() => {
  const behind = (element) => {
    for (let at = element; at; at = at.parentElement) {
      const colour = getComputedStyle(at).backgroundColor;
      if (colour !== "rgba(0, 0, 0, 0)") return colour;
    }
    return "no background";
  };
  const texts = [...document.querySelectorAll("body *")].filter((element) =>
    element.checkVisibility() && !element.closest(".hidden, .skip") &&
    ([...element.childNodes].some((node) => node.nodeType === 3 && node.data.trim()) || element.matches("input")));
  return texts.map((element) => {
    const style = getComputedStyle(element);
    return [element.tagName + "." + element.className, style.color, behind(element),
      parseFloat(style.fontSize), parseInt(style.fontWeight)];
  });
}
"""


def _luminance(colour: str) -> float:
    """Relative luminance (WCAG 2.2) of 'rgb(r, g, b)'."""
    channels = [int(value) / 255 for value in re.findall(r"\d+", colour)[:3]]
    linear = [value / 12.92 if value <= 0.04045 else ((value + 0.055) / 1.055) ** 2.4 for value in channels]
    return 0.2126 * linear[0] + 0.7152 * linear[1] + 0.0722 * linear[2]


def _contrast(one: str, other: str) -> float:
    light, dark = sorted((_luminance(one), _luminance(other)), reverse=True)
    return (light + 0.05) / (dark + 0.05)


def _overflow(page: Page) -> int:
    return int(page.evaluate("document.documentElement.scrollWidth - document.documentElement.clientWidth"))


def test_a_search_from_start_to_article_with_the_keyboard_alone(open_page: OpenPage) -> None:
    page = open_page("/")
    expect(page.get_by_role("searchbox")).to_be_focused()
    page.keyboard.type("lighthouse keeper")
    page.keyboard.press("Enter")
    first = page.locator(".hits a").first
    for _ in range(40):
        if first.evaluate("element => element === document.activeElement"):
            break
        page.keyboard.press("Tab")
    expect(first).to_be_focused()
    assert first.evaluate("element => getComputedStyle(element).outlineStyle") == "solid"
    page.keyboard.press("Tab")
    page.keyboard.press("Enter")
    expect(page.locator("details.why").first).to_have_attribute("open", "")
    page.keyboard.press("Shift+Tab")
    page.keyboard.press("Enter")
    expect(page.get_by_role("heading", level=1)).to_have_text("Lighthouse keeper retires after forty years")


def test_the_first_tab_stop_skips_to_the_content(open_page: OpenPage) -> None:
    page = open_page("/?q=harbour")
    page.keyboard.press("Tab")
    skip = page.get_by_role("link", name="Skip to the content")
    expect(skip).to_be_focused()
    expect(skip).to_be_in_viewport()
    page.keyboard.press("Enter")
    expect(page.get_by_role("main")).to_be_focused()


def test_slash_goes_to_the_box_but_can_be_typed_in_it(open_page: OpenPage) -> None:
    page = open_page("/?q=harbour")
    page.keyboard.press("/")
    box = page.get_by_role("searchbox")
    expect(box).to_be_focused()
    expect(box).to_have_value("harbour")
    page.keyboard.press("End")
    page.keyboard.type("/1")
    expect(box).to_have_value("harbour/1")


@pytest.mark.parametrize("scripts", [True, False])
def test_filters_modes_and_pages_work_with_and_without_scripts(open_page: OpenPage, scripts: bool) -> None:
    page = open_page("/", scripts=scripts)
    page.get_by_role("searchbox").fill("harbour")
    page.get_by_role("button", name="Search").click()
    page.get_by_role("navigation", name="Pages").get_by_role("link", name="Next").click()
    expect(page.get_by_text("page 2 of 2")).to_be_visible()

    page.get_by_role("checkbox", name="Politics").check()
    page.get_by_role("checkbox", name="Culture").check()
    page.get_by_label("From").fill("2023-03-01")
    page.get_by_role("radio", name="Words only").check()
    with page.expect_navigation():
        page.get_by_role("button", name="Apply filters").click()
    asked = parse_qs(urlsplit(page.url).query)
    assert sorted(asked.pop("section")) == ["Culture", "Politics"]
    assert asked == {"q": ["harbour"], "mode": ["lexical"], "since": ["2023-03-01"]}
    expect(page.locator(".hits > li")).to_have_count(5)
    expect(page.get_by_role("radio", name="Words only")).to_be_checked()

    page.get_by_role("link", name="Remove the filter Section: Politics").click()
    expect(page.locator(".hits > li")).to_have_count(2)
    expect(page.get_by_role("checkbox", name="Culture")).to_be_checked()


@pytest.mark.parametrize("scripts", [True, False])
def test_newer_articles_can_be_preferred(open_page: OpenPage, scripts: bool) -> None:
    page = open_page("/?q=harbour&fold=false", scripts=scripts)
    page.get_by_label("Prefer newer articles").select_option("Prefer this month")
    with page.expect_navigation():
        page.get_by_role("button", name="Apply filters").click()
    with page.expect_navigation():
        page.get_by_role("navigation", name="Pages").get_by_role("link", name="Next").click()
    asked = parse_qs(urlsplit(page.url).query)
    assert (asked["half_life"], asked["fold"]) == (["30.0"], ["False"])
    expect(page.get_by_label("Prefer newer articles")).to_have_value("30")


def test_a_half_life_from_the_address_is_kept(open_page: OpenPage) -> None:
    page = open_page("/?q=harbour&half_life=14.5")
    with page.expect_navigation():
        page.get_by_role("button", name="Apply filters").click()
    assert parse_qs(urlsplit(page.url).query)["half_life"] == ["14.5"]


def test_a_hit_leads_to_the_passage_that_matched_and_back(open_page: OpenPage) -> None:
    page = open_page("/?q=exchange+without+external+mediation", height=500)
    page.get_by_role("link", name="Neighbours exchange").click()
    expect(page.locator("#match")).to_be_in_viewport()
    expect(page.locator("#match")).to_contain_text("without external mediation")
    page.get_by_role("link", name="Back to the results").click()
    expect(page.get_by_role("searchbox")).to_have_value("exchange without external mediation")


def test_the_reasons_of_a_rank_unfold_without_scripts(open_page: OpenPage) -> None:
    page = open_page("/?q=harbour", scripts=False)
    hit = page.locator(".hits > li").first
    expect(hit.get_by_role("table")).to_be_hidden()
    hit.locator("details.why summary").click()
    expect(hit.get_by_role("table")).to_be_visible()
    bar, lexical = hit.locator(".bar").bounding_box(), hit.locator(".bar .lexical").bounding_box()
    assert bar is not None
    assert lexical is not None
    shown = hit.locator("tr.lexical td").last.text_content() or ""
    assert lexical["width"] / bar["width"] == pytest.approx(float(shown.rstrip("%")) / 100, abs=0.01)


@pytest.mark.parametrize("dark", [False, True], ids=["light", "dark"])
@pytest.mark.parametrize("name", PAGES)
def test_a_phone_scrolls_in_one_direction_only(open_page: OpenPage, name: str, dark: bool, tmp_path: Path) -> None:
    page = open_page(PAGES[name], width=360, height=740, dark=dark)
    for details in page.locator("details > summary").all():
        if details.is_visible():
            details.click()
    assert _overflow(page) == 0
    picture = tmp_path / f"{name}.png"
    page.screenshot(path=picture, full_page=True)
    assert picture.stat().st_size > 5_000


def test_on_a_phone_the_filters_are_folded_away(open_page: OpenPage) -> None:
    checkbox = open_page("/?q=harbour", width=360).get_by_role("checkbox", name="Politics")
    expect(checkbox).to_be_hidden()
    checkbox.page.locator(".filters > summary").click()
    expect(checkbox).to_be_visible()


@pytest.mark.parametrize("dark", [False, True], ids=["light", "dark"])
@pytest.mark.parametrize("name", PAGES)
def test_all_text_has_the_contrast_of_wcag_aa(open_page: OpenPage, name: str, dark: bool) -> None:
    page = open_page(PAGES[name], dark=dark)
    for details in page.locator("details > summary").all():
        if details.is_visible():
            details.click()
    seen = page.evaluate(_COLOURS)
    assert len(seen) > 5
    faint = []
    for element, colour, background, size, weight in seen:
        needed = 3.0 if size >= 24 or (size >= 18.66 and weight >= 700) else 4.5
        if _contrast(colour, background) < needed:
            faint.append((element, colour, background))
    assert not faint


@pytest.mark.parametrize("dark", [False, True], ids=["light", "dark"])
def test_visited_links_and_form_edges_stand_out_too(open_page: OpenPage, dark: bool) -> None:
    # Browsers do not tell scripts the colour of a visited link, so it is read from the style sheet's own properties.
    names = ("--paper", "--visited", "--edge", "--lexical", "--dense")
    read = "names => names.map(name => getComputedStyle(document.documentElement).getPropertyValue(name).trim())"
    paper, visited, *graphics = (
        f"rgb({int(value[1:3], 16)}, {int(value[3:5], 16)}, {int(value[5:7], 16)})"
        for value in open_page("/", dark=dark).evaluate(read, list(names))
    )
    assert _contrast(visited, paper) >= 4.5
    assert min(_contrast(colour, paper) for colour in graphics) >= 3


def test_dark_is_dark_and_light_is_light(open_page: OpenPage) -> None:
    paper = "getComputedStyle(document.body).backgroundColor"
    assert _luminance(open_page("/", dark=True).evaluate(paper)) < 0.05
    assert _luminance(open_page("/").evaluate(paper)) > 0.8


def test_hostile_articles_run_nothing(open_page: OpenPage, site: str) -> None:
    page = open_page(PAGES["hostile"])
    page.get_by_role("link", name="crocodile").click()
    expect(page.get_by_role("heading", level=1)).to_contain_text("<script>alert('title')</script>")
    assert page.evaluate("document.scripts.length") == 1
    page.goto(f"{site}/?q=%22%3E%3Cscript%3Ealert(1)%3C/script%3E")
    expect(page.get_by_role("searchbox")).to_have_value('"><script>alert(1)</script>')


def test_the_policy_stops_a_script_that_got_in(browser: Browser, site: str) -> None:
    page = browser.new_page()
    page.goto(site)
    page.evaluate("""() => {
      addEventListener("securitypolicyviolation", event => { document.title = event.effectiveDirective; });
      const script = document.createElement("script");
      script.textContent = "document.body.dataset.broken = 'yes'";
      document.body.append(script);
    }""")
    expect(page).to_have_title("script-src-elem")
    assert page.locator("body[data-broken]").count() == 0
    page.close()
