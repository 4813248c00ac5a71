"""The drill: the kill switch rehearsed on a local venue, with real processes, timed and judged by the venue's books."""
