"""What holds for all tests."""

from hypothesis import settings

# A loaded machine is no failure of the code.
settings.register_profile("webhook_engine", deadline=None)
settings.load_profile("webhook_engine")
