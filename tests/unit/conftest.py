"""How properties are tried: on a slow machine an example takes as long as it takes."""

from hypothesis import settings

settings.register_profile("patient", deadline=None)
settings.load_profile("patient")
