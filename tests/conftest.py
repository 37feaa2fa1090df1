"""What holds for every test: hypothesis never judges by the clock of a busy machine."""

from hypothesis import HealthCheck, settings

settings.register_profile(
    "ssct", deadline=None, suppress_health_check=[HealthCheck.too_slow], print_blob=True
)
settings.load_profile("ssct")
