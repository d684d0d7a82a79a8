"""Draws the README's picture from real commands: python -m tests.support.picture >.github/demo.svg

The commands run in bash against the stand-in server, which gives the answers below.
The picture is rich's SVG export, with the system's monospaced font in place of one
that would be downloaded.
"""

from __future__ import annotations

import json
import os
import re
import subprocess
import sys
import tempfile
from pathlib import Path

from rich._export_format import CONSOLE_SVG_FORMAT
from rich.console import Console
from rich.text import Text

from tests.support.fake_api import KEY, FakeApi, Handler, answer, completion, document, text
from tests.support.world import ROOT

#: What is typed, line by line. A shell comment is shown in gray.
SCRIPT = """\
git diff | llamacli ask 'Write a commit message for this diff:'
label=$(llamacli ask --choice bug,feature,question 'What is this?' <issue.txt); echo "$label ($?)"
llamacli ask --schema 'name, born int' 'Who wrote this?' <letter.txt | jq -r .name
llamacli ask --max-tokens 8 'Tell me a story.' >story.txt; echo "($?)"
llamacli batch -q --plain -j 8 'French: {}' <words.txt
"""
DIFF = "-    for page in range(1, count):\n+    for page in range(1, count + 1):\n"
FRENCH = {"moon": "la lune", "sun": "le soleil", "rain": "la pluie"}


def respond(handler: Handler) -> None:
    """Answers each of the commands above."""
    body = handler.asked.json
    prompt = body["messages"][-1]["content"]
    if "tools" in body:
        values = {"choice": "bug"} if "What is this?" in prompt else {"name": "Ada Lovelace", "born": 1815}
        names = body["tools"][0]["function"]["parameters"]["properties"]
        arguments = json.dumps({name: values.get(name, "bug") for name in names})
        call = {"id": "call-1", "type": "function", "function": {"name": "give_answer", "arguments": arguments}}
        return document(completion(None, "tool_calls", tool_calls=[call]))(handler)
    if prompt.startswith("French: "):
        return answer(FRENCH[prompt.removeprefix("French: ")])(handler)
    if "story" in prompt:
        return text("Once upon a time, in a land", finish="length")(handler)
    return text("pager: Print the last page")(handler)


def run() -> list[tuple[str, str, str]]:
    """Runs the commands and returns each one with what it printed on stdout and stderr."""
    with FakeApi() as api, tempfile.TemporaryDirectory() as folder:
        api.will(respond)
        binaries = Path(folder, ".bin")
        binaries.mkdir()
        for name, body in {
            "llamacli": f"#!{sys.executable}\nfrom llamacli.__main__ import program\n\nprogram()\n",
            "git": f"#!/bin/sh\nprintf '%s' '{DIFF}'\n",
            "jq": '#!/bin/sh\nsed \'s/.*"name": *"\\([^"]*\\)".*/\\1/\'\n',
        }.items():
            (binaries / name).write_text(body)
            (binaries / name).chmod(0o755)
        Path(folder, "issue.txt").write_text("It crashes on an empty file.\n")
        Path(folder, "letter.txt").write_text("Dear Babbage, ...\n")
        Path(folder, "words.txt").write_text("".join(f"{word}\n" for word in FRENCH))
        environ = {
            "PATH": f"{binaries}:{os.environ['PATH']}",
            "HOME": folder,
            "PYTHONPATH": str(ROOT),
            "AIMLAPI_API_KEY": KEY,
            "AIMLAPI_BASE_URL": api.url,
            "LLAMACLI_REQUEST_ID": "7f3a",
        }
        shown = []
        for line in SCRIPT.splitlines():
            done = subprocess.run(
                ["bash", "-c", line], cwd=folder, env=environ, capture_output=True, text=True, check=False, timeout=60
            )
            shown.append((line, done.stdout, done.stderr))
        return shown


def draw() -> str:
    """Returns the picture as SVG."""
    with open(os.devnull, "w") as nowhere:
        console = Console(record=True, width=100, file=nowhere, force_terminal=True, color_system="truecolor")
        for command, out, err in run():
            prompt = Text("$ ", style="bold green")
            console.print(prompt.append(command, style="bold white"), soft_wrap=False, highlight=False)
            for printed, style in ((re.sub(r" \[[^]]*\]$", "", err.rstrip()), "yellow"), (out.rstrip(), "")):
                if printed:
                    console.print(Text(printed, style=style))
        font = re.sub(r"@font-face \{\{.*?\}\}\s*", "", CONSOLE_SVG_FORMAT, flags=re.DOTALL)
        font = font.replace("Fira Code, monospace", "ui-monospace, Menlo, Consolas, monospace")
        svg = console.export_svg(title="llamacli", code_format=font, unique_id="llamacli")
    return "\n".join(line.rstrip() for line in svg.splitlines()) + "\n"


if __name__ == "__main__":
    sys.stdout.write(draw())
