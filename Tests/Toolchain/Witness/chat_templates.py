"""Renders templates with Jinja, in an environment like the one that transformers sets up.

Reads {"templates": [text], "cases": [{"template": index, "variables"}]} from the file named first and writes an array of
{"text"} or {"error"} to the file named second. The time is the third argument, in seconds of Unix.
"""

import json
import sys
from datetime import datetime

from jinja2 import nodes
from jinja2.exceptions import TemplateError
from jinja2.ext import Extension, loopcontrols
from jinja2.sandbox import ImmutableSandboxedEnvironment


class Generation(Extension):
    """{% generation %}: what the assistant said, for training; here only its text."""

    tags = {"generation"}

    def parse(self, parser):
        line = next(parser.stream).lineno
        body = parser.parse_statements(["name:endgeneration"], drop_needle=True)
        return nodes.CallBlock(self.call_method("_text"), [], [], body).set_lineno(line)

    def _text(self, caller):
        return caller()


def environment(time):
    result = ImmutableSandboxedEnvironment(
        trim_blocks=True, lstrip_blocks=True, extensions=[Generation, loopcontrols]
    )

    def tojson(value, ensure_ascii=False, indent=None, separators=None, sort_keys=False):
        return json.dumps(
            value, ensure_ascii=ensure_ascii, indent=indent, separators=separators, sort_keys=sort_keys
        )

    def raise_exception(message):
        raise TemplateError(message)

    result.filters["tojson"] = tojson
    result.globals["raise_exception"] = raise_exception
    result.globals["strftime_now"] = lambda text: datetime.fromtimestamp(time).strftime(text)
    return result


def main(source, destination, time):
    environment_ = environment(int(time))
    templates = {}
    with open(source, encoding="utf-8") as file:
        input_ = json.load(file)
    results = []
    for case in input_["cases"]:
        try:
            text = input_["templates"][case["template"]]
            if text not in templates:
                templates[text] = environment_.from_string(text)
            result = templates[text].render(**case["variables"])
            result.encode("utf-8")
            results.append({"text": result})
        except Exception as error:
            results.append({"error": f"{type(error).__name__}: {error}"})
    with open(destination, "w", encoding="utf-8") as file:
        json.dump(results, file, ensure_ascii=False)


if __name__ == "__main__":
    main(*sys.argv[1:])
