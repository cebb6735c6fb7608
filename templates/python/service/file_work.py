"""Processes uploaded files: thumbnails of images, statistics of CSV files."""

from __future__ import annotations

import csv
import io
import json
import math
import re
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any, BinaryIO

from service.content import GIF, JPEG, PNG
from service.job_work import JobFailedError
from service.storage import Storage

_FORMATS = {PNG: "png", JPEG: "jpeg", GIF: "gif"}

FAILED = "The file could not be processed"

_ROWS = 1000
_MAX_PLAIN = 1e21
"""Up to there JSON numbers are written without an exponent."""


@dataclass(frozen=True)
class Box:
    """What a thumbnail has to fit into, in pixels."""

    width: int = 200
    height: int = 200


def make_thumbnail(storage: Storage, job_id: str, source: str, kind: str, box: Box) -> str:
    """Store a thumbnail and result.json with the image's facts, and return the thumbnail's key.

    The thumbnail keeps the image's proportions and is never larger than the image.
    """
    from PIL import Image, ImageOps  # only here: it is not needed otherwise

    with storage.open(source) as file:
        data = file.read()
    try:
        with Image.open(io.BytesIO(data)) as opened:
            width, height = opened.size
            if kind == JPEG:
                opened.draft("RGB", (box.width * 2, box.height * 2))  # reads no more than the thumbnail needs
            image = ImageOps.exif_transpose(opened).convert("RGB" if kind == JPEG else "RGBA")
    except (OSError, SyntaxError, ValueError) as e:
        raise JobFailedError(FAILED, final=True) from e
    small = image.resize(_fit(image.size, box), Image.Resampling.LANCZOS)
    suffix, name, content_type = ("jpg", "JPEG", JPEG) if kind == JPEG else ("png", "PNG", PNG)
    key = f"{job_id}/thumbnail.{suffix}"
    with storage.create(key, content_type) as out:
        small.save(out, name)
    facts = {"width": width, "height": height, "format": _FORMATS[kind], "thumbnail_key": key}
    _store(storage, f"{job_id}/result.json", facts)
    return key


def _fit(size: tuple[int, int], box: Box) -> tuple[int, int]:
    width, height = size
    scale = min(1, box.width / width, box.height / height)
    return max(1, round(width * scale)), max(1, round(height * scale))


def _store(storage: Storage, key: str, facts: dict[str, Any]) -> None:
    with storage.create(key, "application/json") as out:
        out.write(json.dumps(facts, ensure_ascii=False, separators=(",", ":")).encode())


_number = re.compile(r"[+-]?(?:[0-9]+(?:\.[0-9]*)?|\.[0-9]+)(?:[eE][+-]?[0-9]+)?")


class _Column:
    def __init__(self, name: str) -> None:
        self.name = name
        self.empty = 0
        self.numeric = 0
        self.least = math.inf
        self.most = -math.inf

    def add(self, cell: str) -> None:
        if not cell:
            self.empty += 1
        elif _number.fullmatch(cell) and math.isfinite(number := float(cell)):
            self.numeric += 1
            self.least, self.most = min(self.least, number), max(self.most, number)

    def facts(self) -> dict[str, Any]:
        least, most = (_plain(self.least), _plain(self.most)) if self.numeric else (None, None)
        return {"name": self.name, "empty": self.empty, "numeric": self.numeric, "min": least, "max": most}


def _plain(number: float) -> int | float:
    return int(number) if number.is_integer() and abs(number) < _MAX_PLAIN else number


def count_rows(storage: Storage, job_id: str, source: str, size: int, step: Callable[[int, int], None]) -> str:
    """Store result.json with what the columns of a CSV file hold, and return its key.

    The first line holds the columns' names. Lines may have too few cells or too many; empty ones do not count.
    """
    rows, columns = 0, list[_Column]()
    with storage.open(source) as file:
        csv.field_size_limit(max(size, 1 << 17))
        lines = (cells for cells in csv.reader(_text(file)) if cells)
        columns = [_Column(name) for name in next(lines, [])]
        for rows, cells in enumerate(lines, start=1):
            cells += [""] * (len(columns) - len(cells))
            for column, cell in zip(columns, cells, strict=False):
                column.add(cell.strip())
            if rows % _ROWS == 0:
                step(rows, rows * 2)  # how many there are is not known
    key = f"{job_id}/result.json"
    _store(storage, key, {"rows": rows, "columns": [column.facts() for column in columns]})
    return key


def _text(file: BinaryIO) -> io.TextIOWrapper:
    return io.TextIOWrapper(file, encoding="utf-8-sig", newline="")
