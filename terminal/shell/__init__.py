"""`ssct shell`: a card by hand, for developers and service staff."""
