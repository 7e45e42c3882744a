"""A model of :class:`~sparkalbert.AlbertEmbeddings` with the options it runs with, checked on the driver."""

from __future__ import annotations

from dataclasses import dataclass, replace

from sparkalbert.bundle import Bundle
from sparkalbert.inference import EmbedderOptions, VectorSizes, plan_memory
from sparkalbert.ml.worker.model import ModelHandle, WorkerModel

__all__ = ["CheckedModel"]


@dataclass(frozen=True)
class CheckedModel:
    """Holds a model and options that were checked against each other.

    Attributes
    ----------
    bundle
        The model.
    options
        What a vector is; batches have the size that fits into the budget.
    sizes
        How many bytes of vectors a worker holds.
    budget_mb
        The memory that all of that was planned for; None if there is no limit.
    """

    bundle: Bundle
    options: EmbedderOptions
    sizes: VectorSizes
    budget_mb: int | None

    @classmethod
    def of(
        cls, bundle: Bundle, options: EmbedderOptions, budget_mb: int | None, *, annotator_bytes: int = 0
    ) -> CheckedModel:
        """Check a model and its options, and plan its memory.

        Parameters
        ----------
        bundle, options
            The model and the options as they were set.
        budget_mb
            ``memoryBudgetMb``; None for no limit.
        annotator_bytes
            Memory that other workers of the task use, subtracted from the budget.

        Raises
        ------
        ParamError
            If the model does not support an option or does not fit into the budget.
        """
        options.vectors.check(bundle.manifest)
        options.session.check(bundle.manifest)
        on_cpu = options.session.on_cpu
        memory = plan_memory(
            bundle, options.vectors, options.batching, budget_mb, on_cpu=on_cpu, annotator_bytes=annotator_bytes
        )
        return cls(bundle, replace(options, batching=memory.batching), memory.sizes, budget_mb)

    @property
    def dimension(self) -> int:
        """Width of a vector."""
        return self.options.vectors.dimension(self.bundle.manifest)

    def worker_model(self, handle: ModelHandle, threads: int | None) -> WorkerModel:
        """Return what a worker loads, given where it finds the model and its threads; None for the task's cores."""
        return WorkerModel(handle, self.options, threads, self.sizes, self.budget_mb)
