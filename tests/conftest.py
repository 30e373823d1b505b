"""What holds for every test: see tests/README.md."""

from hypothesis import settings

from tests.property.effort import PROFILE

settings.register_profile("pop3proto", PROFILE)
settings.load_profile("pop3proto")
