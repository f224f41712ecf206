"""CPUs, GPUs and memory that a case asks a cluster for, and why it still waits for them."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass

from benchmarks.run.case import Case
from model_registry.language import text

WAIT_SECONDS = 600.0  # without a word from any case, after which a cluster is waited for no longer
Resources = Mapping[str, float]  # as Ray counts them: "CPU", "GPU", and bytes of "memory"


@dataclass(frozen=True, slots=True)
class ResourceRequest:
    """CPUs, GPUs and memory that a case asks for."""

    cpus: float
    gpus: float
    memory_bytes: int | None

    def options(self) -> dict[str, object]:
        """The request as arguments of a Ray task."""
        memory = {"memory": self.memory_bytes} if self.memory_bytes else {}
        return {"num_cpus": self.cpus, "num_gpus": self.gpus, **memory}

    def fit(self, resources: Resources) -> bool:
        """Whether a machine with these resources can take the case."""
        return (
            self.cpus <= resources.get("CPU", 0)
            and self.gpus <= resources.get("GPU", 0)
            and (self.memory_bytes or 0) <= resources.get("memory", 0)
        )

    def words(self) -> str:
        """The request for people: "1 CPU, 4.0 GiB"."""
        parts = [f"{self.cpus:g} CPU"]
        if self.gpus:
            parts.append(f"{self.gpus:g} GPU")
        if self.memory_bytes:
            parts.append(f"{self.memory_bytes / 2**30:.1f} GiB")
        return ", ".join(parts)


def resources_of(case: Case, gpu_share: float = 1.0) -> ResourceRequest:
    """The request of a case: a CPU per thread, a GPU or a share of one, its memory limit.

    A share lets cases run side by side on one GPU: more rows an hour, but times that disturb each
    other. Ray knows nothing of a GPU's memory: the limit of each case must leave room for all.
    """
    if case.contract.device == "cuda":
        return ResourceRequest(1.0, gpu_share, None)
    return ResourceRequest(float(case.contract.threads), 0.0, case.limits.memory_bytes)


def why_waiting(
    needs: Iterable[ResourceRequest],
    machines: Sequence[Resources],
    free: Sequence[Resources],
    *,
    alone: bool = False,
) -> str:
    """Why none of these cases has started, and what to do about it.

    Args:
        needs: of the cases that wait.
        machines: what each machine that is up has in all.
        free: what each has left, when those workers have theirs that are only just starting.
        alone: nobody else uses these machines.
    """
    waiting = sorted(set(needs), key=lambda n: (n.gpus, n.memory_bytes or 0, n.cpus))
    possible = any(n.fit(room) for n in waiting for room in machines)
    if not waiting or (alone and possible) or any(n.fit(r) for n in waiting for r in free):
        return text(
            "a machine has room, but its worker has not started yet: it is crowded, or its "
            "versions differ. /tmp/ray/session_latest/logs on that machine tells more",
            "자리는 있지만 작업 프로세스가 아직 시작되지 않음: 장비가 바쁘거나 버전이 다름. 그 "
            "장비의 /tmp/ray/session_latest/logs를 볼 것",
        )
    least = waiting[0].words()
    if not possible:
        return text(
            f"no machine that is up has {least}: was one lost? Add a machine to the cluster",
            f"연결된 장비 중 {least}를 갖춘 것이 없음: 끊긴 장비가 있는지 보고 장비를 추가할 것",
        )
    most = _most_free(free)
    return text(
        f"no machine has {least} free (the freest has {most}): others use the cluster, or a "
        "worker is only just starting. Wait longer (--ray-wait), lower --memory-limit, or add a "
        "machine",
        f"{least}가 비어 있는 장비가 없음 (가장 여유 있는 장비: {most}): 다른 작업이 쓰고 있거나 "
        "작업 프로세스가 시작되는 중. 더 기다리거나 (--ray-wait) --memory-limit을 낮추거나 "
        "장비를 추가할 것",
    )


def _most_free(free: Sequence[Resources]) -> str:
    """What the machine with most room has left."""
    best = max(free, key=lambda r: (r.get("GPU", 0), r.get("memory", 0), r.get("CPU", 0)),
               default={})  # fmt: skip
    words = ResourceRequest(best.get("CPU", 0), best.get("GPU", 0), None).words()
    return f"{words}, {best.get('memory', 0) / 2**30:.1f} GiB"
