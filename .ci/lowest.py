"""The run-time requirements of settings.ini at their lowest: each `>=` becomes `==`.

Usage: pip install $(python .ci/lowest.py) WHEEL

>>> lowest("torch>=2.6 tqdm>=4.65")
['torch==2.6', 'tqdm==4.65']
>>> lowest("torch")
Traceback (most recent call last):
ValueError: 'torch' names no lowest version; write it as NAME>=VERSION.
"""
from configparser import ConfigParser
from pathlib import Path

SETTINGS = Path(__file__).resolve().parents[1]/"settings.ini"


def lowest(requirements: str  # as settings.ini has them, with spaces between
           ) -> list[str]:
    "Each requirement at its lowest version; ValueError for one that names none"
    found = []
    for one in requirements.split():
        name, wanted, rest = one.partition(">=")
        if not wanted or "," in rest:
            raise ValueError(f"{one!r} names no lowest version; write it as NAME>=VERSION.")
        found.append(f"{name}=={rest}")
    return found


if __name__ == "__main__":
    parser = ConfigParser(delimiters=["="])
    parser.read_string(SETTINGS.read_text(encoding="utf-8"))
    print(*lowest(parser["DEFAULT"]["requirements"]))
