"""Turns a template and values into bytes. Everything is escaped; a name a template does not get is an error."""

from datetime import datetime
from pathlib import Path
from typing import Final

from aiohttp import web
from jinja2 import Environment, FileSystemLoader, StrictUndefined

from console import words
from console.setup import Setup

HERE: Final = Path(__file__).parent


class Pages:
    """The templates of one console."""

    def __init__(self, setup: Setup) -> None:
        self._zone = setup.time_zone
        self._environment = Environment(
            loader=FileSystemLoader(HERE / "templates"),
            autoescape=True,
            undefined=StrictUndefined,
            trim_blocks=True,
            lstrip_blocks=True,
            auto_reload=False,
        )
        self._environment.filters |= {
            "span": words.span,
            "iso": datetime.isoformat,
            "moment": self._moment,
            "date": self._date,
            "day": self._day,
            "count": words.count,
        }
        self._environment.globals["line"] = setup.line_name

    def _moment(self, at: datetime) -> str:
        return words.moment(at.astimezone(self._zone))

    def _date(self, at: datetime) -> str:
        return f"{at.astimezone(self._zone):%Y-%m-%d}"

    def _day(self, at: datetime) -> str:
        return words.day(at.astimezone(self._zone))

    def response(self, template: str, *, status: int = 200, **values: object) -> web.Response:
        """A page of HTML."""
        text = self._environment.get_template(template).render(values)
        # A lone surrogate, which a hostile message may carry, has no place in UTF-8: it becomes a question mark.
        return web.Response(
            body=text.encode("utf-8", "replace"), status=status, content_type="text/html", charset="utf-8"
        )
