# SPDX-License-Identifier: Apache-2.0
"""A collector of OpenTelemetry as a stand-in: OTLP over HTTP with JSON, checked against opentelemetry-proto's messages.

What the mapping (https://opentelemetry.io/docs/specs/otlp/#json-protobuf-encoding) does not allow is in `complaints`.
`script` is a list of answers for the next requests: a status, (status, headers, body), "hang" or "close".
"""

import http.server
import json
import re
import threading
import time

HEX16, HEX32 = re.compile(r"[0-9a-f]{16}"), re.compile(r"[0-9a-f]{32}")
INT64 = re.compile(r"-?[0-9]{1,19}")

TEXT, BOOL, DOUBLE, ENUM, UINT64, INT, TRACE, SPAN = "text", "bool", "double", "enum", "uint64", "int64", "trace", "span"
ANY = {"stringValue": TEXT, "boolValue": BOOL, "intValue": INT, "doubleValue": DOUBLE}
ATTRIBUTE = {"key": TEXT, "value": ANY}
RESOURCE = {"attributes": [ATTRIBUTE]}
SCOPE = {"name": TEXT, "version": TEXT}
STATUS = {"code": ENUM, "message": TEXT}
NUMBER_POINT = {"attributes": [ATTRIBUTE], "startTimeUnixNano": UINT64, "timeUnixNano": UINT64, "asInt": INT,
                "asDouble": DOUBLE}
HISTOGRAM_POINT = {"attributes": [ATTRIBUTE], "startTimeUnixNano": UINT64, "timeUnixNano": UINT64, "count": UINT64,
                   "sum": DOUBLE, "bucketCounts": [UINT64], "explicitBounds": [DOUBLE]}
TRACES = {"resourceSpans": [{"resource": RESOURCE, "scopeSpans": [{"scope": SCOPE, "spans": [{
    "traceId": TRACE, "spanId": SPAN, "name": TEXT, "kind": ENUM, "startTimeUnixNano": UINT64,
    "endTimeUnixNano": UINT64, "attributes": [ATTRIBUTE], "status": STATUS}]}]}]}
METRICS = {"resourceMetrics": [{"resource": RESOURCE, "scopeMetrics": [{"scope": SCOPE, "metrics": [{
    "name": TEXT, "description": TEXT, "unit": TEXT, "gauge": {"dataPoints": [NUMBER_POINT]},
    "sum": {"dataPoints": [NUMBER_POINT], "aggregationTemporality": ENUM, "isMonotonic": BOOL},
    "histogram": {"dataPoints": [HISTOGRAM_POINT], "aggregationTemporality": ENUM}}]}]}]}
SCALARS = {
    TEXT: lambda v: isinstance(v, str),
    BOOL: lambda v: isinstance(v, bool),
    DOUBLE: lambda v: isinstance(v, (int, float)) and not isinstance(v, bool),
    ENUM: lambda v: isinstance(v, int) and not isinstance(v, bool),
    UINT64: lambda v: isinstance(v, str) and v.isdigit() and int(v) < 1 << 64,
    INT: lambda v: isinstance(v, str) and INT64.fullmatch(v),
    TRACE: lambda v: isinstance(v, str) and HEX32.fullmatch(v) and v != "0" * 32,
    SPAN: lambda v: isinstance(v, str) and HEX16.fullmatch(v) and v != "0" * 16,
}


def check(value, schema, path="$"):
    """Complaints of a value that is none of the message."""
    if isinstance(schema, str):
        return [] if SCALARS[schema](value) else [f"{path}: {value!r} is no {schema}"]
    if isinstance(schema, list):
        if not isinstance(value, list):
            return [f"{path}: no list"]
        return [c for i, item in enumerate(value) for c in check(item, schema[0], f"{path}[{i}]")]
    if not isinstance(value, dict):
        return [f"{path}: no object"]
    found = [f"{path}.{k}: unknown" for k in value if k not in schema]
    if schema is ANY and len(value) != 1:
        found.append(f"{path}: {len(value)} values")
    return found + [c for k, v in value.items() if k in schema for c in check(v, schema[k], f"{path}.{k}")]


def unique(pairs):
    names = [k for k, _ in pairs]
    assert len(names) == len(set(names)), f"a name twice: {names}"
    return dict(pairs)


def attributes(message):
    """{key: value} of a resource, a span or a point."""
    found = {}
    for a in message["attributes"]:
        (kind, value), = a["value"].items()
        assert a["key"] not in found, f"attribute {a['key']} twice"
        found[a["key"]] = int(value) if kind == "intValue" else value
    return found


class Collector:
    def __init__(self):
        self.requests = []    # (path, headers, message, status answered)
        self.complaints = []
        self.script = []
        self.lock = threading.Lock()
        outer = self

        class Handler(http.server.BaseHTTPRequestHandler):
            protocol_version = "HTTP/1.1"

            def log_message(self, *_):
                pass

            def do_POST(self):
                outer.take(self)

        self.server = http.server.ThreadingHTTPServer(("127.0.0.1", 0), Handler)
        self.server.daemon_threads = True
        self.port = self.server.server_address[1]
        self.url = f"http://127.0.0.1:{self.port}"
        threading.Thread(target=self.server.serve_forever, daemon=True).start()

    def __enter__(self):
        return self

    def __exit__(self, *_):
        self.server.shutdown()
        self.server.server_close()

    def take(self, handler):
        body = handler.rfile.read(int(handler.headers["content-length"]))
        with self.lock:
            answer = self.script.pop(0) if self.script else 200
        status, headers, text = answer if isinstance(answer, tuple) else (answer, {}, b"{}")
        message = self.judge(handler, body)
        with self.lock:
            self.requests.append((handler.path, dict(handler.headers), message, status))
        if status == "hang":
            time.sleep(3)
            status = "close"
        if status == "close":
            handler.close_connection = True
            return
        handler.send_response(status)
        handler.send_header("content-type", "application/json")
        handler.send_header("content-length", str(len(text)))
        for name, value in headers.items():
            handler.send_header(name, value)
        handler.end_headers()
        handler.wfile.write(text)

    def judge(self, handler, body):
        schema = {"/v1/traces": TRACES, "/v1/metrics": METRICS}.get(handler.path)
        try:
            message = json.loads(body.decode("utf-8"), object_pairs_hook=unique,
                                 parse_constant=lambda c: self.complaints.append(f"{c} is no JSON"))
        except (ValueError, AssertionError) as e:
            self.complaints.append(f"{e}: {body[:200]!r}")
            return None
        if handler.headers["content-type"] != "application/json":
            self.complaints.append(f"content-type {handler.headers['content-type']}")
        if schema is None:
            self.complaints.append(f"path {handler.path}")
        else:
            self.complaints += check(message, schema)
            self.complaints += self.judge_metrics(message) if schema is METRICS else self.judge_spans(message)
        return message

    @staticmethod
    def judge_spans(message):
        found = []
        for span in spans_of(message):
            if int(span["endTimeUnixNano"]) < int(span["startTimeUnixNano"]):
                found.append(f"ends before it begins: {span}")
            attributes(span)
        return found

    @staticmethod
    def judge_metrics(message):
        found = []
        for metric in metrics_of(message):
            kinds = [k for k in ("gauge", "sum", "histogram") if k in metric]
            if len(kinds) != 1:
                found.append(f"{metric['name']} is {kinds}")
                continue
            seen = set()
            data = metric[kinds[0]]
            if kinds[0] != "gauge" and data.get("aggregationTemporality") != 2:
                found.append(f"{metric['name']}: temporality")
            if not data["dataPoints"]:
                found.append(f"{metric['name']}: no point")
            for point in data["dataPoints"]:
                key = tuple(sorted(attributes(point).items()))
                if key in seen:
                    found.append(f"{metric['name']}{key} twice")
                seen.add(key)
                if kinds[0] == "histogram":
                    if len(point["bucketCounts"]) != len(point["explicitBounds"]) + 1 or \
                            sum(map(int, point["bucketCounts"])) != int(point["count"]) or \
                            point["explicitBounds"] != sorted(set(point["explicitBounds"])):
                        found.append(f"{metric['name']}: {point}")
                elif ("asInt" in point) == ("asDouble" in point):
                    found.append(f"{metric['name']}: {point}")
        return found

    def taken(self, path):
        """Messages that were answered with a success."""
        with self.lock:
            return [m for p, _, m, status in self.requests if p == path and status == 200]

    def spans(self):
        return [span for message in self.taken("/v1/traces") for span in spans_of(message)]

    def metrics(self):
        """{name: [points]} of the messages that were taken, the last of each series last."""
        found = {}
        for message in self.taken("/v1/metrics"):
            for metric in metrics_of(message):
                data = metric.get("gauge") or metric.get("sum") or metric.get("histogram")
                found.setdefault(metric["name"], []).extend(data["dataPoints"])
        return found


def spans_of(message):
    return [s for r in message["resourceSpans"] for sc in r["scopeSpans"] for s in sc["spans"]]


def metrics_of(message):
    return [m for r in message["resourceMetrics"] for sc in r["scopeMetrics"] for m in sc["metrics"]]
