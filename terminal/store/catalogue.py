"""The last catalogue of services that the back office gave, for when it cannot be asked."""

from __future__ import annotations

import logging

from backend_client.client import BackendClient
from backend_client.codec import decode, encode
from backend_client.errors import BackendError
from backend_client.life_messages import Catalogue
from terminal.errors import StoreError
from terminal.store.store import Store

log = logging.getLogger(__name__)

_CATALOGUE = "catalogue"


class CatalogueCache:
    """Services, service banks and service points (Articles 14, 15, 28), as last heard."""

    def __init__(self, store: Store) -> None:
        self._store = store

    def current(self, client: BackendClient) -> Catalogue | None:
        """What the back office says now, else what it said last; None when it never said anything.

        Raises only `StoreError`, when what was kept cannot be read.
        """
        try:
            catalogue = client.life.catalogue()
        except BackendError as error:
            log.info("no catalogue from the back office: %s", error.code)
            return self.last()
        self._keep(catalogue)
        return catalogue

    def last(self) -> Catalogue | None:
        """What was kept."""
        kept = self._store.get(_CATALOGUE)
        return decode(Catalogue, kept) if kept else None

    def _keep(self, catalogue: Catalogue) -> None:
        """Keep it for later; a store that cannot is no reason not to show it now."""
        try:
            self._store.put(_CATALOGUE, encode(catalogue))
        except StoreError as error:
            log.warning("the catalogue is not kept: %s", error.code)
