# SPDX-License-Identifier: Apache-2.0
"""Holds answers against the daemon's own /openapi.json: the status must be documented, the body must have
its schema. Knows as much of JSON Schema as schemas.def uses, and refuses what it does not know."""

from urllib.parse import unquote

TYPES = {"object": dict, "array": list, "string": str, "boolean": bool, "integer": int, "number": (int, float),
         "null": type(None)}
# Of any route: the framework's own answers, before a route is asked.
ALWAYS = {"405", "408", "413", "417", "431", "501", "505"}


def is_type(value, name):
    if isinstance(value, bool):
        return name == "boolean"
    return isinstance(value, TYPES[name])


class Document:
    def __init__(self, document):
        assert document["openapi"].startswith("3.1.")
        self.paths = document["paths"]
        self.schemas = document["components"]["schemas"]

    def problem(self, value, schema, at=""):
        """What is wrong, or None."""
        if schema is True:
            return None
        for word, said in schema.items():
            found = getattr(self, "_" + word.strip("$"))(value, said, at)
            if found:
                return found
        return None

    def _type(self, value, names, at):
        names = names if isinstance(names, list) else [names]
        return None if any(is_type(value, name) for name in names) else f"{at}: {value!r} is not {names}"

    def _required(self, value, names, at):
        missing = [name for name in names if isinstance(value, dict) and name not in value]
        return f"{at}: without {missing}" if missing else None

    def _properties(self, value, schemas, at):
        for name, schema in schemas.items():
            if isinstance(value, dict) and name in value:
                found = self.problem(value[name], schema, f"{at}.{name}")
                if found:
                    return found
        return None

    def _items(self, value, schema, at):
        return next(filter(None, (self.problem(v, schema, f"{at}[{i}]") for i, v in enumerate(value))), None)

    def _additionalProperties(self, value, schema, at):
        return next(filter(None, (self.problem(v, schema, f"{at}.{k}") for k, v in value.items())), None)

    def _enum(self, value, values, at):
        return None if value in values else f"{at}: {value!r} is none of {values}"

    def _const(self, value, wanted, at):
        return None if value == wanted else f"{at}: {value!r} is not {wanted!r}"

    def _minimum(self, value, least, at):
        return None if value >= least else f"{at}: {value!r} is less than {least}"

    def _anyOf(self, value, schemas, at):
        found = [self.problem(value, schema, at) for schema in schemas]
        return None if None in found else f"{at}: {found}"

    def _ref(self, value, name, at):
        return self.problem(value, self.schemas[name.removeprefix("#/components/schemas/")], at)

    def check(self, method, path, answer):
        operation = self.paths.get(unquote(path.split("?")[0]), {}).get(method.lower())
        status = str(answer.status)
        if operation is None:
            assert answer.status in (200, 307, 404, 405), f"{method} {path}: {status}"
            return
        if status in ALWAYS:
            return
        said = operation["responses"].get(status, operation["responses"].get("default"))
        assert said is not None, f"{method} {path} answers {status}, which is not documented: {answer.text[:300]}"
        if "content" in said:
            media = answer.headers["content-type"].split(";")[0]
            kind = said["content"].get(media)
            assert kind, f"{method} {path} answers {answer.headers['content-type']}, which is not documented"
            found = self.problem(answer.json if media.endswith("json") else answer.text, kind["schema"])
            assert found is None, f"{method} {path} {status}{found}: {answer.text[:300]}"


def describe(daemon):
    """From now on all its answers are held against its document."""
    daemon.described = Document(daemon.get("/openapi.json").json)
    return daemon
