"""What a user would run instead of llamacli: a short script, curl, `llm`. Each is a Command."""

from __future__ import annotations

import json
import shutil
from pathlib import Path

from tests.bench.measure import Command
from tests.bench.servers import Urls

MODEL = "meta-llama/Llama-3.3-70B-Instruct-Turbo"
KEY = "sk-bench-0123456789"
#: `llm` takes part in one of this many rounds: it takes seconds for a long stream.
SELDOM = 3

#: The API's documented example.
ASK = """
import sys, requests
url, prompt = sys.argv[1:]
response = requests.post(
    url + "/chat/completions",
    headers={"Authorization": "Bearer KEY", "Content-Type": "application/json"},
    json={"model": "MODEL", "messages": [{"role": "user", "content": prompt or sys.stdin.read()}]},
)
print(response.json()["choices"][0]["message"]["content"])
"""
STREAM = """
import json, sys, requests
url, prompt = sys.argv[1:]
response = requests.post(
    url + "/chat/completions",
    headers={"Authorization": "Bearer KEY"},
    json={"model": "MODEL", "messages": [{"role": "user", "content": prompt}], "stream": True},
    stream=True,
)
rest = b""
while block := response.raw.read1(65536, decode_content=True):
    *lines, rest = (rest + block).split(b"\\n")
    for line in lines:
        if line.startswith(b"data: {"):
            sys.stdout.write(json.loads(line[6:])["choices"][0]["delta"].get("content") or "")
"""
POOL = """
import sys, threading, requests
from concurrent.futures import ThreadPoolExecutor
own = threading.local()

def ask(line):
    if not hasattr(own, "session"):
        own.session = requests.Session()
    response = own.session.post(
        sys.argv[1] + "/chat/completions",
        headers={"Authorization": "Bearer KEY"},
        json={"model": "MODEL", "messages": [{"role": "user", "content": line}]},
    )
    return response.json()["choices"][0]["message"]["content"]

with ThreadPoolExecutor(JOBS) as pool:
    for content in pool.map(ask, map(str.strip, sys.stdin)):
        print(content)
"""
#: An answer of this many KB with code, a list and a table, rendered as its tokens arrive.
MARKDOWN = """
import sys
from llamacli.stdio.markdown.live import LiveMarkdown

class Screen:
    fd, is_terminal = 1, True
    def draw(self, text): pass

size = int(sys.argv[1]) * 1000 // 3
code, item, row = "    value = compute(item)  # comment\\n", "- an item with **bold** words\\n", "| a | cell |\\n"
answer = "```python\\n" + code * (size // len(code)) + "```\\n" + item * (size // len(item))
answer += "\\n| a | b |\\n|---|---|\\n" + row * (size // len(row))
with LiveMarkdown(Screen(), True) as page:
    for start in range(0, len(answer), 5):
        page.write(answer[start : start + 5])
"""


class Peers:
    """The programs and where they are installed; `folder` is for what they need on disk."""

    def __init__(self, llamacli: Path, llm: Path, folder: Path, bundle: Path) -> None:
        self.program, self.python = str(llamacli), str(llamacli.with_name("python"))
        self.curl, self._llm, self.folder = shutil.which("curl"), llm if llm.exists() else None, folder
        trust = {"REQUESTS_CA_BUNDLE", "CURL_CA_BUNDLE", "SSL_CERT_FILE"}
        self.env = {
            "PATH": "/usr/bin:/bin",
            "HOME": str(folder),
            "LLM_USER_PATH": str(folder),
            "AIMLAPI_API_KEY": KEY,
            "OPENAI_API_KEY": KEY,
            **dict.fromkeys(trust, str(bundle)),
        }

    def ours(self, url: str, *words: str, stdin: str = "/dev/null") -> Command:
        return Command([self.program, *words], stdin, {"AIMLAPI_BASE_URL": url})

    def script(self, code: str, *words: str, stdin: str = "/dev/null") -> Command:
        return Command([self.python, "-c", code.replace("KEY", KEY).replace("MODEL", MODEL), *words], stdin)

    def by_curl(self, url: str, prompt: str, stream: bool = False) -> dict[str, Command]:
        """Returns the call by curl, nothing if curl is not installed."""
        if not self.curl:
            return {}
        body = self.folder / f"{len(prompt)}-{prompt[:20].strip()}-{stream}.json"
        message = {"role": "user", "content": prompt}
        body.write_text(json.dumps({"model": MODEL, "stream": stream, "messages": [message]}))
        headers = ["-H", f"Authorization: Bearer {KEY}", "-H", "Content-Type: application/json"]
        words = [self.curl, "-sSN", *headers, "--data-binary", f"@{body}", url + "/chat/completions"]
        return {"curl": Command(words)}

    def by_llm(self, *words: str, stdin: str = "/dev/null", every: int = SELDOM) -> dict[str, Command]:
        """Returns a command of `llm`, nothing if it is not installed."""
        return {"llm": Command([str(self._llm), *words], stdin, every=every)} if self._llm else {}

    def tell_llm(self, urls: Urls) -> None:
        """Configures the servers in llm, as models `plain` and `far`."""
        # YAML is a superset of JSON.
        models = [
            {"model_id": name, "model_name": MODEL, "api_base": url, "api_key_name": "openai"}
            for name, url in urls._asdict().items()
        ]
        (self.folder / "extra-openai-models.yaml").write_text(json.dumps(models))
