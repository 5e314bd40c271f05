"""Statements on finite networks and kernels: variance, certificates of lazy training, learning curves."""

from ._curvature import Interval, second_derivative_norm
from ._jacobian_lipschitz import JacobianLipschitz, jacobian_lipschitz
from .certificate.lazy import LazyCertificate, certificate_from_constants, lazy_certificate
from .criterion import LazyCriterion, lazy_criterion
from .learning_curve import LearningCurve, eigenlearning_curve, eigenlearning_from_spectrum
from .path.certificate import PathCertificate, path_certificate
from .variance import NTKVariance, ntk_variance, ntk_variance_of

__all__ = [
    "Interval",
    "JacobianLipschitz",
    "LazyCertificate",
    "LazyCriterion",
    "LearningCurve",
    "NTKVariance",
    "PathCertificate",
    "certificate_from_constants",
    "eigenlearning_curve",
    "eigenlearning_from_spectrum",
    "jacobian_lipschitz",
    "lazy_certificate",
    "lazy_criterion",
    "ntk_variance",
    "ntk_variance_of",
    "path_certificate",
    "second_derivative_norm",
]
