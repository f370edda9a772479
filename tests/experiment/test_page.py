import re
from html.parser import HTMLParser
from pathlib import Path
from typing import Any

import pytest
from toys import sums

from mconn.experiment import claims, run
from mconn.experiment.page import LARGEST_SVG, cell, embed, flatten


@pytest.fixture(scope="module")
def html(tmp_path_factory: pytest.TempPathFactory) -> str:
    return run(sums(drawn=True), tmp_path_factory.mktemp("results")).report.read_text()


def test_the_page_needs_nothing_else(html: str) -> None:
    addresses = re.findall(r"(?:src|href|url)\s*[=(]\s*[\"']?([^\"')>]*)", html)
    assert addresses
    assert all(address.startswith("data:image/svg+xml;base64,") for address in addresses)
    assert "<script" not in html


def test_every_element_is_closed(html: str) -> None:
    class Checker(HTMLParser):
        def __init__(self) -> None:
            super().__init__()
            self.open: list[str] = []

        def handle_starttag(self, tag: str, attrs: list[Any]) -> None:
            if tag not in ("meta", "img", "br"):
                self.open.append(tag)

        def handle_endtag(self, tag: str) -> None:
            assert self.open.pop() == tag

    checker = Checker()
    checker.feed(html)
    assert checker.open == []


def test_a_narrow_page_can_break_the_line_of_the_run(html: str) -> None:
    parts = re.search(r'<p class="meta">(.*?)</p>', html, re.DOTALL)
    assert parts is not None
    assert len(re.findall(r"</span>\s+<span>", parts[1])) == parts[1].count("<span>") - 1 == 3


@pytest.mark.parametrize(
    "text",
    [
        "Sums &lt;of&gt; numbers",
        "What do the numbers add up to?",
        "The numbers add up to 3.",
        "<p>First paragraph.</p>",
        "<p>Second paragraph.</p>",
        "<pre>listing\n  its line</pre>",
        "<b>Figure 1.</b> Mean over 3 pairs of seeds",
        "<b>Figure 2.</b>",
        "Table 1.",
        "1 of 2 hold",
        "✓ holds",
        "✗ fails",
        "± 10 %",
        "total.numbers.seeds",
        "total-total.parquet",
        "The first 30 of 324 rows",
        "prefers-color-scheme: dark",
        "@media print",
    ],
)
def test_the_page_says(html: str, text: str) -> None:
    assert text in html


def test_numbers_are_rounded_for_people() -> None:
    values = [1.2134, 0.03712, 97.53, 12345.6, 1.5e-7, 0.0, float("inf"), float("nan"), 12345]
    told = ["1.21", "0.0371", "97.5", "12346", "1.5e-07", "0", "inf", "nan", "12\u202f345"]
    values += [0.34, 0.04, 1.0, -2.5, 100.0, 999.4, 999.7, 0.0005, 1e5, 1.23e6]
    told += ["0.34", "0.04", "1", "-2.5", "100", "999", "1000", "0.0005", "1e+05", "1.23e+06"]
    assert [cell(value) for value in values] == told
    assert [cell(value) for value in (True, None, "text")] == ["yes", "\u2013", "text"]


def test_the_config_is_flat() -> None:
    assert dict(flatten(sums()))["total.numbers.count"] == "3"


def test_large_drawings_are_embedded_as_png(tmp_path: Path) -> None:
    (tmp_path / "big.svg").write_bytes(b" " * (LARGEST_SVG + 1))
    (tmp_path / "big.png").write_bytes(b"png")
    assert embed(tmp_path / "big") == "data:image/png;base64,cG5n"


@pytest.mark.parametrize(("measured", "holds"), [(1.0, True), (1.39, True), (0.5, False)])
def test_a_claim_about_a_number(measured: float, holds: bool) -> None:
    claim = claims.near("x", "It is one", measured, 1.0, source="y", relative=0.4)
    assert claim.holds is holds
    assert claim.tolerance == "± 40 %"
