"""Chat templates as publishers write them, shortened, for tests of what holds for all of them."""

from __future__ import annotations

CHATML = (
    "{% for m in messages %}{{ '<|im_start|>' + m['role'] + '\\n' + m['content'] + '<|im_end|>' "
    "+ '\\n' }}{% endfor %}"
    "{% if add_generation_prompt %}{{ '<|im_start|>assistant\\n' }}{% endif %}"
)
#: An empty think block stands before the last answer; a prompt has one only if told not to think.
QWEN3 = (
    "{%- for m in messages %}"
    "{%- set content = m.content %}{%- set reasoning = '' %}"
    "{%- if m.role == 'assistant' and '</think>' in content %}"
    "{%- set reasoning = content.split('</think>')[0].split('<think>')[-1].strip('\\n') %}"
    "{%- set content = content.split('</think>')[-1].lstrip('\\n') %}{%- endif %}"
    "{{- '<|im_start|>' + m.role + '\\n' }}"
    "{%- if m.role == 'assistant' and (loop.last or reasoning) %}"
    "{{- '<think>\\n' + reasoning + '\\n</think>\\n\\n' }}{%- endif %}"
    "{{- content + '<|im_end|>\\n' }}{%- endfor %}"
    "{%- if add_generation_prompt %}{{- '<|im_start|>assistant\\n' }}"
    "{%- if enable_thinking is defined and enable_thinking is false %}"
    "{{- '<think>\\n\\n</think>\\n\\n' }}{%- endif %}{%- endif %}"
)
#: The prompt opens a think block whatever it is told; an answered turn has none.
R1 = (
    "{{ bos_token }}{%- for m in messages %}"
    "{%- if m['role'] == 'system' %}{{ m['content'] }}{%- endif %}"
    "{%- if m['role'] == 'user' %}{{ '<|User|>' + m['content'] }}{%- endif %}"
    "{%- if m['role'] == 'assistant' %}"
    "{{ '<|Assistant|>' + m['content'].split('</think>')[-1] + '<|end|>' }}{%- endif %}"
    "{%- endfor %}{% if add_generation_prompt %}{{ '<|Assistant|><think>\\n' }}{% endif %}"
)
#: Answers are the model's; texts are stripped; a system text stands in the first question.
GEMMA = (
    "{{ bos_token }}{% if messages[0]['role'] == 'system' %}"
    "{% set first = messages[0]['content'] + '\\n\\n' %}{% set rest = messages[1:] %}"
    "{% else %}{% set first = '' %}{% set rest = messages %}{% endif %}"
    "{% for m in rest %}"
    "{% set role = 'model' if m['role'] == 'assistant' else m['role'] %}"
    "{{ '<start_of_turn>' + role + '\\n' + (first if loop.first else '') + (m['content'] | trim)"
    " + '<end_of_turn>\\n' }}{% endfor %}"
    "{% if add_generation_prompt %}{{ '<start_of_turn>model\\n' }}{% endif %}"
)
LLAMA3 = (
    "{% for m in messages %}{% set content = '<|start_header_id|>' + m['role'] + "
    "'<|end_header_id|>\\n\\n' + m['content'] | trim + '<|eot_id|>' %}"
    "{% if loop.index0 == 0 %}{% set content = bos_token + content %}{% endif %}{{ content }}"
    "{% endfor %}{% if add_generation_prompt %}"
    "{{ '<|start_header_id|>assistant<|end_header_id|>\\n\\n' }}{% endif %}"
)
#: The blank before an answer belongs to the answer's side.
LLAMA2 = (
    "{% for m in messages %}{% if m['role'] == 'user' %}"
    "{{ bos_token + '[INST] ' + m['content'] + ' [/INST]' }}"
    "{% elif m['role'] == 'system' %}{{ raise_exception('no system role') }}"
    "{% else %}{{ ' ' + m['content'] + ' ' + eos_token }}{% endif %}{% endfor %}"
)
#: It knows no system role and drops its text without a word.
DROPS_SYSTEM = (
    "{% for m in messages %}{% if m['role'] != 'system' %}"
    "<|{{ m['role'] }}|>{{ m['content'] }}<|end|>{% endif %}{% endfor %}"
    "{% if add_generation_prompt %}<|assistant|>{% endif %}"
)
#: No end token anywhere.
PLAIN_TURNS = (
    "{% for m in messages %}{{ ('Q: ' if m['role'] == 'user' else 'A: ') + m['content'] + '\\n' }}"
    "{% endfor %}{% if add_generation_prompt %}A: {% endif %}"
)
#: Its system text stands in the last question, and is lost once an answer stands behind that.
MISTRAL = (
    "{% set rest = messages %}{% if messages[0]['role'] == 'system' %}"
    "{% set system = messages[0]['content'] %}{% set rest = messages[1:] %}{% endif %}"
    "{{ bos_token }}{% for m in rest %}"
    "{% if (m['role'] == 'user') != (loop.index0 % 2 == 0) %}"
    "{{ raise_exception('roles must alternate') }}{% endif %}"
    "{% if m['role'] == 'user' %}{{ '[INST] ' + (system + '\n\n' if loop.last and system "
    "is defined else '') + m['content'] + '[/INST]' }}"
    "{% else %}{{ ' ' + (m['content'] | trim) + eos_token }}{% endif %}{% endfor %}"
)
#: A prompt opens a think block or shuts it, as it is told; an answered turn has it shut.
V31 = (
    "{% if thinking is not defined %}{% set thinking = false %}{% endif %}{{ bos_token }}"
    "{% for m in messages %}"
    "{% if m['role'] == 'system' %}{{ m['content'] }}"
    "{% elif m['role'] == 'user' %}{{ '<|User|>' + m['content'] }}"
    "{% else %}{{ '<|Assistant|></think>' + m['content'].split('</think>')[-1] + '<|end|>' }}"
    "{% endif %}{% endfor %}"
    "{% if add_generation_prompt %}{{ '<|Assistant|>' + ('<think>' if thinking else '</think>') }}"
    "{% endif %}"
)
#: A text is a list of parts to it, as to models that see; one that is plain is lost.
PARTS = (
    "{% for m in messages %}{{ '<|im_start|>' + m['role'] + '\n' }}"
    "{% for part in m['content'] %}{{ part['text'] }}{% endfor %}{{ '<|im_end|>\n' }}{% endfor %}"
    "{% if add_generation_prompt %}{{ '<|im_start|>assistant\n' }}{% endif %}"
)
#: A default system text, which the user's own takes the place of; none behind the first message.
FIRST_SYSTEM = (
    "{% if messages[0]['role'] == 'system' %}{% set system = messages[0]['content'] %}"
    "{% else %}{% set system = 'You help.' %}{% endif %}"
    "{{ '<|im_start|>system\n' + system + '<|im_end|>\n' }}"
    "{% for m in messages if m['role'] != 'system' %}"
    "{{ '<|im_start|>' + m['role'] + '\n' }}{% generation %}{{ m['content'] + '<|im_end|>' }}"
    "{% endgeneration %}{{ '\n' }}{% endfor %}"
    "{% if add_generation_prompt %}{{ '<|im_start|>assistant\n' }}{% endif %}"
)
#: It never opens a prompt.
NEVER_OPENS = "{% for m in messages %}<|{{ m['role'] }}|>{{ m['content'] }}<|end|>{% endfor %}"

TEMPLATES = {
    "chatml": CHATML,
    "qwen3": QWEN3,
    "r1": R1,
    "gemma": GEMMA,
    "llama3": LLAMA3,
    "llama2": LLAMA2,
    "drops system": DROPS_SYSTEM,
    "plain turns": PLAIN_TURNS,
    "never opens": NEVER_OPENS,
    "mistral": MISTRAL,
    "v3.1": V31,
    "parts": PARTS,
    "first system": FIRST_SYSTEM,
}
#: The token that each ends an answer with; None: none, so the tokenizer's own.
ENDS = {
    "chatml": "<|im_end|>",
    "qwen3": "<|im_end|>",
    "r1": "<|end|>",
    "gemma": "<end_of_turn>",
    "llama3": "<|eot_id|>",
    "llama2": "<|end|>",
    "drops system": "<|end|>",
    "plain turns": None,
    "never opens": "<|end|>",
    "mistral": "<|end|>",
    "v3.1": "<|end|>",
    "parts": "<|im_end|>",
    "first system": "<|im_end|>",
}
#: Control tokens of all of them. Those behind "|" are added, but not special (Qwen3's are so).
SPECIAL = (
    "<bos>", "<|im_start|>", "<|im_end|>", "<|User|>", "<|Assistant|>", "<start_of_turn>",
    "<|start_header_id|>", "<|end_header_id|>", "<|eot_id|>",
)  # fmt: skip
ADDED = ("<think>", "</think>", "<end_of_turn>")


def tokenizer_with(template: str):
    """The tiny tokenizer with this template and all the control tokens; it begins texts itself."""
    from tokenizers.processors import TemplateProcessing

    from tests.support.tiny_models import make_tokenizer

    tokenizer = make_tokenizer()
    tokenizer.add_special_tokens({"bos_token": "<bos>", "extra_special_tokens": list(SPECIAL[1:])})
    tokenizer.add_tokens(list(ADDED))
    begin = tokenizer.bos_token_id
    tokenizer.backend_tokenizer.post_processor = TemplateProcessing(
        single="<bos> $A", special_tokens=[("<bos>", begin)]
    )
    tokenizer.chat_template = template
    return tokenizer
