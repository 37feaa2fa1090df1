"""Drivers: each shows a flow's screens on one kind of face and brings the answers back."""
