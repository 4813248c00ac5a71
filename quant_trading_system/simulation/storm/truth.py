"""Finds at the venue what the journal tells of: the legs of a group have ids there that the venue gave them."""

from __future__ import annotations

from quant_trading_system.simulation.admission import VenueRefusal
from quant_trading_system.simulation.storm.ledger import Intent
from quant_trading_system.simulation.venue import Venue
from quant_trading_system.simulation.venue_orders import VenueOrder


def at_venue(venue: Venue, intent: Intent) -> VenueOrder | None:
    """The order as it is at the venue; None when the venue does not know it."""
    if not intent.parent or not intent.venue_order_id:
        return venue.find(intent.order_id)
    try:
        return venue.get(intent.venue_order_id)
    except VenueRefusal:
        return None


def name_at_venue(venue: Venue, intent: Intent) -> str:
    """Its client order id there; ours when the venue does not know it."""
    order = at_venue(venue, intent)
    return intent.order_id if order is None else order.client_order_id
