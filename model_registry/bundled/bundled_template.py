"""The chat template of the bundled models."""

#: Each turn is its role's token, the text and the end token; an answer continues the last role.
#: The space makes a question's first word the same token that it is inside of a sentence.
CHAT_TEMPLATE = (
    "{%- for message in messages -%}"
    "{%- set space = ' ' if message['role'] == 'user' else '' -%}"
    "{{- '<|' + message['role'] + '|>' + space + message['content'] + '<|end|>' -}}"
    "{%- endfor -%}"
    "{%- if add_generation_prompt -%}{{- '<|assistant|>' -}}{%- endif -%}"
)
