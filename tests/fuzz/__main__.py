"""Fuzz a rate provider's parser, guided by what it covers: `uv run --group fuzz python -m tests.fuzz ecb --seconds 60`.

It ends with an error at the first answer that is neither a table of usable quotes nor a FetchError, that takes longer
than five seconds, or more than 2 GB of memory, and leaves that answer in the directory. What was found interesting is
kept below the directory, for the next time.
"""

import argparse
import functools
import sys
from collections.abc import Callable
from pathlib import Path

import atheris

with atheris.instrument_imports(include=["exchangerates.providers", "exchangerates.rates", "json", "zipfile", "csv"]):
    from tests.unit import test_any_answer as answers

    from exchangerates.providers import http


def _seconds(body: bytes) -> None:
    seconds = http._seconds(body.decode("latin-1"))  # noqa: SLF001 - what the parser of that header is
    assert seconds is None or seconds >= 0


PARSERS: dict[str, tuple[Callable[[bytes], None], list[bytes]]] = {
    **{
        name: (functools.partial(answers.check, *answers.PARSERS[name]), [answers.GOOD[name]])
        for name in answers.PARSERS
    },
    "ecb-archive": (
        functools.partial(answers.check, answers.archived, "EUR"),
        [answers.zipped(answers.CSV)],
    ),
    "ecb-history": (
        lambda body: answers.check(answers.archived, "EUR", answers.zipped(body)),
        [answers.CSV],
    ),
    "retry-after": (_seconds, [b"120", b"Fri, 31 Dec 1999 23:59:59 GMT"]),
}
"""By name: what is called with each answer, and what a good one looks like."""


def main() -> None:
    """Fuzz until the time is over; libFuzzer ends the process."""
    parser = argparse.ArgumentParser(prog="python -m tests.fuzz", description=__doc__)
    parser.add_argument("parser", choices=PARSERS)
    parser.add_argument("--seconds", type=int, default=60)
    parser.add_argument("--directory", type=Path, default=Path(".fuzz"), help="default: %(default)s")
    arguments = parser.parse_args()
    call, good = PARSERS[arguments.parser]
    corpus = arguments.directory / arguments.parser
    corpus.mkdir(parents=True, exist_ok=True)
    for number, body in enumerate(good):
        (corpus / f"good-{number}").write_bytes(body)
    limits = [f"-max_total_time={arguments.seconds}", "-max_len=65536", "-timeout=5", "-rss_limit_mb=2048"]
    words = corpus.with_suffix(".dict")
    words.write_text("\n".join(f'"{word}"' for word in _WORDS), encoding="ascii")
    report = [f"-artifact_prefix={arguments.directory}/{arguments.parser}-", f"-dict={words}", "-print_final_stats=1"]
    atheris.Setup([sys.argv[0], *limits, *report, str(corpus)], call)
    atheris.Fuzz()


_WORDS = [
    *answers.FIELDS,
    *(
        "1E999999999",
        "NaN",
        "-Infinity",
        "null",
        "true",
        "\\\\ud800",
        "2026-10-30",
        "1793372400",
        "<!DOCTYPE x [",
        "]>",
    ),
    *(
        "<!ENTITY a",
        "<Cube currency=",
        " rate=",
        " time=",
        "<![CDATA[",
        "xmlns=",
        "encoding='utf-16'",
        "2024-06-28,",
        "N/A",
    ),
]

if __name__ == "__main__":
    main()
