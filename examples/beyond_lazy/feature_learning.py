"""
Students that learn features, and lazy ones
===========================================

A teacher of three neurons, and students that start from small and from large weights.
"""

# %%
# From small weights the neurons turn towards the teacher's; from large ones they stay where they are, and
# the network predicts no better than its tangent model.

import matplotlib.pyplot as plt

from ntklib.lab.studies import feature_learning_study

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
for row in study.rows("scale"):
    print(
        f"weights of deviation {study.scale[row]:<4g}: test loss {study.test_loss[row]:6.1%}, cosine to the "
        f"teacher's neurons {study.alignment[row]:.2f}, weights moved by {study.movement[row]:.1%}"
    )
print(f"tangent model: test loss {study.tangent_loss:.1%}")
figure, ax = plt.subplots(figsize=(9, 5), layout="constrained")
study.plot(ax)
plt.show()
