"""A layer of PyTorch on a bench's cells, trained, beside a ridge of scikit-learn's kind in a pipeline."""

import torch
from sklearn.datasets import load_digits
from sklearn.decomposition import PCA
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import LabelBinarizer, StandardScaler

import mho
from mho.torch import Linear

x, y = load_digits(return_X_y=True)
x, y = StandardScaler().fit_transform(x)[:600], y[:600]
with mho.open_bench("arrays", seed=1) as bench:
    layer = Linear(64, 10, bench=bench, programmed="drawn")
    steps, inputs = torch.optim.Adam(layer.parameters(), 0.02), torch.tensor(x, dtype=torch.float32)
    for _ in range(20):
        torch.nn.functional.cross_entropy(layer(inputs), torch.tensor(y)).backward()
        steps.step(), steps.zero_grad(), layer.reprogram()
    print("layer:", (layer(inputs).argmax(1).numpy() == y).mean())
ridge = make_pipeline(PCA(16), mho.linalg.Ridge(1.0, bench="arrays", seed=1)).fit(
    x, LabelBinarizer().fit_transform(y)
)
print("ridge:", (ridge.predict(x).argmax(1) == y).mean())
