"""The page in a real browser: search, hover, text that looks like markup, and 20,000 points."""

import statistics

import numpy as np
import pytest

from sparkalbert import EmbeddedText
from sparkalbert.plots import explorer_page
from tests import browser as chromium

pytestmark = pytest.mark.skipif(chromium.PROGRAM is None, reason="no Chromium on this machine: apt install chromium")

DRAWN = """(() => {
  const fill = painter.fillRect.bind(painter);
  let points = 0;
  painter.fillRect = (...box) => { points++; fill(...box); };
  stale = true;
  draw();
  delete painter.fillRect;
  return points;
})()"""
"""The number of points that the page draws in one frame."""

HOSTILE = ["😀😀", "</script>", "<img", "src=x", "onerror=alert(1)>", "&amp;", "it's"]


def text(tokens, vectors):
    starts = np.cumsum([0, *(len(token) + 1 for token in tokens[:-1])]).tolist()
    stops = [start + len(token) for start, token in zip(starts, tokens, strict=True)]
    return EmbeddedText(list(tokens), starts, stops, [0] * len(tokens), np.array(vectors, dtype=np.float32))


def spread(tokens):
    """Each word in a direction of its own, so that no point covers another."""
    angles = np.linspace(0, 5.5, len(tokens))
    return text(tokens, np.stack([np.cos(angles), np.sin(angles)], axis=1))


@pytest.fixture(scope="module")
def browser(tmp_path_factory):
    with chromium.opened_browser(tmp_path_factory.mktemp("profile")) as opened:
        yield opened


@pytest.fixture
def page(browser, tmp_path):
    """Write and open a page; at the end nothing was logged, and nothing but the page was requested."""

    def opened(data, **options):
        path = tmp_path / "page.html"
        path.write_text(explorer_page(data, **options), encoding="utf-8")
        browser.open(path)
        return browser

    browser.problems.clear()
    browser.requests.clear()
    yield opened
    assert browser.problems == []
    assert browser.requests == [(tmp_path / "page.html").as_uri()]


def search(browser, wanted):
    browser.run("element('search').focus(), element('search').select()")
    browser.type(wanted)


def hover(browser, number):
    browser.move(*browser.run(f"[screenX({number}), screenY({number})]"))
    browser.wait(lambda: browser.run(f"hovered === {number}"))
    return browser.run("tip.innerText")


def test_search_finds_a_word_and_lists_its_sentence(page):
    opened = page([spread(["a", "Bank", "."]), spread(["the", "river", "bank", "s"])], title="two texts")
    assert opened.run("document.title") == "sparkalbert explore"
    assert opened.run("element('title').textContent") == "two texts"
    assert opened.run("element('counted').textContent") == "7 words; near each other if their vectors are"
    search(opened, "ban")
    assert opened.run("element('found').textContent") == "2 words found"
    listed = "[...document.querySelectorAll('#results li')].map(item => item.textContent)"
    assert opened.run(listed) == ["a Bank .", "the river bank s"]
    opened.run("element('whole').click()")
    assert opened.run("element('found').textContent") == "0 words found"
    search(opened, "river")
    assert opened.run(listed) == ["the river bank s"]
    opened.run("document.querySelector('#results button').click()")
    assert opened.run("tip.innerText") == "river\nthe river bank s"


def test_hovering_shows_the_word_and_its_sentence_and_a_filter_hides_the_others(page):
    opened = page(spread(["the", "river", "bank"]))
    assert hover(opened, 1) == "river\nthe river bank"
    search(opened, "bank")
    opened.run("element('only').click()")
    opened.move(*opened.run("[screenX(1), screenY(1)]"))
    opened.run("new Promise(requestAnimationFrame)")
    assert opened.run("[hovered, tip.hidden]") == [-1, True]
    assert hover(opened, 2) == "bank\nthe river bank"


def test_text_that_looks_like_markup_is_shown_as_text(page):
    opened = page(spread(HOSTILE))
    assert opened.run("data.tokens") == HOSTILE
    assert opened.run("document.querySelectorAll('img').length") == 0
    for number, token in enumerate(HOSTILE):
        assert hover(opened, number) == f"{token}\n{' '.join(HOSTILE)}"
        assert opened.run("tip.querySelector('mark').textContent") == token


def test_the_wheel_zooms_around_the_pointer_dragging_moves_and_a_double_click_resets(page):
    opened = page(spread(["the", "river", "bank"]))
    x, y = opened.run("[screenX(1), screenY(1)]")
    scale = opened.run("view.scale")
    opened.mouse("mouseWheel", x, y, deltaX=0, deltaY=-300)
    opened.wait(lambda: opened.run("view.scale") > scale * 1.5)
    assert opened.run("[screenX(1), screenY(1)]") == pytest.approx([x, y], abs=1)
    opened.mouse("mousePressed", 300, 300, button="left", clickCount=1)
    opened.move(340, 320, button="left", buttons=1)
    opened.mouse("mouseReleased", 340, 320, button="left", clickCount=1)
    assert opened.run("[screenX(1), screenY(1)]") == pytest.approx([x + 40, y + 20], abs=2)
    opened.run("canvas.dispatchEvent(new MouseEvent('dblclick'))")
    assert opened.run("view.scale") == pytest.approx(scale)


def test_hovering_over_twenty_thousand_points_paints_none_and_a_drag_paints_each_once_a_frame(page):
    count = 20_000
    vectors = np.random.default_rng(0).normal(size=(count, 16))
    opened = page(text([f"w{number}" for number in range(count)], vectors))
    opened.run("new Promise(requestAnimationFrame)")
    opened.run("painted = 0, fillOnce = painter.fillRect.bind(painter),"
               " painter.fillRect = (...box) => { painted++; fillOnce(...box); }")  # fmt: skip
    opened.run("draws = 0, drawOnce = draw, draw = () => { draws++; drawOnce(); }")
    for number in (0, 5_000, 19_999):
        opened.run(f"show({number})")
        opened.run("new Promise(requestAnimationFrame)")
    assert opened.run("[painted, draws]") == [0, 3]
    opened.run("""
      dragged = {x: 0, y: 0};
      for (let step = 1; step <= 50; step++) {
        canvas.dispatchEvent(new PointerEvent("pointermove", {clientX: step, clientY: step}));
      }
      dragged = null;
      new Promise(requestAnimationFrame)""")
    assert opened.run("[painted <= count, draws]") == [True, 4]
    assert opened.run("painted") > count / 4, "the drag moves some points out of sight"


def test_twenty_thousand_points_are_drawn_and_the_time_of_a_frame_is_reported(page, record_property):
    count = 25_000
    vectors = np.random.default_rng(0).normal(size=(count, 16))
    data = text([f"w{number}" for number in range(count)], vectors)
    opened = page(EmbeddedText(data.tokens, data.start, data.stop, [n // 20 for n in range(count)], data.vectors))
    assert opened.run("count") == 20_000
    shown = opened.run("data.tokens")
    assert len(set(shown)) == 20_000
    assert opened.run(DRAWN) == 20_000
    search(opened, "w")
    assert opened.run("element('found').textContent") == "20,000 words found, the first 200 are listed"
    assert opened.run(DRAWN) == 20_000
    opened.run("element('whole').click()")
    for word in (shown[0], shown[-1]):
        search(opened, word)
        assert opened.run("element('found').textContent") == "1 word found"
    search(opened, " ")
    assert opened.run("element('counted').textContent").startswith("20,000 of 25,000 words, drawn at random")
    opened.run("drawn = []; drawOnce = draw; draw = () => { const t = performance.now(); drawOnce();"
               " drawn.push(performance.now() - t); }")  # fmt: skip
    opened.mouse("mousePressed", 300, 300, button="left", clickCount=1)
    for step in range(30):
        opened.move(300 + step, 300 + step, button="left", buttons=1)
        opened.run("new Promise(requestAnimationFrame)")
    opened.mouse("mouseReleased", 330, 330, button="left", clickCount=1)
    times_ms = opened.run("drawn")
    assert len(times_ms) >= 20
    record_property("draw_ms", statistics.median(times_ms))
    print(f"20,000 points are drawn in {statistics.median(times_ms):.1f} ms (median of {len(times_ms)} frames)")
