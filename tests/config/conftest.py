"""Fixtures for tests of keys and trust."""

import pytest

from tests.support.fake_api import text
from tests.support.world import World


@pytest.fixture
def bare(world: World) -> World:
    """A machine without a key; the server accepts any."""
    world.api.will(text("ok"))
    del world.env["AIMLAPI_API_KEY"]
    return world
