"""What can be said exactly: how far a net of finite width is from its limit, and how lazily it trains."""

from ntklib.theory._certificate import LazyCertificate, certificate_from_constants, lazy_certificate
from ntklib.theory._criterion import lazy_criterion
from ntklib.theory._criterion_record import LazyCriterion
from ntklib.theory._curvature import Interval, second_derivative_norm
from ntklib.theory._jacobian_lipschitz import JacobianLipschitz, jacobian_lipschitz
from ntklib.theory._path_certificate import path_certificate
from ntklib.theory._path_record import PathCertificate
from ntklib.theory._variance import NTKVariance, ntk_variance, ntk_variance_of

__all__ = [
    "Interval",
    "JacobianLipschitz",
    "LazyCertificate",
    "LazyCriterion",
    "NTKVariance",
    "PathCertificate",
    "certificate_from_constants",
    "jacobian_lipschitz",
    "lazy_certificate",
    "lazy_criterion",
    "ntk_variance",
    "ntk_variance_of",
    "path_certificate",
    "second_derivative_norm",
]
