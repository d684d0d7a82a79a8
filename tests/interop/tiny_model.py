"""Makes a model of a megabyte that says one text: a Llama in form, a table of which token follows which in fact.

python -m tests.interop.tiny_model TEXT_FILE MODEL.gguf

Each token has a dimension of its own. Attention and feed-forward layers are zero,
so the last layer sees which token came last, and its weights say what comes next.
That takes a text cut into pieces of which no two are equal; where a character is
cut, the server has to put it together again.
"""

from __future__ import annotations

import sys
from pathlib import Path

import numpy as np
from gguf import GGUFWriter, TokenType

BEGIN, END, ANSWER = "<|begin|>", "<|end|>", "<|answer|>"
SPECIAL = (BEGIN, END, ANSWER)
#: Hermes' form of tool calls, which the server tells from the template and then holds the model to. The answer begins
#: after a token that no text holds.
TEMPLATE = """{{ '<|begin|>' }}
{%- for tool in tools or [] %}{{ tool | tojson }}
{% endfor %}
{%- for message in messages %}{{ message['role'] }}: {{ message['content'] or '' }}
{%- for call in message['tool_calls'] or [] %}
<tool_call>
{"name": "{{ call['function']['name'] }}", "arguments": {{ call['function']['arguments'] | tojson }}}
</tool_call>{% endfor %}
{% endfor %}
{%- if add_generation_prompt %}{{ '<|answer|>' }}{% endif %}"""
CONTEXT = 1 << 15
HEADS, HEAD = 2, 32
HIDDEN = 32


def alphabet() -> list[str]:
    """Returns the character by which byte-level BPE writes each byte: itself where it can be seen, else a later one."""
    seen = {*range(0x21, 0x7F), *range(0xA1, 0xAD), *range(0xAE, 0x100)}
    rest = iter(range(0x100, 0x200))
    return [chr(byte if byte in seen else next(rest)) for byte in range(256)]


def pieces(data: bytes) -> list[bytes]:
    """Cuts bytes into different pieces, as short as can be. Raises ValueError where the end repeats one."""
    found: list[bytes] = []
    start = 0
    for end in range(1, len(data) + 1):
        if data[start:end] not in found:
            found.append(data[start:end])
            start = end
    if start < len(data):
        raise ValueError("the text must end in a character that it does not hold yet")
    return found


def write(text: bytes, path: Path) -> None:
    """Writes the model that says `text` and ends."""
    letters = alphabet()
    said = ["".join(letters[byte] for byte in piece) for piece in pieces(text)]
    longer = [piece for piece in said if len(piece) > 1]
    # A tokenizer without a single merge is refused.
    merged = letters[ord("q")] + letters[ord("q")]
    tokens = [*letters, *SPECIAL, merged, *(piece for piece in longer if piece != merged)]
    number = {token: place for place, token in enumerate(tokens)}
    size = -(-len(tokens) // (HEADS * HEAD)) * HEADS * HEAD

    # The norm before it makes the one that stands out as large as the root of the size.
    sure = 40 / np.sqrt(size)
    follows = np.zeros((len(tokens), size), np.float32)
    path_of_text = [number[piece] for piece in said]
    follows[path_of_text[0], :] = sure
    for token, following in zip(path_of_text, [*path_of_text[1:], number[END]], strict=True):
        follows[:, token] = 0
        follows[following, token] = sure

    model = GGUFWriter(str(path), "llama")
    model.add_name("a table")
    model.add_context_length(CONTEXT)
    model.add_embedding_length(size)
    model.add_block_count(1)
    model.add_feed_forward_length(HIDDEN)
    model.add_head_count(size // HEAD)
    model.add_head_count_kv(1)
    model.add_rope_dimension_count(HEAD)
    model.add_layer_norm_rms_eps(1e-5)
    model.add_vocab_size(len(tokens))
    model.add_tokenizer_model("gpt2")
    model.add_tokenizer_pre("llama-bpe")
    model.add_token_list(tokens)
    model.add_token_types([int(TokenType.CONTROL if token in SPECIAL else TokenType.NORMAL) for token in tokens])
    model.add_token_merges(["q q"])
    model.add_bos_token_id(number[BEGIN])
    model.add_eos_token_id(number[END])
    model.add_add_bos_token(False)
    model.add_chat_template(TEMPLATE)
    for name, shape in {
        "attn_q": (size, size),
        "attn_k": (HEAD, size),
        "attn_v": (HEAD, size),
        "attn_output": (size, size),
        "ffn_gate": (HIDDEN, size),
        "ffn_up": (HIDDEN, size),
        "ffn_down": (size, HIDDEN),
    }.items():
        model.add_tensor(f"blk.0.{name}.weight", np.zeros(shape, np.float32))
    for name in ("blk.0.attn_norm", "blk.0.ffn_norm", "output_norm"):
        model.add_tensor(f"{name}.weight", np.ones(size, np.float32))
    model.add_tensor("token_embd.weight", np.eye(len(tokens), size, dtype=np.float32))
    model.add_tensor("output.weight", follows)
    model.write_header_to_file()
    model.write_kv_data_to_file()
    model.write_tensors_to_file()
    model.close()


if __name__ == "__main__":
    write(Path(sys.argv[1]).read_bytes(), Path(sys.argv[2]))
