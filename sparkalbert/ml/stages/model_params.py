"""The Params that identify the model of :class:`~sparkalbert.AlbertEmbeddings`, and the model that they identify."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, Literal, cast, get_args

from pyspark.ml.param import TypeConverters

from sparkalbert.bundle import Bundle, Precision
from sparkalbert.bundle.manifest import PRECISIONS
from sparkalbert.errors import BundleError, ParamError
from sparkalbert.ml.stages.params import HasParamValue, declare_param
from sparkalbert.ml.stages.saved_model import SavedModel
from sparkalbert.ml.stages.shipping import DISTRIBUTIONS, Distribution
from sparkalbert.models import find_model
from sparkalbert.options import check_choice

if TYPE_CHECKING:
    from typing_extensions import Self

__all__ = ["ModelParams", "PersistModel"]

PersistModel = Literal["value", "reference"]


class ModelParams(HasParamValue):
    """Params that identify the model, and decide how it reaches the workers and a saved stage."""

    _saved_model: SavedModel | None = None
    """Identifies the model that a loaded stage was saved with; None for any other stage."""

    model = declare_param("model", "Name or folder of the model, as pretrained() takes it.", TypeConverters.toString)
    revision = declare_param(
        "revision", "Commit, branch or tag of a model on the Hugging Face Hub.", TypeConverters.toString
    )
    precision = declare_param(
        "precision",
        "Number format of a model that has to be converted: fp32, fp16 or int8. A bundle keeps its own.",
        TypeConverters.toString,
    )
    doLowerCase = declare_param(
        "doLowerCase",
        "If true, the model was trained on lower-cased text; for a model that has to be converted and whose files do "
        "not state it. Left to the files by default.",
        TypeConverters.toBoolean,
    )
    keepAccents = declare_param(
        "keepAccents",
        "If true, the model was trained on text with its accents; as doLowerCase.",
        TypeConverters.toBoolean,
    )
    removeSpace = declare_param(
        "removeSpace",
        "If true, the tokenizer collapses white space; as doLowerCase.",
        TypeConverters.toBoolean,
    )
    modelDigest = declare_param(
        "modelDigest",
        "The digest that the model's bundle must have; any model is accepted by default.",
        TypeConverters.toString,
    )
    modelDistribution = declare_param(
        "modelDistribution",
        "How the model reaches the workers: path (every worker sees its folder), file (Spark sends one file to each "
        "executor), or auto.",
        TypeConverters.toString,
    )
    persistModel = declare_param(
        "persistModel",
        "What save() writes of the model: its value (all files) or a reference (name or path, and digest).",
        TypeConverters.toString,
    )

    def setModel(self, value: str) -> Self:
        """Sets the model by name or folder, as :meth:`pretrained` takes it; it is found when it is first used."""
        return self._set(model=value)

    def getModel(self) -> str:
        """Gets the model's name or folder."""
        return str(self.getOrDefault(self.model))

    def setRevision(self, value: str) -> Self:
        """Sets the commit, branch or tag of a model on the Hugging Face Hub."""
        return self._set(revision=value)

    def getRevision(self) -> str:
        """Gets revision, if set."""
        return str(self.getOrDefault(self.revision))

    def setPrecision(self, value: Precision) -> Self:
        """Sets the number format of a model that has to be converted."""
        return self._set_choice(self.precision, value, PRECISIONS)

    def getPrecision(self) -> Precision:
        """Gets precision, if set."""
        return cast(Precision, check_choice("precision", self.getOrDefault(self.precision), PRECISIONS))

    def setDoLowerCase(self, value: bool) -> Self:
        """Sets whether the model was trained on lower-cased text."""
        return self._set(doLowerCase=value)

    def getDoLowerCase(self) -> bool:
        """Gets doLowerCase, if set."""
        return bool(self.getOrDefault(self.doLowerCase))

    def setKeepAccents(self, value: bool) -> Self:
        """Sets whether the model was trained on text with its accents."""
        return self._set(keepAccents=value)

    def getKeepAccents(self) -> bool:
        """Gets keepAccents, if set."""
        return bool(self.getOrDefault(self.keepAccents))

    def setRemoveSpace(self, value: bool) -> Self:
        """Sets whether the tokenizer collapses white space."""
        return self._set(removeSpace=value)

    def getRemoveSpace(self) -> bool:
        """Gets removeSpace, if set."""
        return bool(self.getOrDefault(self.removeSpace))

    def setModelDigest(self, value: str) -> Self:
        """Sets the digest that the model's bundle must have."""
        return self._set(modelDigest=value)

    def getModelDigest(self) -> str:
        """Gets the digest of the model's bundle: as set, else that of the model."""
        return str(self.getOrDefault(self.modelDigest)) if self.isSet(self.modelDigest) else self._bundle().digest

    def setModelDistribution(self, value: str) -> Self:
        """Sets how the model reaches the workers: ``auto``, ``path`` or ``file``."""
        return self._set_choice(self.modelDistribution, value, DISTRIBUTIONS)

    def getModelDistribution(self) -> Distribution:
        """Gets modelDistribution or its default value."""
        value = check_choice("modelDistribution", self.getOrDefault(self.modelDistribution), DISTRIBUTIONS)
        return cast(Distribution, value)

    def setPersistModel(self, value: str) -> Self:
        """Sets what ``save()`` writes of the model: ``value`` or ``reference``."""
        return self._set_choice(self.persistModel, value, get_args(PersistModel))

    def getPersistModel(self) -> PersistModel:
        """Gets persistModel or its default value."""
        value = check_choice("persistModel", self.getOrDefault(self.persistModel), get_args(PersistModel))
        return cast(PersistModel, value)

    def _bundle(self) -> Bundle:
        """Return the bundle of the model that is set. No other method looks for a model.

        Raises
        ------
        ParamError
            If no model is set.
        BundleError
            If it is not the model that ``modelDigest`` requires, or that the stage was saved with.
        """
        if not self.isSet(self.model):
            msg = f"{self.uid} has no model. Use pretrained(name), load(path) or setModel(name)."
            raise ParamError(msg)
        options = self._model_options()
        bundle = find_model(self.getModel(), **options)
        required = self._value_if_set(self.modelDigest, self.getModelDigest)
        if required is not None and bundle.digest != required:
            msg = (
                f"The digest of model {self.getModel()!r} is {bundle.digest}, but modelDigest requires {required}. "
                "Set the other model, or clear modelDigest."
            )
            raise BundleError(msg)
        saved = self._saved_model
        if saved is not None and saved.is_of(self.getModel(), options) and bundle.digest != saved.digest:
            msg = (
                f"Model {self.getModel()!r} is not the model that {self.uid} was saved with: its digest is "
                f"{bundle.digest[:16]}, expected {saved.digest[:16]}. Restore that model, or set another one."
            )
            raise BundleError(msg)
        return bundle

    def _model_options(self) -> dict[str, Any]:
        """Return the other Params that identify the model, as :func:`find_model` takes them; None if not set."""
        return {
            "precision": self._value_if_set(self.precision, self.getPrecision),
            "revision": self._value_if_set(self.revision, self.getRevision),
            "do_lower_case": self._value_if_set(self.doLowerCase, self.getDoLowerCase),
            "keep_accents": self._value_if_set(self.keepAccents, self.getKeepAccents),
            "remove_space": self._value_if_set(self.removeSpace, self.getRemoveSpace),
        }
