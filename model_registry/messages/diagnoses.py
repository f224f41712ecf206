"""Known error messages, each with its cause and cure.

`diagnose` is pure: text in, causes and cures out.
"""

from __future__ import annotations

import re
from dataclasses import dataclass

from model_registry.language import text


@dataclass(frozen=True, slots=True)
class Diagnosis:
    """One cause that a message points to. `pattern` is searched for, whatever the case."""

    name: str
    pattern: str
    cause_en: str
    cause_ko: str
    cure_en: str
    cure_ko: str

    @property
    def cause(self) -> str:
        return text(self.cause_en, self.cause_ko)

    @property
    def cure(self) -> str:
        return text(self.cure_en, self.cure_ko)


#: The first that matches is the likeliest, so the special stands before the general.
DIAGNOSES = (
    Diagnosis(
        "dtype-not-supported",
        r"CUBLAS_STATUS_NOT_SUPPORTED|bf16 is not supported|does not support bfloat16",
        "The card has no arithmetic for this precision, most often bfloat16 before Ampere.",
        "이 그래픽카드는 이 정밀도(대개 Ampere 이전의 bfloat16)를 계산하지 못합니다.",
        'Set dtype = "float16" in [contract] of the study, or "float32" on cards before Pascal.',
        '스터디의 [contract]에서 dtype = "float16", Pascal 이전 카드는 "float32"로 하세요.',
    ),
    Diagnosis(
        "cublas-execution-failed",
        r"CUBLAS_STATUS_EXECUTION_FAILED",
        "A matrix product failed on the card: half precision on an old card, memory that ran out "
        "before, or a token id beyond the vocabulary.",
        "행렬 곱이 카드에서 실패했습니다: 오래된 카드의 반정밀도, 앞선 메모리 부족, 또는 "
        "어휘 범위를 넘는 토큰 번호.",
        'Try dtype = "float32" and batch_size = 1; CUDA_LAUNCH_BLOCKING=1 names the real place.',
        'dtype = "float32", batch_size = 1로 해 보세요. CUDA_LAUNCH_BLOCKING=1이면 실제 위치가 '
        "나옵니다.",
    ),
    Diagnosis(
        "out-of-memory",
        r"out of memory|can't allocate memory|CUBLAS_STATUS_ALLOC_FAILED|CUDNN_STATUS_ALLOC_FAILED"
        r"|CUBLAS_STATUS_NOT_INITIALIZED"
        r"|Cannot allocate memory|bad_alloc",
        "The memory of the card or the machine ran out.",
        "그래픽카드나 장비의 메모리가 부족합니다.",
        "`ohlora fit NAME` names the smallest change that fits: a smaller batch, 4 bit, a lower "
        "rank; and close what else uses the card (`nvidia-smi`).",
        "`ohlora fit NAME`이 가장 작은 변경(작은 배치, 4비트, 낮은 랭크)을 알려 줍니다. 카드를 "
        "쓰는 다른 프로그램도 닫으세요(`nvidia-smi`).",
    ),
    Diagnosis(
        "cuda-unknown-error",
        r"CUDA error: unknown error|CUDA unknown error",
        "CUDA does not say why. On cards that drive a screen it is often memory that ran out; "
        "after a suspend it is the driver.",
        "CUDA가 이유를 말하지 않습니다. 화면을 함께 쓰는 카드에서는 대개 메모리 부족이고, "
        "절전 뒤라면 드라이버 문제입니다.",
        "Check with `ohlora fit NAME` whether it fits; else restart the process, then the driver "
        "(`sudo modprobe -r nvidia_uvm && sudo modprobe nvidia_uvm`).",
        "`ohlora fit NAME`으로 메모리를 확인하고, 아니면 프로세스를, 그다음 드라이버를 다시 "
        "시작하세요(`sudo modprobe -r nvidia_uvm && sudo modprobe nvidia_uvm`).",
    ),
    Diagnosis(
        "triton-too-old",
        r"too old to be supported by the triton|Triton only supports devices of CUDA Capability",
        "The card is older than the compiler behind torch.compile supports.",
        "카드가 torch.compile의 컴파일러(Triton)가 지원하는 것보다 오래되었습니다.",
        "Nothing here needs it: set TORCHDYNAMO_DISABLE=1 where a model asks for it.",
        "여기서는 필요 없습니다: 모델이 요구하면 TORCHDYNAMO_DISABLE=1로 끄세요.",
    ),
    Diagnosis(
        "flash-attn-missing",
        r"flash[_-]?attn|FlashAttention",
        "The model's code asks for flash-attn, which is not installed or does not build with this "
        "CUDA.",
        "모델 코드가 flash-attn을 요구하지만 설치되지 않았거나 이 CUDA에서 빌드되지 않습니다.",
        'Not needed: torch\'s own attention is used (attn_implementation="sdpa").',
        '필요하지 않습니다: torch 자체의 어텐션을 쓰면 됩니다(attn_implementation="sdpa").',
    ),
    Diagnosis(
        "generator-is-no-model",
        r"'generator' object has no attribute 'generate'",
        "Something that yields was handed over as the model: the function that should return a "
        "model contains a yield.",
        "모델 대신 제너레이터가 넘어왔습니다: 모델을 돌려줘야 할 함수에 yield가 있습니다.",
        "Return the model from that function, and stream from another one.",
        "그 함수는 모델을 return하게 하고, 스트리밍은 다른 함수로 나누세요.",
    ),
    Diagnosis(
        "gated",
        r"gated repo|GatedRepoError|Access to model .* is restricted|awaiting a review",
        "The publisher asks for an agreement before the download.",
        "배포자가 다운로드 전에 동의를 요구합니다.",
        "Accept the terms on the model's page, then `hf auth login`.",
        "모델 페이지에서 약관에 동의한 뒤 `hf auth login` 하세요.",
    ),
    Diagnosis(
        "unauthorised",
        r"401 Client Error|403 Client Error|Invalid user token|Invalid credentials",
        "The hub refuses this login, or the model is private or does not exist.",
        "허브가 로그인을 거부했거나, 모델이 비공개이거나 없습니다.",
        "`hf auth login` with a token that may read it, and check the model's name.",
        "읽기 권한이 있는 토큰으로 `hf auth login` 하고 모델 이름을 확인하세요.",
    ),
    Diagnosis(
        "hub-offline",
        r"OfflineModeIsEnabled|offline mode is enabled|LocalEntryNotFoundError"
        r"|couldn't connect to|We couldn't connect|Max retries exceeded|Name or service not known"
        r"|Temporary failure in name resolution|Failed to establish a new connection"
        r"|Network is unreachable|Cannot find the requested files in the disk cache",
        "The hub can't be reached, or HF_HUB_OFFLINE is set, and the model is not in the cache.",
        "허브에 연결할 수 없거나 HF_HUB_OFFLINE이 켜져 있고, 캐시에도 모델이 없습니다.",
        "Check the network; `--weights bundled` or `--weights random` need none.",
        "네트워크를 확인하세요. `--weights bundled`나 `--weights random`은 네트워크가 필요 "
        "없습니다.",
    ),
    Diagnosis(
        "disk-full",
        r"No space left on device|Not enough (free )?disk space|Errno 28|Disk quota exceeded",
        "The disk is full.",
        "디스크가 가득 찼습니다.",
        "`hf cache rm` removes models no longer needed; HF_HOME moves the cache elsewhere.",
        "`hf cache rm`로 안 쓰는 모델을 지우거나, HF_HOME으로 캐시를 옮기세요.",
    ),
    Diagnosis(
        "no-kernel-image",
        r"no kernel image is available",
        "This torch was built without code for the card, which is too old or too new for it.",
        "설치된 torch에 이 카드용 코드가 없습니다(카드가 너무 오래되었거나 너무 새것입니다).",
        "Install a torch build for the card's compute capability (`ohlora doctor` shows it).",
        "카드의 compute capability에 맞는 torch를 설치하세요(`ohlora doctor`가 보여 줍니다).",
    ),
    Diagnosis(
        "driver-too-old",
        r"driver version is insufficient|NVIDIA driver on your system is too old",
        "The graphics driver is older than this torch's CUDA.",
        "그래픽 드라이버가 설치된 torch의 CUDA보다 오래되었습니다.",
        "Update the driver, or install a torch built for an older CUDA.",
        "드라이버를 올리거나, 더 오래된 CUDA용 torch를 설치하세요.",
    ),
    Diagnosis(
        "torch-without-cuda",
        r"not compiled with CUDA enabled",
        "This torch can't use a graphics card.",
        "설치된 torch는 그래픽카드를 쓰지 못합니다.",
        "Use --device cpu, or install a CUDA build of torch.",
        "--device cpu를 쓰거나 CUDA용 torch를 설치하세요.",
    ),
    Diagnosis(
        "device-assert",
        r"device-side assert triggered",
        "An index was out of range on the card: most often a token id beyond the vocabulary.",
        "카드에서 범위를 벗어난 번호가 쓰였습니다: 대개 어휘 크기를 넘는 토큰 번호입니다.",
        "Check that tokenizer and model belong together; the CPU names the place.",
        "토크나이저와 모델이 같은 것인지 확인하세요. CPU로 돌리면 위치가 나옵니다.",
    ),
    Diagnosis(
        "quantisation-needs-card",
        r"bitsandbytes.*(CUDA|GPU|not supported|device)|No GPU found.*quanti|gptq.*(CUDA|GPU)",
        "This quantisation can't run on this device.",
        "이 양자화는 이 장치에서 동작하지 않습니다.",
        'Install the extra (`pip install -e ".[quant]"`), or run it on a card.',
        '추가 패키지(`pip install -e ".[quant]"`)를 설치하거나 그래픽카드에서 실행하세요.',
    ),
    Diagnosis(
        "remote-code",
        r"trust_remote_code",
        "The model needs code from its publisher, which is never run here.",
        "모델이 배포자의 코드를 요구하지만, 여기서는 실행하지 않습니다.",
        "Choose a candidate that transformers knows.",
        "transformers가 지원하는 후보를 고르세요.",
    ),
    Diagnosis(
        "architecture-unknown",
        r"does not recognize this architecture|Unrecognized model",
        "The installed transformers does not know this architecture.",
        "설치된 transformers가 이 구조를 모릅니다.",
        "`pip install -U transformers`.",
        "`pip install -U transformers`.",
    ),
    Diagnosis(
        "half-on-cpu",
        r"not implemented for 'Half'",
        "The processor has no code for float16 here.",
        "이 연산은 CPU에서 float16을 지원하지 않습니다.",
        'Set dtype = "float32" (or "bfloat16") in [contract] of the study.',
        '스터디의 [contract]에서 dtype = "float32"(또는 "bfloat16")로 하세요.',
    ),
)
DIAGNOSES_BY_NAME = {diagnosis.name: diagnosis for diagnosis in DIAGNOSES}


def diagnose(message: str) -> list[Diagnosis]:
    """All causes that a message points to, the likeliest first; none where it is not known."""
    return [d for d in DIAGNOSES if re.search(d.pattern, message, re.IGNORECASE | re.DOTALL)]


def cure_of_cause(name: str) -> str:
    """The cure of a cause by its name, in the reader's language; the name where it is unknown."""
    found = DIAGNOSES_BY_NAME.get(name)
    return found.cure if found else name
