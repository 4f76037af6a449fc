"""The picture of the dashboard, against the dashboard."""

from xml.etree import ElementTree as ET

from tests.pictures.panels import panels

from exchangerates_infra.project import ROOT

SVG = "{http://www.w3.org/2000/svg}"


def test_the_picture_of_the_dashboard_shows_its_panels() -> None:
    """Each with the query that it has today, and with lines; `uv run python -m tests.pictures` draws it anew."""
    picture = ET.parse(ROOT / "docs/dashboard.svg").getroot()  # noqa: S314 - a file of this repository
    found = {group.findtext(f"{SVG}title"): group for group in picture.iter(f"{SVG}g")}
    assert list(found) == [panel.expression for panel in panels()]
    for panel in panels():
        group = found[panel.expression]
        assert group.findtext(f"{SVG}text[@class='t']") == panel.title
        shown = {"stat": f"{SVG}text[@class='n']", "timeseries": f"{SVG}polyline"}[panel.kind]
        assert group.find(shown) is not None, panel.title
