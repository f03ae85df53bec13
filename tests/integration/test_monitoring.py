# SPDX-License-Identifier: Apache-2.0
"""The dashboard, the alerting rules and docs/metrics.md speak only of metrics and labels that are there."""

import json
import os
import re
import shutil
import subprocess

import pytest

ROW = re.compile(r'^METRIC\((\w+), (\w+), "(\w+)", (\w+), "([\w,]*)", "((?:[^"\\]|\\.)*)"\)$', re.M)
SUFFIXES = {"COUNTER": ["_total"], "INFO": ["_info"], "GAUGE": [""], "HISTOGRAM": ["_bucket", "_count", "_sum"]}
FROM_PROMETHEUS = {"instance", "job"}
METRIC = re.compile(r"\b((?:llmhealth|litellm|process)_[a-z_]+)(\{[^}]*\})?")


@pytest.fixture(scope="module")
def samples(srcdir):
    """{a sample's name: its labels}."""
    rows = ROW.findall((srcdir / "supervisor/front/http/metrics.def").read_text())
    assert rows
    return {family + s: {x for x in labels.split(",") if x}
            for _, _, family, kind, labels, _ in rows for s in SUFFIXES[kind]}


def check(expression, samples):
    found = METRIC.findall(expression)
    for name, selector in found:
        assert name in samples, f"{name} in {expression}"
        used = set(re.findall(r"(\w+)\s*(?:=~|!~|!=|=)", selector))
        assert used <= samples[name] | FROM_PROMETHEUS, f"{used} of {name}"
    names = [name for name, _ in found]
    for group in re.findall(r"(?:\bby|\bon|group_left)\s*\(([^)]*)\)", expression):
        known = set().union(*(samples[n] for n in names)) | FROM_PROMETHEUS
        assert {x.strip() for x in group.split(",")} <= known, group
    assert expression.count("(") == expression.count(")") and expression.count("{") == expression.count("}")
    return len(found)


def promtool(*args):
    program = shutil.which("promtool") or os.environ.get("PROMTOOL")
    if not program:
        pytest.skip("promtool is not installed")
    done = subprocess.run([program, *map(str, args)], capture_output=True, text=True)
    assert done.returncode == 0, done.stdout + done.stderr


def test_dashboard(srcdir, samples):
    board = json.loads((srcdir / "packaging/grafana/llmhealth.json").read_text())
    assert board["uid"] and board["title"] and len({p["id"] for p in board["panels"]}) == len(board["panels"]) > 10
    for panel in board["panels"]:
        for target in panel["targets"]:
            assert check(target["expr"], samples) > 0, panel["title"]
            names = [n for n, _ in METRIC.findall(target["expr"])]
            legend = set(re.findall(r"{{(\w+)}}", target["legendFormat"]))
            assert legend <= set().union(*(samples[n] for n in names)) | FROM_PROMETHEUS, panel["title"]
    for variable in board["templating"]["list"]:
        if variable["type"] == "query":
            name, label = re.fullmatch(r"label_values\((\w+), (\w+)\)", variable["definition"]).groups()
            assert label in samples[name] | FROM_PROMETHEUS
    for a in board["panels"]:  # none lies on another
        for b in board["panels"]:
            g, o = a["gridPos"], b["gridPos"]
            assert a is b or g["x"] + g["w"] <= o["x"] or o["x"] + o["w"] <= g["x"] or \
                g["y"] + g["h"] <= o["y"] or o["y"] + o["h"] <= g["y"], (a["title"], b["title"])


def test_alerts(srcdir, samples):
    text = (srcdir / "examples/prometheus/alerts.yml").read_text()
    alerts = re.findall(r"- alert: (\w+)\n\s+expr: (.+)\n", text)
    assert len(alerts) == text.count("- alert:") == len(dict(alerts)) > 8
    for name, expression in alerts:
        assert check(expression, samples) > 0 or name == "LlmhealthDown"
    for label in re.findall(r"\$labels\.(\w+)", text):
        assert label in set().union(*samples.values()) | FROM_PROMETHEUS


def test_promtool_takes_the_rules(srcdir):
    promtool("check", "rules", srcdir / "examples/prometheus/alerts.yml")


def test_promtool_takes_the_scrape_config(srcdir):
    promtool("check", "config", "--syntax-only", srcdir / "examples/prometheus/prometheus.yml")


def test_docs_name_every_metric_and_no_other(srcdir, samples):
    text = (srcdir / "docs/metrics.md").read_text()
    rows = ROW.findall((srcdir / "supervisor/front/http/metrics.def").read_text())
    table = {m[0]: m[1:] for m in re.findall(r"^\| `(\w+)` \| (\w+) \| (.*?) \| (.*?) \|$", text, re.M)}
    for _, _, family, kind, labels, help_text in rows:
        name = family + {"COUNTER": "_total", "INFO": "_info"}.get(kind, "")
        want = ", ".join(f"`{x}`" for x in labels.split(",") if x)
        assert table.pop(name, None) == (kind.lower(), want, help_text), name
    assert not table
    queries = re.findall(r"^\| [^|`]+ \| `(.+)` \|$", text, re.M)
    assert len(queries) >= 10
    for query in queries:
        assert check(query, samples) > 0
