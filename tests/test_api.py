"""The public names, so that a change of them is seen."""

import importlib

import pytest

API = {
    "ntklib": """
        __version__ ArcCosine ArcCosineFeatures dynamics EmpiricalNTK get_threads kernels lab Laplace
        NetworkClassifier NetworkRegressor networks NNGP NTK NTKClassifier NTKClassifierCV
        NTKRegressor NTKRegressorCV NystromFeatures set_threads show_versions TangentClassifier
        TangentClassifierCV TangentFeatures TangentRegressor TangentRegressorCV theory
    """,
    "ntklib.estimators": """
        ArcCosineFeatures LearnedFeatures NetworkClassifier NetworkRegressor NTKClassifier
        NTKClassifierCV NTKRegressor NTKRegressorCV NystromFeatures PenaltyPath ScaleWarning StoppingPath
        TangentClassifier TangentClassifierCV TangentFeatures TangentRegressor TangentRegressorCV
    """,
    "ntklib.kernels": """
        ABReLU Abs Activation arc_cosine_kernel arc_cosine_of_angle ArcCosine Cos Erf Exp Gaussian
        GELU gradient_x Hermite Homogeneous Identity Laplace LeakyReLU Logistic median_distance Monomial
        NNGP nngp_kernel NTK ntk_kernel NumericalActivation RBF RectifiedPower ReLU Scaled Sign SiLU Sin
        Softplus Step Tanh
    """,
    "ntklib.kernels.conventions": """
        arora_kernel cho_saul_kernel eigenpro_kernel neural_tangents_kernel scikit_ntk_kernel
    """,
    "ntklib.networks": """
        CenteredModel EmpiricalNTK linearize LinearizedModel MLP Model MonteCarloMean Network
        PARAMETERIZATIONS Params QuadraticModel taylor TwoLayerNet
    """,
    "ntklib.solvers": """
        ApproximationWarning CentrePosterior CentreRows CentreSolution CentreSpectrum
        CentreTriangle BandFactor check_semidefinite Cholesky CholeskyFactor ConjugateGradient
        EigenFactor Factorization fold_sums half_constant IllConditionedWarning
        IterativeSolution leave_one_out merge_sums Nystrom path_factor ridge ridge_path
        RidgeFit RowSums Solution Solver
    """,
    "ntklib.dynamics": """
        AbsoluteError Adam as_loss as_optimizer AveragedMomentum averaging_weights Batch ensemble
        EnsembleTrajectory Flow gradient_descent gradient_flow GradientDescent HeavyBall History
        Huber integrate_flow largest_stable_step linearized_flow LogLoss Loss LOSSES Minibatches
        Momentum Muon Nesterov Optimizer OPTIMIZERS polar_factor Recording Risk SignDescent Snapshot
        SquaredError State train Trajectory USAM
    """,
    "ntklib.theory": """
        certificate_from_constants eigenlearning_curve eigenlearning_from_spectrum Interval
        jacobian_lipschitz JacobianLipschitz lazy_certificate lazy_criterion LazyCertificate
        LazyCriterion LearningCurve ntk_variance ntk_variance_of NTKVariance
        path_certificate PathCertificate second_derivative_norm
    """,
    "ntklib.plotting": """
        HistoryDisplay KernelAngleDisplay KernelHeatmapDisplay KernelSpectrumDisplay
        LeaveOneOutPathDisplay StoppingPathDisplay TrajectoryDisplay
    """,
    "ntklib.dask": """
        DaskNTKClassifier DaskNTKClassifierCV DaskNTKRegressor DaskNTKRegressorCV DaskNystromFeatures
        check_workers map_parts
    """,
    "ntklib.lab": """
        cli landscapes mean_field report studies tables
    """,
    "ntklib.lab.studies": """
        criterion_study CriterionStudy DecaySetting feature_learning_study FeatureLearningStudy
        fit_power_law homogeneity_study HomogeneityStudy implicit_bias_study ImplicitBiasStudy
        Influence InfluenceDecay kernel_evolution_study KernelEvolutionStudy landscapes_study
        LandscapesStudy lazy_accuracy_study lazy_decay_study LazyAccuracyStudy LazyDecayStudy
        LearnabilityByMode learning_curve_study LearningCurveStudy linearization_study
        LinearizationStudy LinearModel LocalSlopes MarginPath MeanFieldLimit MinimumNorm NeuronPaths
        parameterization_study ParameterizationStudy phase_diagram_study PhaseBoundary
        PhaseDiagramStudy PowerLaw predicted_powers rescale rescaling_study RescalingStudy
        scale_study ScaleStudy ScalingLaw StudyResult valley_study ValleyStudy WeightEffect
        width_study WidthStudy
    """,
    "ntklib.lab.landscapes": """
        Cone HuberLandscape Landscape Quadratic SquarePlusAbs WideningValley
    """,
    "ntklib.lab.mean_field": """
        proximal_step ProximalStep
    """,
    "ntklib.lab.tables": """
        column_uses ColumnUse DataError DATE_KINDS EMBEDDED encode_rows EncodedRows ExactMoments
        input_columns KINDS load_embedded load_table make_preprocessor MAX_CATEGORIES MedianSearch
        open_tables read_target Schema Squash summarise Table TableStream TableSummary Target
        TargetColumn with_squash WordHasher
    """,
    "ntklib.lab.report": """
        analyse Analysis DataSummary KernelResult MAX_SAMPLES ModelResult PAGE render_page RESULTS Section
        SECTIONS Verdict verdict_text write_report
    """,
    "ntklib.lab.cli": """
        Command COMMANDS main
    """,
}
"""Names by module, what ``from module import *`` gives."""


@pytest.mark.parametrize("module", API)
def test_public_names(module):
    package = importlib.import_module(module)
    assert sorted(package.__all__) == sorted(API[module].split())
    for name in package.__all__:
        assert getattr(package, name) is not None


def test_the_library_has_no_more_names_than_a_user_can_oversee():
    library = {name for module, names in API.items() if ".lab" not in module for name in names.split()}
    assert len(library) <= 175
