"""Helpers for tests of keys and trust."""

from tests.support.world import World

OTHER = "sk-other-9876543210fedcba"
KEYS = ("AIMLAPI_API_KEY", "AIML_API_KEY", "AIMLAPI_KEY")


def key_sent(world: World) -> str | None:
    """The key of the last request, None without one."""
    header = world.api.requests[-1].headers.get("authorization")
    return header.removeprefix("Bearer ") if header else None


def project(world: World, *lines: str) -> None:
    """Writes a .env in the working directory, as in a cloned repository."""
    (world.cwd / ".env").write_text("\n".join(lines) + "\n")
