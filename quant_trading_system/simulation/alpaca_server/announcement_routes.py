"""What companies tell, by request: news, dividends and splits. This market has none, and that is the answer."""

from __future__ import annotations

from quant_trading_system.simulation.admission import not_found
from quant_trading_system.simulation.alpaca_server import parameters as read
from quant_trading_system.simulation.alpaca_server.routes import Answer, Call, Parameter, Route, Scope

_BAD = 400
_MOST_ACTIONS, _MOST_NEWS = 1_000, 50
_ANNOUNCEMENTS = "/v2/corporate_actions/announcements"


def corporate_actions(call: Call) -> Answer:
    """None: the prices of this venue have neither splits nor dividends."""
    _read_listing(call, _MOST_ACTIONS)
    return Answer({"corporate_actions": {}, "next_page_token": None})


def news(call: Call) -> Answer:
    """None."""
    _read_listing(call, _MOST_NEWS)
    return Answer({"news": [], "next_page_token": None})


def announcements(call: Call) -> Answer:
    """None; the older way to ask for corporate actions."""
    for name in ("since", "until"):
        read.day(call.query, name)
    return Answer([])


def announcement(call: Call) -> Answer:
    """There is none of any id."""
    raise not_found(f"announcement not found for {read.uuid(call.path['announcement_id'], 'id is invalid')}")


def _read_listing(call: Call, most: int) -> None:
    """Refuse what cannot be meant, although nothing would be found."""
    read.symbols(call.query, http=_BAD)
    read.whole_number(call.query, "limit", default=most, least=1, most=most, http=_BAD)
    read.choice(call.query, "sort", ("asc", "desc"), "asc", _BAD)
    for name in ("start", "end"):
        read.moment_ns(call.query, name, http=_BAD)


def _listing(most: int) -> tuple[Parameter, ...]:
    return (
        Parameter("symbols", description="Separated by commas.", more={"pattern": "^[A-Z]{1,5}(,[A-Z]{1,5})*$"}),
        Parameter("start", description="RFC 3339 or a date.", more={"format": "date-time"}),
        Parameter("end", description="RFC 3339 or a date.", more={"format": "date-time"}),
        Parameter("limit", "integer", more={"minimum": 1, "maximum": most}),
        Parameter("sort", values=("asc", "desc")),
    )


_FILTERS = (
    Parameter("ca_types", description="Separated by commas."),
    Parameter("since", description="A date.", more={"format": "date"}),
    Parameter("until", description="A date.", more={"format": "date"}),
    Parameter("symbol"),
)

ANNOUNCEMENT_ROUTES = (
    *(
        Route("GET", path, corporate_actions, "Corporate actions", Scope.DATA, _listing(_MOST_ACTIONS))
        for path in ("/v1/corporate-actions", "/v1beta1/corporate-actions")
    ),
    Route("GET", "/v1beta1/news", news, "News", Scope.DATA, _listing(_MOST_NEWS)),
    Route("GET", _ANNOUNCEMENTS, announcements, "Announcements of corporate actions", parameters=_FILTERS),
    Route("GET", f"{_ANNOUNCEMENTS}/{{announcement_id}}", announcement, "One announcement"),
)
