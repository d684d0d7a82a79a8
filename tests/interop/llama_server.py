"""Runs llama.cpp's own HTTP server, from the wheel xllamacpp, on a port of loopback until it is stopped.

python -m tests.interop.llama_server MODEL.gguf PORT KEY CONTEXT
"""

from __future__ import annotations

import sys
import threading

import xllamacpp

from tests.support.fake_api import MODEL


def main(model: str, port: str, key: str, context: str) -> None:
    params = xllamacpp.CommonParams()
    params.model.path = model
    params.hostnames = ["127.0.0.1"]
    params.port = int(port)
    params.api_keys = [key]
    params.model_alias = {MODEL}
    params.n_ctx, params.n_parallel = int(context), 2
    params.n_gpu_layers, params.cpuparams.n_threads = 0, 1
    params.warmup = False
    params.use_jinja = True
    # Comments between the events, as some servers send them.
    params.sse_ping_interval = 1
    server = xllamacpp.Server(params)
    print("listening on", server.listening_address, flush=True)
    threading.Event().wait()


if __name__ == "__main__":
    main(*sys.argv[1:])
