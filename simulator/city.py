"""The sample city: a reference back office that knows the institutions and the built-in profiles.

The demo, the story and `ssct sim backoffice` begin with it. Persons, cards and institutions are
fictitious, region 990100.
"""

from __future__ import annotations

from dataclasses import asdict

from apdu.tac import SoftwareTacModule
from backend_client.messages import CardRef
from simulator.backoffice import seed
from simulator.backoffice.backoffice import BackOffice, Rules
from simulator.card.description import CardProfile
from simulator.card.profile import BUILT_IN, load_profile

HOSPITAL = "990100000101"
RULES = Rules(development_code=seed.DEVELOPMENT_CODE, tac_module=SoftwareTacModule.development())
"""The rules of the sample city: a well-known code enrols terminals. For development only."""


def found(backoffice: BackOffice) -> None:
    """Take in institutions and holders; what is there already stays as it is."""
    seed.add_sample_institutions(backoffice)
    for name in BUILT_IN:
        profile = load_profile(name)
        if profile.backoffice is not None:
            seed.register_entry(
                backoffice,
                name=profile.holder.name,
                ssn=profile.holder.ssn,
                card_id=profile.card.card_id,
                card_number=profile.card.number,
                entry=asdict(profile.backoffice),
            )


def card_ref(profile: CardProfile) -> CardRef:
    """How terminal and back office name the card of this profile."""
    return CardRef(profile.card.card_id.hex(), profile.card.number)
