"""A file of the user's that hides one of Python's modules."""

from tests.support.world import World


def test_a_module_that_hides_pythons_own_is_named(world: World) -> None:
    (world.cwd / "json.py").write_text("JSON = 1\n")
    result = world.run("ask", "Hi", env={"PYTHONPATH": f":{world.env['PYTHONPATH']}"})
    assert (result.status, result.out) == (70, "")
    assert "json.py hides a module of Python; rename it, or leave its folder out of PYTHONPATH" in result.err
