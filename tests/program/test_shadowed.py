"""A file of the user's that hides one of Python's modules."""

import pytest

from tests.support.world import World


@pytest.mark.parametrize("name", ["json", "signal", "random"])
def test_a_module_that_hides_pythons_own_is_named(world: World, name: str) -> None:
    (world.cwd / f"{name}.py").write_text("VALUE = 1\n")
    result = world.run("ask", "Hi", env={"PYTHONPATH": f":{world.env['PYTHONPATH']}"})
    assert (result.status, result.out) == (70, "")
    assert f"{name}.py hides a module of Python; rename it, or leave its folder out of PYTHONPATH" in result.err
