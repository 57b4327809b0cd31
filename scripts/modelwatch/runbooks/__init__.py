"""Runbooks: the pages that come with modelwatch, what proves them, and one filled in for one alert."""
