"""Dated parameter files of the reference back office; `parameters.schema.json` describes them."""
