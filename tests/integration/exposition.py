# SPDX-License-Identifier: Apache-2.0
"""Strict readers of Prometheus' text format 0.0.4 and of OpenMetrics 1.0: whatever the specifications do not allow
fails an assertion. parse() gives {family: Family}."""

import re

NAME = r"[a-zA-Z_:][a-zA-Z0-9_:]*"
LABEL = re.compile(r'([a-zA-Z_][a-zA-Z0-9_]*)="((?:[^"\\\n]|\\["\\n])*)"')
NUMBER = re.compile(r"[+-]?(?:\d+(?:\.\d+)?(?:[eE][+-]?\d+)?|Inf)|NaN")
TYPES = {"gauge", "counter", "histogram", "info"}


class Family:
    def __init__(self, name, kind, text):
        self.name, self.kind, self.text = name, kind, text
        self.samples = []    # (name, labels, value)
        self.exemplars = []  # (name, labels, exemplar's labels, value)

    def get(self, **labels):
        """The one value whose labels include these."""
        found = [v for _, have, v in self.samples if labels.items() <= have.items()]
        assert len(found) == 1, f"{self.name}{labels}: {len(found)} samples"
        return found[0]

    def values(self, label):
        return {labels[label]: value for _, labels, value in self.samples}


def unescape(text):
    return re.sub(r"\\(.)", lambda m: {"n": "\n"}.get(m.group(1), m.group(1)), text)


def take_labels(text):
    """The labels at the start of the text, and what is behind them."""
    labels = {}
    if not text.startswith("{"):
        return labels, text
    text = text[1:]
    while not text.startswith("}"):
        m = LABEL.match(text)
        assert m, f"no label: {text[:80]!r}"
        assert m.group(1) not in labels, f"{m.group(1)} is there twice"
        labels[m.group(1)] = unescape(m.group(2))
        text = text[m.end():]
        assert text[0] in ",}", text[:80]
        if text[0] == ",":
            text = text[1:]
            assert not text.startswith("}"), "a comma too many"
    return labels, text[1:]


def take_number(text):
    m = NUMBER.match(text)
    assert m, f"no number: {text[:80]!r}"
    return float(m.group().replace("Inf", "inf")), text[m.end():]


def take_exemplar(family, name, labels, value, rest):
    assert rest.startswith(" # "), rest
    assert name.endswith(("_bucket", "_total")), f"{name} may have no exemplar"
    exemplar, rest = take_labels(rest[3:])
    assert sum(len(k) + len(v) for k, v in exemplar.items()) <= 128
    assert rest.startswith(" "), rest
    number, rest = take_number(rest[1:])
    assert rest.startswith(" "), rest
    when, rest = take_number(rest[1:])
    assert rest == "" and when > 1.6e9
    if name.endswith("_bucket"):
        assert number <= float(labels["le"].replace("+Inf", "inf")) and value > 0
    family.exemplars.append((name, labels, exemplar, number))


def suffixes(kind, openmetrics):
    if kind == "histogram":
        return ("_bucket", "_count", "_sum")
    if not openmetrics:
        return ("",)
    return {"counter": ("_total",), "info": ("_info",), "gauge": ("",)}[kind]


def check_histogram(family):
    series = {}
    for name, labels, value in family.samples:
        key = tuple(sorted((k, v) for k, v in labels.items() if k != "le"))
        series.setdefault(key, []).append((name[len(family.name):], labels.get("le"), value))
    for key, samples in series.items():
        buckets = [(float(le.replace("+Inf", "inf")), v) for suffix, le, v in samples if suffix == "_bucket"]
        assert buckets == sorted(buckets), f"{family.name}{key}: buckets out of order"
        assert all(a[0] < b[0] and a[1] <= b[1] for a, b in zip(buckets, buckets[1:])), f"{family.name}{key}"
        assert buckets[-1][0] == float("inf")
        rest = {suffix: v for suffix, _, v in samples if suffix != "_bucket"}
        assert set(rest) == {"_count", "_sum"} and rest["_count"] == buckets[-1][1]
        assert rest["_sum"] >= 0 and (rest["_count"] > 0 or rest["_sum"] == 0)


def parse(body, openmetrics=False):
    text = body.decode("utf-8")
    assert text.endswith("\n") and "\n\n" not in text
    lines = text[:-1].split("\n")
    if openmetrics:
        assert lines.pop() == "# EOF"
    families, family, seen = {}, None, set()
    while lines:
        line = lines.pop(0)
        if line.startswith("#"):
            m = re.fullmatch(rf"# HELP ({NAME}) (.+)", line)
            assert m, f"expected HELP: {line!r}"
            assert m.group(1) not in families, f"{m.group(1)} is there twice"
            kind = re.fullmatch(rf"# TYPE {m.group(1)} (\w+)", lines.pop(0))
            assert kind and kind.group(1) in TYPES, f"no TYPE of {m.group(1)}"
            assert openmetrics or kind.group(1) != "info"
            family = families[m.group(1)] = Family(m.group(1), kind.group(1), m.group(2))
            continue
        m = re.match(NAME, line)
        assert m and family, f"no sample: {line!r}"
        name = m.group()
        assert name in [family.name + s for s in suffixes(family.kind, openmetrics)], f"{name} in {family.name}"
        labels, rest = take_labels(line[m.end():])
        assert rest.startswith(" "), line
        value, rest = take_number(rest[1:])
        key = (name, tuple(sorted(labels.items())))
        assert key not in seen, f"twice: {line}"
        seen.add(key)
        if family.kind in ("counter", "histogram"):
            assert value >= 0
        family.samples.append((name, labels, value))
        if rest:
            assert openmetrics, f"trailing bytes: {line!r}"
            take_exemplar(family, name, labels, value, rest)
    for f in families.values():
        if f.kind == "histogram":
            check_histogram(f)
    return families
