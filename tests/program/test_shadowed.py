"""A file of the user's that hides one of Python's modules."""

import pytest

from tests.support.world import World


@pytest.mark.parametrize(
    ("file", "text"),
    [
        ("json.py", "VALUE = 1"),
        ("random.py", "VALUE = 1"),
        ("resource.py", "VALUE = 1"),
        ("requests.py", "VALUE = 1"),
        ("email/__init__.py", "VALUE = 1"),
        ("signal.py", "not Python"),
        # A script of the user's that ends by itself, before and after the command line is parsed.
        ("copy.py", "raise SystemExit(0)"),
        ("string.py", "raise SystemExit(0)"),
    ],
)
def test_a_module_that_hides_another_one_is_named(world: World, file: str, text: str) -> None:
    (world.cwd / file).parent.mkdir(exist_ok=True)
    (world.cwd / file).write_text(f"{text}\n")
    result = world.run("ask", "Hi", env={"PYTHONPATH": f":{world.env['PYTHONPATH']}"})
    assert (result.status, result.out) == (70, "")
    name = file.partition(".")[0].partition("/")[0]
    assert f"{file} hides the module {name}; rename it, or leave its folder out of PYTHONPATH" in result.err
    assert result.err.count("\n") == 1
