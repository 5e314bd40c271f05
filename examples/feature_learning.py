"""Does a student find its teacher's neurons?  That depends on the size of its weights at the start.

python examples/feature_learning.py [--out FOLDER]
"""

from __future__ import annotations

import argparse
from pathlib import Path

from ntklib.lab.studies import feature_learning_study


def main() -> None:
    """Train students of a teacher of three neurons, from small and large weights, narrow and wide."""
    parser = argparse.ArgumentParser(description="students that learn features, and lazy ones")
    parser.add_argument("--out", metavar="FOLDER", type=Path, help="save the paths of the neurons here")
    out = parser.parse_args().out
    study = feature_learning_study(
        (0.02, 0.2, 2.0),
        (16, 64),
        n_features=10,
        n_train=80,
        n_test=300,
        width=30,
        reference_width=128,
        steps=150,
        n_draws=2,
    )

    print("10 inputs, 3 neurons to be found, 30 to find them; weights at the start of standard deviation")
    for row in study.rows("scale"):
        cosine, moved = f"{study.alignment[row]:.2f}", f"{study.movement[row]:.1%}"
        print(
            f"  {study.scale[row]:<4g} -> test loss {study.test_loss[row]:6.1%}, cosine to the teacher's "
            f"neurons {cosine}, weights moved by {moved}"
        )
    print(f"  tangent model: test loss {study.tangent_loss:.1%}")
    for part, factor in (("ntk", "1/sqrt(m)"), ("mean_field", "1/m")):
        cosines = ", ".join(
            f"{study.alignment[row]:.2f} at width {study.width[row]}" for row in study.rows(part)
        )
        print(f"outputs times {factor}: cosine {cosines}")
    if out is not None:
        save_paths(study, out)


def save_paths(study, folder: Path) -> None:
    """Draw the paths of neurons in the plane into a file."""
    from matplotlib.figure import Figure

    folder.mkdir(parents=True, exist_ok=True)
    figure = Figure(figsize=(9, 5), layout="constrained")
    study.plot(figure.add_subplot())
    figure.savefig(folder / "feature-learning.png", dpi=150)
    print(f"\nfigure: {folder / 'feature-learning.png'}")


if __name__ == "__main__":
    main()
