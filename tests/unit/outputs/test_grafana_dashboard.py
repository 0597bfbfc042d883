"""config/grafana-dashboard.json shows figures that there are, of whatever data source the house has."""

import json
import re
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from blinkd.outputs.metrics import Figures
from blinkd.outputs.port import Health, PartHealth

DASHBOARD: dict[str, Any] = json.loads((Path(__file__).parents[3] / "config" / "grafana-dashboard.json").read_text(encoding="utf-8"))
ANY_SOURCE = {"type": "prometheus", "uid": "${datasource}"}
COLUMNS = 24
WORDS = {"sum", "count", "min", "max", "by", "on", "and", "rate", "increase", "histogram_quantile", "label_values"}  # of PromQL and Grafana
OF_PROMETHEUS = {"instance", "job"}  # labels that it adds
PANELS = [panel for panel in DASHBOARD["panels"] if panel["type"] != "row"]


def exposed() -> dict[str, list[dict[str, str]]]:
    """Every sample's name and the labels with which it is exposed."""
    figures = Figures()
    states = [PartHealth(state, state) for state in ("starting", "ok", "degraded", "failed", "off")]  # type: ignore[arg-type]
    figures.health(Health(tuple(states), 15.0, 1, 1, 0, 0, 50.0))
    found: dict[str, list[dict[str, str]]] = {}
    for family in figures.registry.collect():
        for sample in family.samples:
            found.setdefault(sample.name, []).append(sample.labels)
    return found


def expressions() -> Iterator[tuple[str, str]]:
    """Title and expression."""
    for panel in PANELS:
        for target in panel["targets"]:
            yield panel["title"], target["expr"]
    for variable in DASHBOARD["templating"]["list"]:
        if variable["type"] == "query":
            yield variable["name"], variable["query"]["query"]


@pytest.mark.parametrize(("title", "expression"), list(expressions()), ids=lambda value: value[:40])
def test_every_expression_asks_for_what_is_exposed(title: str, expression: str) -> None:
    known = exposed()
    assert expression.count("(") == expression.count(")"), title
    labels = {"le"} | OF_PROMETHEUS | {label for each in known.values() for one in each for label in one}
    selectors = re.findall(r"([a-z_]+)(?:\{([^}]*)\})?(?:\[[^]]+\])?", expression)
    named = [name for name, _ in selectors if name.startswith(("blinkd_", "process_"))]
    assert named, title
    for name, chosen in selectors:
        assert name in known or name in WORDS | labels, f"{title}: {name} is not exposed"
        for label, how, value in re.findall(r'([a-z_]+)(=~|!~|!=|=)"([^"]*)"', chosen):
            assert label in OF_PROMETHEUS or any(label in one for one in known[name]), f"{title}: {name} has no {label}"
            if label not in OF_PROMETHEUS:
                shown = {one[label] for one in known[name]}
                assert all(part in shown for part in value.split("|")), f"{title}: {label}{how}{value}"


def test_every_figure_of_ours_is_shown() -> None:
    text = json.dumps(DASHBOARD)
    families = {family.name for family in Figures().registry.collect() if family.name.startswith("blinkd_")}
    assert [name for name in sorted(families) if name not in text] == []


def test_no_data_source_is_wired_in() -> None:
    sources = [variable for variable in DASHBOARD["templating"]["list"] if variable["type"] == "datasource"]
    assert [(source["name"], source["query"]) for source in sources] == [("datasource", "prometheus")]

    def used(value: Any) -> Iterator[Any]:
        if isinstance(value, dict):
            yield from ([value["datasource"]] if "datasource" in value else [])
            for one in value.values():
                yield from used(one)
        elif isinstance(value, list):
            for one in value:
                yield from used(one)

    found = list(used(DASHBOARD))
    assert len(found) > len(PANELS)
    assert all(one == ANY_SOURCE for one in found)
    assert DASHBOARD["id"] is None


def test_panels_have_their_own_numbers_titles_and_places() -> None:
    everything = DASHBOARD["panels"]
    assert len({panel["id"] for panel in everything}) == len(everything)
    assert len({panel["title"] for panel in everything}) == len(everything)
    taken: set[tuple[int, int]] = set()
    for panel in everything:
        place = panel["gridPos"]
        cells = {(x, y) for x in range(place["x"], place["x"] + place["w"]) for y in range(place["y"], place["y"] + place["h"])}
        assert max(x for x, _ in cells) < COLUMNS
        assert not cells & taken, panel["title"]
        taken |= cells


def test_panels_have_what_grafana_wants_of_its_schema() -> None:
    assert DASHBOARD["schemaVersion"] >= 36  # since then a data source is an object
    for panel in PANELS:
        assert panel.keys() >= {"id", "type", "title", "datasource", "gridPos", "targets", "fieldConfig", "options"}, panel["title"]
        assert len({target["refId"] for target in panel["targets"]}) == len(panel["targets"])
        assert all(target["instant"] != target["range"] for target in panel["targets"])
